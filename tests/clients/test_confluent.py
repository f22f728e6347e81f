"""confluent-kafka (a current librdkafka): the client matrix, limits, topics."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from harness import confluent
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, sample_records, unique_topic
from harness.wire import stored

MESSAGE_MAX_BYTES = 1_048_588  # Kafka's default


@pytest.fixture
def topic(broker):
    name = unique_topic("confluent")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    return name


@pytest.mark.parametrize("idempotence", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_records_come_back_as_they_were(broker, topic, compression, idempotence):
    records = sample_records(500)
    config = {"compression.type": compression, "enable.idempotence": idempotence}
    for partition in (0, 1):
        offsets = confluent.produce(broker.bootstrap, topic, partition, records, **config)
        assert offsets == list(range(len(records)))
    for partition in (0, 1):
        assert confluent.consume(broker.bootstrap, topic, partition) == list(enumerate(records))
        # A client may send records as they are when it doubts that the broker knows the codec.
        assert stored.compressions(broker.bootstrap, topic, partition) == {compression}


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_acks_setting(broker, topic, acks):
    records = sample_records(100)
    confluent.produce(broker.bootstrap, topic, 0, records, acks=acks)
    # acks=0 is "delivered" once it is sent: a later acknowledged record on the same connection is behind it.
    confluent.produce(broker.bootstrap, topic, 0, records[:1], acks="all")
    found = confluent.consume(broker.bootstrap, topic, 0)
    if acks != "0":
        assert [record for _, record in found] == records + records[:1]


def test_consume_by_offset(broker, topic):
    records = sample_records(300)
    confluent.produce(broker.bootstrap, topic, 0, records, **{"batch.num.messages": 100})
    for offset in (0, 1, 99, 100, 250, 299):  # also in the middle of a batch
        found = confluent.consume(broker.bootstrap, topic, 0, offset)
        assert found == list(enumerate(records))[offset:]


def test_consume_by_time(broker, topic):
    records = sample_records(100)
    confluent.produce(broker.bootstrap, topic, 0, records, **{"batch.num.messages": 10})

    def offset_for(time_ms):
        return confluent.offset_for_time(broker.bootstrap, topic, 0, time_ms)

    assert offset_for(0) == 0
    assert offset_for(BASE_TIMESTAMP_MS) == 0
    assert offset_for(BASE_TIMESTAMP_MS + 41_000) == 41
    assert offset_for(BASE_TIMESTAMP_MS + 41_001) == 42
    assert offset_for(BASE_TIMESTAMP_MS + 99_000) == 99
    assert offset_for(BASE_TIMESTAMP_MS + 99_001) == -1  # later than everything: the end


def test_watermarks(broker, topic):
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 0)
    confluent.produce(broker.bootstrap, topic, 0, sample_records(17))
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 17)
    assert confluent.watermarks(broker.bootstrap, topic, 1) == (0, 0)


def test_an_offset_beyond_the_end_is_out_of_range(broker, topic):
    confluent.produce(broker.bootstrap, topic, 0, sample_records(3))
    with confluent.open_consumer(broker.bootstrap) as consumer:
        with pytest.raises(KafkaException) as failure:
            confluent.read_to(consumer, topic, 0, 1000, 1001)
    assert failure.value.args[0].code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)


@pytest.mark.parametrize("size", [100_000, 500_000, 1_000_000, MESSAGE_MAX_BYTES - 1000])
def test_large_records(broker, topic, size):
    records = [Record(b"k", bytes([i]) * size, timestamp_ms=BASE_TIMESTAMP_MS) for i in range(3)]
    confluent.produce(broker.bootstrap, topic, 0, records, **{"message.max.bytes": 10_000_000})
    assert [record for _, record in confluent.consume(broker.bootstrap, topic, 0)] == records


def test_a_record_above_the_limit_is_refused_and_harms_nothing(broker, topic):
    config = {"message.max.bytes": 10_000_000}
    too_large = Record(None, b"x" * (MESSAGE_MAX_BYTES + 1))
    [result] = confluent.try_produce(broker.bootstrap, topic, 0, [too_large], **config)
    assert isinstance(result, KafkaException), "accepted a record beyond message.max.bytes"
    assert result.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert confluent.produce(broker.bootstrap, topic, 0, [Record(None, b"fits")]) == [0]


def test_create_topic_with_partitions_and_list_it(broker):
    name = unique_topic("confluent")
    confluent.create_topic(broker.bootstrap, name, partitions=5)
    found = confluent.admin(broker.bootstrap).list_topics(name, timeout=10).topics[name]
    assert sorted(found.partitions) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "name, options, code",
    [
        ("no spaces please", {}, KafkaError.TOPIC_EXCEPTION),
        ("x" * 250, {}, KafkaError.TOPIC_EXCEPTION),
        ("..", {}, KafkaError.TOPIC_EXCEPTION),
        ("valid-name", {"num_partitions": 0}, KafkaError.INVALID_PARTITIONS),
        ("valid-name", {"replication_factor": 3}, KafkaError.INVALID_REPLICATION_FACTOR),
        ("valid-name", {"config": {"no.such.config": "1"}}, KafkaError.INVALID_CONFIG),
    ],
    ids=["spaces", "too-long", "dots", "no-partitions", "more-replicas-than-nodes", "unknown-config"],
)
def test_bad_topics_are_refused(broker, name, options, code):
    topic = NewTopic(name, **{"num_partitions": 1, **options})
    assert confluent.create_error(broker.bootstrap, topic) == code


def test_creating_a_topic_twice_is_refused(broker, topic):
    again = NewTopic(topic, num_partitions=1)
    assert confluent.create_error(broker.bootstrap, again) == KafkaError.TOPIC_ALREADY_EXISTS


def test_deleting_an_unknown_topic_is_refused(broker):
    name = unique_topic("never-created")
    with pytest.raises(KafkaException) as failure:
        confluent.delete_topic(broker.bootstrap, name)
    assert failure.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_a_recreated_topic_starts_empty(broker, topic):
    for round_number in range(3):
        records = [Record(None, b"round %d record %d" % (round_number, i)) for i in range(50)]
        assert confluent.produce(broker.bootstrap, topic, 0, records) == list(range(50))
        assert [record for _, record in confluent.consume(broker.bootstrap, topic, 0)] == records
        confluent.delete_topic(broker.bootstrap, topic)
        confluent.create_topic(broker.bootstrap, topic, partitions=2)
        assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 0)
