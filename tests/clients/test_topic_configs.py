"""Topic configs that change what is stored, as clients see it: whose clock, which codec, how large."""

import time

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException

from harness import clients, confluent, kcat
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, sample_records, unique_topic
from harness.wire import stored

HOUR_MS = 3_600_000
# The clock of a record is the broker's, which is ours, and both only know milliseconds.
ROUNDING_MS = 1


@pytest.fixture
def create(broker):
    """create(**configs): a new topic's name. Configs are given with _ for the dots."""

    def create(**configs):
        name = unique_topic("configs")
        confluent.create_topic(broker.bootstrap, name, **{key.replace("_", "."): value for key, value in configs.items()})
        return name

    return create


def now_ms():
    return int(time.time() * 1000)


def plain_records(count):
    """Records that every client can send, stamped long ago."""
    headers = (("h", b"1"), ("h", b"2"))
    return [Record(b"key", b"value %d" % i, headers, BASE_TIMESTAMP_MS + i) for i in range(count)]


def without_times(rows):
    return [(offset, record.key, record.value, record.headers) for offset, record in rows]


def check_append_times(rows, records, began_ms):
    """Everything is as it was sent but for the time, which is that of the append."""
    assert without_times(rows) == without_times(enumerate(records))
    times = [record.timestamp_ms for _, record in rows]
    assert began_ms - ROUNDING_MS <= min(times) and max(times) <= now_ms() + ROUNDING_MS, times
    assert times == sorted(times)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_log_append_time_with_librdkafka(broker, create, compression):
    topic = create(message_timestamp_type="LogAppendTime")
    records, began = sample_records(100), now_ms()
    confluent.produce(broker.bootstrap, topic, 0, records, **{"compression.type": compression})
    check_append_times(confluent.consume(broker.bootstrap, topic, 0), records, began)
    with confluent.open_consumer(broker.bootstrap) as consumer:
        found = confluent.read_to(consumer, topic, 0, 0, len(records))
    assert {message.timestamp()[0] for message in found} == {TIMESTAMP_LOG_APPEND_TIME}


def test_log_append_time_with_kcat(broker, create):
    topic = create(message_timestamp_type="LogAppendTime")
    began = now_ms()
    kcat.produce(broker.bootstrap, topic, [b"one", b"two"])
    found = kcat.consume(broker.bootstrap, topic)
    assert [(row["payload"], row["tstype"]) for row in found] == [("one", "logappend"), ("two", "logappend")]
    assert all(began - ROUNDING_MS <= row["ts"] <= now_ms() + ROUNDING_MS for row in found), found


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_log_append_time_with_java(broker, java, create, compression):
    topic = create(message_timestamp_type="LogAppendTime")
    records, began = sample_records(100), now_ms()
    results = java.produce(broker.bootstrap, topic, 0, records, {"compression.type": compression})
    found = java.consume(broker.bootstrap, topic, 0)
    check_append_times(found, records, began)
    # The producer is told the time that consumers get.
    assert [row["timestamp_ms"] for row in results] == [record.timestamp_ms for _, record in found]


@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_log_append_time_with_other_clients(broker, client, name, create, compression):
    topic = create(message_timestamp_type="LogAppendTime")
    records, began = plain_records(100), now_ms()
    results = client.produce(broker.bootstrap, topic, 0, records, clients.config(compression))
    found = client.consume(broker.bootstrap, topic, 0)
    check_append_times(found, records, began)
    if name != "franz-go":  # its records keep the producer's own time
        assert [row["timestamp_ms"] for row in results] == [record.timestamp_ms for _, record in found]


def test_offsets_are_found_by_the_time_of_the_append(broker, create):
    topic = create(message_timestamp_type="LogAppendTime")
    for record in sample_records(3):
        confluent.produce(broker.bootstrap, topic, 0, [record])
        time.sleep(0.01)  # so that no two have the same time
    times = [record.timestamp_ms for _, record in confluent.consume(broker.bootstrap, topic, 0)]
    assert len(set(times)) == 3, times
    found = [confluent.offset_for_time(broker.bootstrap, topic, 0, at) for at in [BASE_TIMESTAMP_MS, *times]]
    assert found == [0, 0, 1, 2]
    assert confluent.offset_for_time(broker.bootstrap, topic, 0, times[-1] + 1) == -1


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("config, far_ms", [
    ("message_timestamp_before_max_ms", -HOUR_MS), ("message_timestamp_after_max_ms", HOUR_MS)],
    ids=["past", "future"])
def test_a_timestamp_too_far_from_now_is_refused(broker, create, config, far_ms, compression):
    topic = create(**{config: str(HOUR_MS // 2)})

    def produce(timestamp_ms):
        options = {"compression.type": compression}
        record = Record(None, b"x" * 100, timestamp_ms=timestamp_ms)
        [result] = confluent.try_produce(broker.bootstrap, topic, 0, [record], **options)
        return result

    refused = produce(now_ms() + far_ms)
    assert isinstance(refused, KafkaException) and refused.args[0].code() == KafkaError.INVALID_TIMESTAMP, refused
    assert produce(now_ms() + far_ms // 4) == 0


def test_a_timestamp_too_far_from_now_is_named_by_other_clients(broker, client, create):
    topic = create(message_timestamp_before_max_ms=str(HOUR_MS))
    [result] = client.produce(broker.bootstrap, topic, 0, plain_records(1), clients.config())
    assert result.get("error") == "INVALID_TIMESTAMP", result


@pytest.mark.parametrize("sent", COMPRESSIONS)
@pytest.mark.parametrize("kept", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_a_topics_codec_replaces_the_producers(broker, create, kept, sent):
    topic = create(compression_type=kept)
    records = sample_records(200)
    options = {"compression.type": sent, "enable.idempotence": True, "batch.num.messages": 50}
    assert confluent.produce(broker.bootstrap, topic, 0, records, **options) == list(range(len(records)))
    assert stored.compressions(broker.bootstrap, topic, 0) == {"none" if kept == "uncompressed" else kept}
    assert confluent.consume(broker.bootstrap, topic, 0) == list(enumerate(records))


@pytest.mark.parametrize("kept", ["gzip", "snappy", "lz4", "zstd"])
def test_what_the_broker_compressed_is_read_by_all(broker, java, client, create, kept):
    topic = create(compression_type=kept)
    records = plain_records(500) + [Record(None, bytes(range(256)) * 1000)]
    client.produce(broker.bootstrap, topic, 0, records, clients.config())
    assert stored.compressions(broker.bootstrap, topic, 0) == {kept}
    assert client.consume(broker.bootstrap, topic, 0) == list(enumerate(records))
    assert java.consume(broker.bootstrap, topic, 0) == list(enumerate(records))


def test_a_topics_own_limit_holds(broker, client, create):
    topic = create(max_message_bytes="10000")
    [result] = client.produce(broker.bootstrap, topic, 0, [Record(None, b"x" * 10_000)], clients.config())
    assert "TOO_LARGE" in result.get("error", ""), result
    [result] = client.produce(broker.bootstrap, topic, 0, [Record(None, b"x" * 9000)], clients.config())
    assert result.get("offset") == 0, result
