// Reads as a member of a group.
'use strict'

const { client, connected } = require('./client')
const { rangeAssignor } = require('./range_assignor')

const DEADLINE_MS = 40000

// The first "count" records of "topic" that "group" has yet to read, as rows of partition and offset; committed.
async function consume_group({ topic, group, count, ...request }) {
  const consumer = client(request).consumer({
    groupId: group, partitionAssigners: [rangeAssignor], heartbeatInterval: 500, sessionTimeout: 6000,
  })
  return connected(consumer, async () => {
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const rows = []
    await new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`stuck after ${rows.length} of ${count}`)), DEADLINE_MS).unref()
      const eachMessage = async ({ partition, message }) => {
        if (rows.length < count) {
          rows.push([partition, Number(message.offset)])
        }
        if (rows.length === count) {
          resolve()
        }
      }
      consumer.run({ autoCommit: false, eachMessage }).catch(reject)
    })
    const ends = new Map(rows.map(([partition, offset]) => [partition, offset + 1]))
    const positions = [...ends].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }))
    await consumer.commitOffsets(positions)
    return { rows }
  })
}

module.exports = { consume_group }
