"""kcat as Debian ships it (an old librdkafka): what an engineer tries first."""

import pytest

from harness import confluent, kcat
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, unique_topic
from harness.wire import stored


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_comes_back_in_order(broker, compression):
    topic = unique_topic("kcat")
    lines = [b"line %d %s" % (i, b"x" * 200) for i in range(500)]
    kcat.produce(broker.bootstrap, topic, lines, "-z", compression)
    found = kcat.consume(broker.bootstrap, topic)
    assert [row["payload"].encode() for row in found] == lines
    assert [row["offset"] for row in found] == list(range(500))
    assert stored.compressions(broker.bootstrap, topic, 0) == {compression}


def test_keys_and_headers(broker):
    topic = unique_topic("kcat")
    headers = ["-H", "a=1", "-H", "b=two", "-H", "a=3"]
    kcat.produce(broker.bootstrap, topic, [b"k1:v1", b"k2:v2"], "-K", ":", *headers)
    found = kcat.consume(broker.bootstrap, topic)
    assert [(row["key"], row["payload"]) for row in found] == [("k1", "v1"), ("k2", "v2")]
    assert all(row["headers"] == ["a", "1", "b", "two", "a", "3"] for row in found)


def test_null_and_empty_values(broker):
    topic = unique_topic("kcat")
    kcat.produce(broker.bootstrap, topic, [b"k:"], "-K", ":")
    kcat.produce(broker.bootstrap, topic, [b"k:"], "-K", ":", "-Z")
    assert [row["payload"] for row in kcat.consume(broker.bootstrap, topic)] == ["", None]


def test_offsets_from_the_end_and_by_number(broker):
    topic = unique_topic("kcat")
    kcat.produce(broker.bootstrap, topic, [b"%d" % i for i in range(10)])
    assert [r["payload"] for r in kcat.consume(broker.bootstrap, topic, offset="7")] == ["7", "8", "9"]
    assert [r["payload"] for r in kcat.consume(broker.bootstrap, topic, offset="-2")] == ["8", "9"]


def test_offset_by_time(broker):
    topic = unique_topic("kcat")
    # kcat cannot set a record's time, so confluent-kafka produces; one batch per record by waiting for each.
    confluent.create_topic(broker.bootstrap, topic)
    for i in range(10):
        record = Record(None, b"%d" % i, timestamp_ms=BASE_TIMESTAMP_MS + 1000 * i)
        confluent.produce(broker.bootstrap, topic, 0, [record])
    found = kcat.consume(broker.bootstrap, topic, offset=f"s@{BASE_TIMESTAMP_MS + 5500}")
    assert [row["payload"] for row in found] == ["6", "7", "8", "9"]
    assert found[0]["ts"] == BASE_TIMESTAMP_MS + 6000


def test_metadata_lists_every_shard_as_a_broker_with_a_port_of_its_own(broker):
    found = kcat.metadata(broker.bootstrap)
    assert [row["id"] for row in found["brokers"]] == [1000 + shard for shard in range(broker.shards)]
    ports = [int(row["name"].rsplit(":", 1)[1]) for row in found["brokers"]]
    bootstrap_port = int(broker.bootstrap.rsplit(":", 1)[1])
    assert len({bootstrap_port, *ports}) == 1 + broker.shards, f"{ports} and {bootstrap_port} are not distinct"


def test_an_auto_created_topic_has_one_partition_per_shard(broker):
    topic = unique_topic("kcat")
    kcat.produce(broker.bootstrap, topic, [b"hello"])
    [found] = kcat.metadata(broker.bootstrap, "-t", topic)["topics"]
    leaders = {row["partition"]: row["leader"] for row in found["partitions"]}
    assert len(leaders) == broker.shards
    assert len(set(leaders.values())) == broker.shards, f"partitions are not spread over the shards: {leaders}"
