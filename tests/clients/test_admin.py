"""Partitions added and configs altered by real admin clients, with effect at once and after a kill."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewPartitions, NewTopic,
    ResourceType)

from harness import confluent
from harness.records import Record, sample_records, unique_topic

TIMEOUT_S = 30.0

# What infrastructure tools write out in full: values that are the defaults, and ones that are not.
AS_TOOLS_WRITE_IT = {
    "cleanup.policy": "delete", "compression.type": "producer", "min.insync.replicas": "1",
    "retention.ms": "86400000", "retention.bytes": "-1", "segment.bytes": "134217728", "segment.ms": "3600000",
    "max.message.bytes": "2097164", "message.timestamp.type": "CreateTime", "flush.messages": str(2**63 - 1),
    "flush.ms": str(2**63 - 1), "unclean.leader.election.enable": "false", "file.delete.delay.ms": "60000",
}


def result(broker, call):
    """What the only future of a call on an admin client comes to. The client must outlive it."""
    client = AdminClient({"bootstrap.servers": broker.bootstrap, **confluent.QUIET})
    (future,) = call(client).values()
    return future.result(TIMEOUT_S)


def alter(broker, kind, name, key, operation, value=None):
    entry = ConfigEntry(key, value, incremental_operation=operation)
    resource = ConfigResource(kind, name, incremental_configs=[entry])
    result(broker, lambda client: client.incremental_alter_configs([resource]))


def configs(broker, kind, name):
    return result(broker, lambda client: client.describe_configs([ConfigResource(kind, name)]))


def told(broker, topic, key):
    entry = configs(broker, ResourceType.TOPIC, topic)[key]
    return entry.value, ConfigSource(entry.source)


def add_partitions(broker, topic, total):
    result(broker, lambda client: client.create_partitions([NewPartitions(topic, total)]))


def test_added_partitions_are_used_at_once_and_kept(launch):
    broker = launch()
    topic, records = unique_topic("added"), sample_records(50)
    confluent.create_topic(broker.bootstrap, topic, partitions=1)
    for total in range(2, 8):
        add_partitions(broker, topic, total)
        assert confluent.produce(broker.bootstrap, topic, total - 1, records) == list(range(len(records)))
    with pytest.raises(KafkaException) as refused:
        add_partitions(broker, topic, 7)
    assert refused.value.args[0].code() == KafkaError.INVALID_PARTITIONS
    broker.kill9()
    broker.start()
    for partition in range(1, 7):
        assert confluent.consume(broker.bootstrap, topic, partition) == list(enumerate(records))


def test_configs_are_set_unset_and_told_with_their_source(launch):
    broker = launch()
    topic = unique_topic("configs")
    new = NewTopic(topic, 2, 1, config=AS_TOOLS_WRITE_IT)
    result(broker, lambda client: client.create_topics([new]))
    described = configs(broker, ResourceType.TOPIC, topic)
    assert {key: described[key].value for key in AS_TOOLS_WRITE_IT} == AS_TOOLS_WRITE_IT
    assert all(described[key].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value for key in AS_TOOLS_WRITE_IT)

    alter(broker, ResourceType.TOPIC, topic, "retention.ms", AlterConfigOpType.DELETE)
    assert told(broker, topic, "retention.ms") == ("604800000", ConfigSource.DEFAULT_CONFIG)
    alter(broker, ResourceType.BROKER, "1000", "log.retention.ms", AlterConfigOpType.SET, "7200000")
    alter(broker, ResourceType.TOPIC, topic, "retention.bytes", AlterConfigOpType.SET, "5000000")
    broker.kill9()
    broker.start()
    assert told(broker, topic, "retention.bytes") == ("5000000", ConfigSource.DYNAMIC_TOPIC_CONFIG)
    entry = configs(broker, ResourceType.BROKER, "1000")["log.retention.ms"]
    assert (entry.value, entry.source) == ("7200000", ConfigSource.DYNAMIC_BROKER_CONFIG.value)
    assert not entry.is_read_only and not entry.is_sensitive
    assert configs(broker, ResourceType.BROKER, "1001")["log.retention.ms"].value == "604800000"
    assert configs(broker, ResourceType.BROKER, "1001")["num.partitions"].is_read_only


@pytest.mark.parametrize("key, value", [
    ("compression.gzip.level", "5"), ("min.insync.replicas", "0"), ("remote.storage.enable", "true")])
def test_what_is_not_there_yet_is_refused_by_name(broker, key, value):
    topic = unique_topic("refused")
    confluent.create_topic(broker.bootstrap, topic)
    with pytest.raises(KafkaException) as refused:
        alter(broker, ResourceType.TOPIC, topic, key, AlterConfigOpType.SET, value)
    error = refused.value.args[0]
    assert error.code() == KafkaError.INVALID_CONFIG and key in error.str()


def test_a_longer_batch_is_taken_as_soon_as_the_topic_allows_it(broker):
    topic = unique_topic("longer")
    confluent.create_topic(broker.bootstrap, topic)
    record = Record(key=None, value=b"x" * 3_000_000)
    (refused,) = confluent.try_produce(broker.bootstrap, topic, 0, [record], **{"message.max.bytes": 5_000_000})
    assert refused.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    alter(broker, ResourceType.TOPIC, topic, "max.message.bytes", AlterConfigOpType.SET, "4000000")
    offsets = confluent.produce(broker.bootstrap, topic, 0, [record], **{"message.max.bytes": 5_000_000})
    assert offsets == [0]
    ((offset, found),) = confluent.consume(broker.bootstrap, topic, 0)
    assert (offset, found.value) == (0, record.value)
