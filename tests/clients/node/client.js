// One kafkajs client per request, as its pieces (producer, admin, cluster) connect on their own.
'use strict'

const { Kafka, logLevel } = require('kafkajs')

// stdout belongs to the answers.
const toStderr = () => entry => process.stderr.write(JSON.stringify(entry) + '\n')

function client(request) {
  return new Kafka({
    clientId: 'corelane-node-driver',
    brokers: request.config['bootstrap.servers'].split(','),
    logLevel: logLevel.WARN,
    logCreator: toStderr,
    retry: { retries: 5, initialRetryTime: 50 },
  })
}

// Runs `use` on something that connects and disconnects.
async function connected(connectable, use) {
  await connectable.connect()
  try {
    return await use(connectable)
  } finally {
    await connectable.disconnect()
  }
}

const toBytes = text => (text === null ? null : Buffer.from(text, 'base64'))
const toText = bytes => (bytes === null ? null : Buffer.from(bytes).toString('base64'))

module.exports = { client, connected, toBytes, toText }
