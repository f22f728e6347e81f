// Reads one partition without a group. kafkajs's public consumer always joins one, so this takes the cluster that is
// beneath it: the same metadata, connections, fetch requests and decoders.
'use strict'

const Batch = require('kafkajs/src/consumer/batch')
const { createErrorFromCode } = require('kafkajs/src/protocol/error')
const { client, connected, toText } = require('./client')

const READ_COMMITTED = 1
const MAX_WAIT_MS = 500
const DEADLINE_MS = 30000

// Records from "offset", "time_ms" or the beginning up to the end as it was at the start.
async function consume(request) {
  return withCluster(request, async cluster => {
    const end = await listOffset(cluster, request, { fromBeginning: false })
    let next = await startOffset(cluster, request)
    const deadline = Date.now() + DEADLINE_MS
    const records = []
    while (next < end) {
      if (Date.now() > deadline) {
        throw new Error(`stuck at ${next} of ${end}`)
      }
      const batch = await fetch(cluster, request, next)
      for (const message of batch.messages) {
        records.push(toRecord(message))
      }
      next = batch.messages.length ? Number(batch.lastOffset()) + 1 : next
    }
    return { records }
  })
}

// Beginning, end, and the first offset at or after each of "times_ms": null where there is none.
async function offsets(request) {
  return withCluster(request, async cluster => {
    const beginning = await listOffset(cluster, request, { fromBeginning: true })
    const end = await listOffset(cluster, request, { fromBeginning: false })
    const by_time = []
    for (const time of request.times_ms) {
      const found = await listOffset(cluster, request, { fromTimestamp: time })
      by_time.push(found < 0 ? null : [found, null])
    }
    return { beginning, end, by_time }
  })
}

async function withCluster(request, use) {
  const kafka = client(request)
  const create = Object.getOwnPropertySymbols(kafka).find(symbol => symbol.description.endsWith('createCluster'))
  return connected(kafka[create]({ metadataMaxAge: 300000, isolationLevel: READ_COMMITTED }), async cluster => {
    await cluster.addTargetTopic(request.topic)
    return use(cluster)
  })
}

async function startOffset(cluster, request) {
  if (request.offset !== undefined) {
    return request.offset
  }
  const from = request.time_ms === undefined ? { fromBeginning: true } : { fromTimestamp: request.time_ms }
  return listOffset(cluster, request, from)
}

async function listOffset(cluster, { topic, partition }, from) {
  const [found] = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], ...from }])
  return Number(found.partitions[0].offset)
}

async function fetch(cluster, request, offset) {
  const { topic, partition } = request
  const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  const broker = await cluster.findBroker({ nodeId: leader })
  const maxBytes = Number(request.config['max.bytes'] || 1048576)
  const { responses } = await broker.fetch({
    maxWaitTime: MAX_WAIT_MS,
    minBytes: 1,
    maxBytes,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions: [{ partition, fetchOffset: offset, maxBytes }] }],
  })
  const [data] = responses[0].partitions
  if (data.errorCode !== 0) {
    throw createErrorFromCode(data.errorCode)
  }
  return new Batch(topic, String(offset), data)
}

function toRecord(message) {
  const headers = Object.entries(message.headers).flatMap(([name, values]) =>
    [values].flat().map(value => [name, toText(value)])
  )
  return {
    offset: Number(message.offset),
    timestamp_ms: Number(message.timestamp),
    key: toText(message.key),
    value: toText(message.value),
    headers,
  }
}

module.exports = { consume, offsets }
