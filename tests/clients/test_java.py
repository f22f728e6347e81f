"""The Java client: the same matrix, and what administrators ask."""

import pytest

from harness import confluent
from harness.driver import DriverError
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, sample_records, unique_topic
from harness.wire import stored


@pytest.fixture
def topic(broker, java):
    name = unique_topic("java")
    java.request("create_topic", broker.bootstrap, topic=name, partitions=2)
    return name


def produce(java, broker, topic, records, partition=0, **config):
    """Offsets of the records; fails on the first that was refused."""
    results = java.produce(broker.bootstrap, topic, partition, records, config)
    refused = [result for result in results if "error" in result]
    assert not refused, refused[0]
    return [result["offset"] for result in results]


@pytest.mark.parametrize("idempotence", ["false", "true"], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_records_come_back_as_they_were(broker, java, topic, compression, idempotence):
    records = sample_records(300)
    config = {"compression.type": compression, "enable.idempotence": idempotence, "linger.ms": "5"}
    for partition in (0, 1):
        assert produce(java, broker, topic, records, partition, **config) == list(range(len(records)))
    for partition in (0, 1):
        assert java.consume(broker.bootstrap, topic, partition) == list(enumerate(records))
        assert stored.compressions(broker.bootstrap, topic, partition) == {compression}


def test_java_and_librdkafka_read_each_other(broker, java, topic):
    records = sample_records(100)
    produce(java, broker, topic, records, **{"compression.type": "lz4"})
    confluent.produce(broker.bootstrap, topic, 0, records, **{"compression.type": "snappy"})
    expected = list(enumerate(records + records))
    assert java.consume(broker.bootstrap, topic, 0) == expected
    assert confluent.consume(broker.bootstrap, topic, 0) == expected


def test_seek_to_an_offset(broker, java, topic):
    records = sample_records(200)
    produce(java, broker, topic, records)
    for offset in (0, 1, 73, 199):
        assert java.consume(broker.bootstrap, topic, 0, offset=offset) == list(enumerate(records))[offset:]


def test_small_fetches_still_progress(broker, java, topic):
    records = [Record(None, bytes([i]) * 50_000) for i in range(20)]
    produce(java, broker, topic, records)
    limits = {"fetch.max.bytes": "1000", "max.partition.fetch.bytes": "1000"}  # smaller than any batch
    assert [record for _, record in java.consume(broker.bootstrap, topic, 0, limits)] == records


def test_offsets_for_times(broker, java, topic):
    produce(java, broker, topic, sample_records(100), **{"batch.size": "1000"})
    times = [0, BASE_TIMESTAMP_MS + 41_000, BASE_TIMESTAMP_MS + 41_001, BASE_TIMESTAMP_MS + 99_001]
    found = java.request("offsets", broker.bootstrap, topic=topic, partition=0, times_ms=times)
    assert (found["beginning"], found["end"]) == (0, 100)
    at_41, at_42 = [41, BASE_TIMESTAMP_MS + 41_000], [42, BASE_TIMESTAMP_MS + 42_000]
    assert found["by_time"] == [[0, BASE_TIMESTAMP_MS], at_41, at_42, None]


def test_consume_from_a_time(broker, java, topic):
    records = sample_records(50)
    produce(java, broker, topic, records)
    found = java.consume(broker.bootstrap, topic, 0, time_ms=BASE_TIMESTAMP_MS + 30_500)
    assert found == list(enumerate(records))[31:]


def test_a_record_above_the_limit_is_refused(broker, java, topic):
    config = {"max.request.size": "10000000", "buffer.memory": "33554432"}
    [result] = java.produce(broker.bootstrap, topic, 0, [Record(None, b"x" * 2_000_000)], config)
    assert result.get("error") == "RecordTooLargeException", result


def test_create_describe_delete(broker, java):
    name = unique_topic("java")
    created = java.request("create_topic", broker.bootstrap, topic=name, partitions=4)
    assert created["partitions"] == 4
    described = java.request("describe_topic", broker.bootstrap, topic=name)
    assert described["topic_id"] == created["topic_id"]
    assert len(described["leaders"]) == 4
    assert set(described["leaders"]) == {1000 + shard for shard in range(broker.shards)}

    java.request("delete_topic", broker.bootstrap, topic=name)
    with pytest.raises(DriverError, match="UnknownTopicOrPartition"):
        java.request("describe_topic", broker.bootstrap, topic=name)

    again = java.request("create_topic", broker.bootstrap, topic=name, partitions=4)
    assert again["topic_id"] != created["topic_id"]


def test_creating_a_topic_twice_is_refused(broker, java, topic):
    with pytest.raises(DriverError, match="TopicExists"):
        java.request("create_topic", broker.bootstrap, topic=topic, partitions=1)


def test_describe_cluster(broker, java):
    found = java.request("describe_cluster", broker.bootstrap)
    assert found["cluster_id"]
    assert sorted(found["nodes"]) == [str(1000 + shard) for shard in range(broker.shards)]
    assert len(set(found["nodes"].values())) == broker.shards
    assert str(found["controller"]) in found["nodes"]


def test_describe_configs(broker, java, topic):
    configs = java.request("describe_configs", broker.bootstrap, topic=topic)["configs"]
    assert configs["cleanup.policy"] == "delete"
    assert configs["max.message.bytes"] == "1048588"
    cluster = java.request("describe_cluster", broker.bootstrap)
    some_broker = sorted(cluster["nodes"])[0]
    assert java.request("describe_configs", broker.bootstrap, broker=some_broker)["configs"]
