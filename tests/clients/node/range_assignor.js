// Kafka's "range" for kafkajs, which has no assignor of its own that other clients speak.
'use strict'

const { AssignerProtocol: { MemberAssignment, MemberMetadata } } = require('kafkajs')

// The partitions of one topic in ranges, the first members one more where they do not come out even.
function ranges(memberIds, partitions) {
  const sorted = [...partitions].sort((a, b) => a - b)
  const least = Math.floor(sorted.length / memberIds.length)
  const more = sorted.length % memberIds.length
  let next = 0
  return memberIds.map((_, at) => {
    const first = next
    next += least + (at < more ? 1 : 0)
    return sorted.slice(first, next)
  })
}

const rangeAssignor = ({ cluster }) => ({
  name: 'range',
  version: 0,

  async assign({ members, topics }) {
    const memberIds = members.map(({ memberId }) => memberId).sort()
    const shares = memberIds.map(() => ({}))
    for (const topic of topics) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
      ranges(memberIds, partitions).forEach((range, at) => {
        if (range.length > 0) {
          shares[at][topic] = range
        }
      })
    }
    // Also those who get nothing: other clients do not understand a share without bytes.
    return memberIds.map((memberId, at) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: shares[at], userData: Buffer.alloc(0) }),
    }))
  },

  protocol({ topics }) {
    return { name: 'range', metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }) }
  },
})

module.exports = { rangeAssignor }
