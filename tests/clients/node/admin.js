// What an administrator asks: topics, cluster, configurations.
'use strict'

const { ConfigResourceTypes } = require('kafkajs')
const { client, connected } = require('./client')

async function create_topic(request) {
  return asAdmin(request, async admin => {
    const configEntries = Object.entries(request.topic_config || {}).map(([name, value]) => ({ name, value }))
    const topics = [{ topic: request.topic, numPartitions: request.partitions, configEntries }]
    // kafkajs answers false, instead of an error, to a topic that is there.
    if (!(await admin.createTopics({ topics, waitForLeaders: true }))) {
      return { error: 'TOPIC_ALREADY_EXISTS', message: 'createTopics answered false' }
    }
    return { partitions: request.partitions }
  })
}

async function delete_topic(request) {
  return asAdmin(request, async admin => {
    await admin.deleteTopics({ topics: [request.topic] })
    return {}
  })
}

async function describe_topic(request) {
  return asAdmin(request, async admin => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [request.topic] })
    const partitions = topics[0].partitions.sort((a, b) => a.partitionId - b.partitionId)
    return { leaders: partitions.map(partition => partition.leader) }
  })
}

async function describe_cluster(request) {
  return asAdmin(request, async admin => {
    const cluster = await admin.describeCluster()
    const nodes = Object.fromEntries(cluster.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]))
    return { cluster_id: cluster.clusterId, controller: cluster.controller, nodes }
  })
}

// Name to value of a "topic", or of a "broker" given by its id.
async function describe_configs(request) {
  const resource =
    request.topic === undefined
      ? { type: ConfigResourceTypes.BROKER, name: request.broker }
      : { type: ConfigResourceTypes.TOPIC, name: request.topic }
  return asAdmin(request, async admin => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
    const entries = resources[0].configEntries.map(entry => [entry.configName, entry.configValue])
    return { configs: Object.fromEntries(entries) }
  })
}

// Leaves a topic with the configs of "topic_config" only: kafkajs has no incremental way.
async function alter_configs(request) {
  const configEntries = Object.entries(request.topic_config).map(([name, value]) => ({ name, value }))
  const resource = { type: ConfigResourceTypes.TOPIC, name: request.topic, configEntries }
  return asAdmin(request, async admin => {
    await admin.alterConfigs({ validateOnly: false, resources: [resource] })
    return {}
  })
}

// Raises the number of a topic's partitions to "partitions".
async function create_partitions(request) {
  return asAdmin(request, async admin => {
    await admin.createPartitions({ topicPartitions: [{ topic: request.topic, count: request.partitions }] })
    return {}
  })
}

// Removes what is before "offset" in one partition.
async function delete_records(request) {
  const partitions = [{ partition: request.partition, offset: String(request.offset) }]
  return asAdmin(request, async admin => {
    // deleteTopicRecords looks for the leader before it has any metadata, unless another call came first.
    await admin.fetchTopicOffsets(request.topic)
    await admin.deleteTopicRecords({ topic: request.topic, partitions })
    return {}
  })
}

function asAdmin(request, use) {
  return connected(client(request).admin(), use)
}

module.exports = {
  create_topic,
  delete_topic,
  describe_topic,
  describe_cluster,
  describe_configs,
  alter_configs,
  create_partitions,
  delete_records,
}
