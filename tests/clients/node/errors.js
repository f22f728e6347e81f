'use strict'

// An error as an answer: Kafka's name for it if the broker sent it, also where kafkajs gave up repeating it.
function describe(error) {
  const cause = error.cause || error
  return { error: cause.type || cause.name, message: error.message }
}

module.exports = { describe }
