// Sends records and answers with the offset or the error of each.
'use strict'

const codecs = require('./codecs')
const { client, connected, toBytes } = require('./client')
const { describe } = require('./errors')

// kafkajs sends what it is given in one call as one batch, so large lists are cut.
const RECORDS_PER_BATCH = 100

async function produce(request) {
  const idempotent = request.config.idempotence === 'true'
  const producer = client(request).producer({
    idempotent,
    maxInFlightRequests: idempotent ? 1 : null,
    createPartitioner: () => () => request.partition,
  })
  const results = []
  await connected(producer, async () => {
    for (let first = 0; first < request.records.length; first += RECORDS_PER_BATCH) {
      const batch = request.records.slice(first, first + RECORDS_PER_BATCH)
      results.push(...(await send(producer, request, batch)))
    }
  })
  return { results }
}

async function send(producer, request, batch) {
  try {
    const [sent] = await producer.send({
      topic: request.topic,
      acks: -1,
      compression: codecs.byName[request.config.compression],
      messages: batch.map(toMessage),
    })
    const appended = Number(sent.logAppendTime)
    return batch.map((record, i) => ({
      offset: Number(sent.baseOffset) + i,
      timestamp_ms: appended >= 0 ? appended : record.timestamp_ms,
    }))
  } catch (error) {
    return batch.map(() => describe(error))
  }
}

function toMessage(record) {
  return {
    key: toBytes(record.key),
    value: toBytes(record.value),
    timestamp: String(record.timestamp_ms),
    headers: toHeaders(record.headers),
  }
}

// kafkajs has headers as an object: a name that occurs more than once has an array.
function toHeaders(pairs) {
  const headers = {}
  for (const [name, value] of pairs) {
    headers[name] = [...(headers[name] || []), toBytes(value)]
  }
  return headers
}

module.exports = { produce }
