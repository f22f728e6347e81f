"""kafka-python, aiokafka, franz-go and kafkajs: clients with codecs, connections and retries of their own, by the same tests."""

import dataclasses

import pytest

from harness import clients, confluent
from harness.driver import DriverError
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, sample_records, unique_topic
from harness.wire import stored

MESSAGE_MAX_BYTES = 1_048_588  # Kafka's default


@pytest.fixture
def topic(broker, name):
    topic = unique_topic(name)
    confluent.create_topic(broker.bootstrap, topic, partitions=2)
    return topic


@pytest.fixture
def samples(name):
    """Makes records with every kind of key, value and headers that the client can send."""

    def make(count):
        records = sample_records(count)
        if name in ("kafkajs", "kafka-python"):  # they send no headers without a value
            records = [dataclasses.replace(r, headers=without_null(r.headers)) for r in records]
        if name in ("aiokafka", "kafka-python"):  # they want at least one of key and value
            records = [dataclasses.replace(r, key=b"") if r.key is r.value is None else r for r in records]
        return records

    return make


def without_null(headers):
    return tuple(header for header in headers if header[1] is not None)


def try_produce(client, broker, topic, records, partition=0, compression="none", idempotent=False):
    """Results of the records in order: {"offset", "timestamp_ms"} or {"error", "message"}."""
    return client.produce(broker.bootstrap, topic, partition, records, clients.config(compression, idempotent))


def produce(client, broker, topic, records, **options):
    """Offsets of the records; fails on the first that was refused."""
    results = try_produce(client, broker, topic, records, **options)
    refused = [result for result in results if "error" in result]
    assert not refused, refused[0]
    return [result["offset"] for result in results]


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_records_come_back_as_they_were(broker, client, topic, samples, compression, idempotent):
    records = samples(300)
    for partition in (0, 1):
        options = {"partition": partition, "compression": compression, "idempotent": idempotent}
        assert produce(client, broker, topic, records, **options) == list(range(len(records)))
    for partition in (0, 1):
        assert client.consume(broker.bootstrap, topic, partition) == list(enumerate(records))
        assert stored.compressions(broker.bootstrap, topic, partition) == {compression}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_it_and_librdkafka_read_each_other(broker, client, topic, samples, compression):
    records = samples(100)
    produce(client, broker, topic, records, compression=compression)
    confluent.produce(broker.bootstrap, topic, 0, records, **{"compression.type": compression})
    expected = list(enumerate(records + records))
    assert client.consume(broker.bootstrap, topic, 0) == expected
    assert confluent.consume(broker.bootstrap, topic, 0) == expected


def test_consume_by_offset(broker, client, topic, samples):
    records = samples(200)
    confluent.produce(broker.bootstrap, topic, 0, records, **{"batch.num.messages": 50, "compression.type": "lz4"})
    for offset in (0, 1, 73, 199):  # also in the middle of a batch
        assert client.consume(broker.bootstrap, topic, 0, offset=offset) == list(enumerate(records))[offset:]


def test_an_offset_beyond_the_end_is_nothing_yet(broker, client, topic):
    produce(client, broker, topic, sample_records(3)[:1])
    assert client.consume(broker.bootstrap, topic, 0, offset=1) == []


def test_consume_by_time(broker, client, topic, samples):
    records = samples(100)
    confluent.produce(broker.bootstrap, topic, 0, records, **{"batch.num.messages": 10})
    found = client.consume(broker.bootstrap, topic, 0, time_ms=BASE_TIMESTAMP_MS + 41_500)
    # A client that starts at the batch and not at the record of that time would be wrong; so would we.
    assert found == list(enumerate(records))[42:]


def test_offsets_for_times(broker, client, topic, name):
    confluent.produce(broker.bootstrap, topic, 0, sample_records(100), **{"batch.num.messages": 10})
    times = [0, BASE_TIMESTAMP_MS + 41_000, BASE_TIMESTAMP_MS + 41_001, BASE_TIMESTAMP_MS + 99_001]
    found = client.request("offsets", broker.bootstrap, topic=topic, partition=0, times_ms=times)
    assert (found["beginning"], found["end"]) == (0, 100)
    expected = [(0, BASE_TIMESTAMP_MS), (41, BASE_TIMESTAMP_MS + 41_000), (42, BASE_TIMESTAMP_MS + 42_000), None]
    if name == "kafkajs":  # it tells offsets only
        expected = [row and (row[0], None) for row in expected]
    assert [row and tuple(row) for row in found["by_time"]] == expected


def test_small_fetches_still_progress(broker, client, topic):
    records = [Record(None, bytes([i]) * 50_000) for i in range(20)]
    confluent.produce(broker.bootstrap, topic, 0, records, **{"batch.num.messages": 2})
    limits = {"max.bytes": "1000"}  # smaller than any batch
    assert [record for _, record in client.consume(broker.bootstrap, topic, 0, limits)] == records


@pytest.mark.parametrize("size", [100_000, 500_000, MESSAGE_MAX_BYTES - 1000])
def test_large_records(broker, client, topic, size):
    records = [Record(b"k", bytes([i]) * size) for i in range(3)]
    for record in records:  # each alone: clients would put all of them into one batch
        produce(client, broker, topic, [record])
    assert [record for _, record in client.consume(broker.bootstrap, topic, 0)] == records


@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_a_record_above_the_limit_is_refused_and_harms_nothing(broker, client, topic, idempotent):
    too_large = Record(None, b"x" * (MESSAGE_MAX_BYTES + 1))
    [result] = try_produce(client, broker, topic, [too_large], idempotent=idempotent)
    assert "TOO_LARGE" in result.get("error", ""), result
    assert produce(client, broker, topic, [Record(None, b"fits")], idempotent=idempotent) == [0]


def test_create_describe_delete(broker, client, name):
    topic = unique_topic(name)
    client.request("create_topic", broker.bootstrap, topic=topic, partitions=4)
    described = client.request("describe_topic", broker.bootstrap, topic=topic)
    assert len(described["leaders"]) == 4
    assert set(described["leaders"]) == {1000 + shard for shard in range(broker.shards)}
    with pytest.raises(DriverError, match="TOPIC_ALREADY_EXISTS"):
        client.request("create_topic", broker.bootstrap, topic=topic, partitions=4)
    client.request("delete_topic", broker.bootstrap, topic=topic)
    with pytest.raises(DriverError, match="UNKNOWN_TOPIC_OR_PARTITION"):
        client.request("delete_topic", broker.bootstrap, topic=topic)


def test_describe_cluster(broker, client):
    found = client.request("describe_cluster", broker.bootstrap)
    assert found["cluster_id"]
    assert sorted(found["nodes"]) == [str(1000 + shard) for shard in range(broker.shards)]
    assert str(found["controller"]) in found["nodes"]


def test_describe_configs(broker, client, topic):
    configs = client.request("describe_configs", broker.bootstrap, topic=topic)["configs"]
    assert configs["cleanup.policy"] == "delete"
    assert configs["max.message.bytes"] == str(MESSAGE_MAX_BYTES)
    assert client.request("describe_configs", broker.bootstrap, broker="1000")["configs"]
