// kafkajs behind a pipe: one JSON request per line of stdin, one JSON answer per line of stdout.
// Requests and answers are those of the Java driver; logs go to stderr.
'use strict'

const readline = require('node:readline')

const admin = require('./admin')
const codecs = require('./codecs')
const consume = require('./consume')
const consumeGroup = require('./consume_group')
const { describe } = require('./errors')
const produce = require('./produce')

const operations = { ...admin, ...consume, ...consumeGroup, ...produce }

// The operation's result or {error, message}: the tests decide what is wrong.
async function answer(request) {
  try {
    const operation = operations[request.operation]
    if (!operation) {
      throw new Error(`unknown operation ${request.operation}`)
    }
    return await operation(request)
  } catch (error) {
    return describe(error)
  }
}

async function main() {
  await codecs.register()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n')
  }
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
