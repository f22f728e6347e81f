"""confluent-kafka (librdkafka), by assignment; members of groups are in harness/groups.py."""

import contextlib
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness.records import Record
from harness.waiting import wait_until

TIMEOUT_S = 30.0
# librdkafka logs every refused connection of a client that outlives its broker; errors reach the tests anyway.
QUIET = {"log_level": 2}
# What clients repeat on their own: the leader is moving, the connection was lost, or a node does not know a new topic yet.
RETRIABLE = (
    KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC,
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)


def produce(bootstrap, topic, partition, records, **config):
    """Sends the records and returns, for each, its offset; raises the first delivery error."""
    results = try_produce(bootstrap, topic, partition, records, **config)
    for result in results:
        if isinstance(result, KafkaException):
            raise result
    return results


def try_produce(bootstrap, topic, partition, records, **config):
    """Sends the records and returns, for each, its offset or a KafkaException."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, **QUIET, **config})
    results = [None] * len(records)

    def delivered(index, error, message):
        results[index] = KafkaException(error) if error else message.offset()

    for i, record in enumerate(records):
        producer.produce(
            topic, record.value, record.key, partition, headers=list(record.headers),
            timestamp=record.timestamp_ms, on_delivery=lambda error, message, i=i: delivered(i, error, message))
        producer.poll(0)
    left = producer.flush(TIMEOUT_S)
    assert left == 0, f"{left} of {len(records)} records neither delivered nor failed in {TIMEOUT_S} s"
    return results


@contextlib.contextmanager
def open_consumer(bootstrap, **config):
    """A consumer for assign(): the group id is demanded by the library and never used."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
        "enable.partition.eof": False, "auto.offset.reset": "error", "check.crcs": True, **QUIET, **config})
    try:
        yield consumer
    finally:
        consumer.close()


def consume(bootstrap, topic, partition, offset=OFFSET_BEGINNING, **config):
    """(offset, Record) of everything from `offset` to the end as it is now."""
    with open_consumer(bootstrap, **config) as consumer:
        _, end = query_watermarks(consumer, topic, partition)
        return [(m.offset(), to_record(m)) for m in read_to(consumer, topic, partition, offset, end)]


def read_to(consumer, topic, partition, offset, end):
    """Messages of a partition from `offset` up to, but without, `end`."""
    if offset >= end or end == 0:
        return []
    consumer.assign([TopicPartition(topic, partition, offset)])
    found = []
    deadline = time.monotonic() + TIMEOUT_S
    while not found or found[-1].offset() < end - 1:
        assert time.monotonic() < deadline, f"stuck at {found[-1].offset() if found else offset} of {end}"
        for message in consumer.consume(10_000, timeout=0.2):
            if message.error():
                if message.error().code() in RETRIABLE:
                    continue
                raise KafkaException(message.error())
            found.append(message)
    return found


def to_record(message):
    headers = tuple(message.headers() or ())
    return Record(message.key(), message.value(), headers, message.timestamp()[1])


def watermarks(bootstrap, topic, partition):
    """(low, high) offsets, asked of the broker."""
    with open_consumer(bootstrap) as consumer:
        return query_watermarks(consumer, topic, partition)


def query_watermarks(consumer, topic, partition):
    """(low, high) offsets. This call of librdkafka does not repeat itself after a retriable error, so we do."""

    def query():
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)
        except KafkaException as failure:
            if failure.args[0].code() in RETRIABLE:
                return None
            raise

    return wait_until(query, f"the leader of {topic}, partition {partition}", TIMEOUT_S)


def committed(bootstrap, group, topic, partitions):
    """What a group has committed of some partitions; -1001 where that is nothing."""
    with open_consumer(bootstrap, **{"group.id": group}) as consumer:
        found = consumer.committed([TopicPartition(topic, partition) for partition in partitions], TIMEOUT_S)
        return [partition.offset for partition in found]


def offset_for_time(bootstrap, topic, partition, time_ms):
    with open_consumer(bootstrap) as consumer:
        [found] = consumer.offsets_for_times([TopicPartition(topic, partition, time_ms)], TIMEOUT_S)
        return found.offset


def admin(bootstrap):
    """The caller must hold the client until its futures are done: they die with it."""
    return AdminClient({"bootstrap.servers": bootstrap, **QUIET})


def create_topic(bootstrap, topic, partitions=1, replication_factor=-1, **config):
    """Creates a topic and waits until the leader of each of its partitions answers."""
    client = admin(bootstrap)
    new = NewTopic(topic, partitions, replication_factor, config=config)
    client.create_topics([new], request_timeout=TIMEOUT_S)[topic].result(TIMEOUT_S)

    def has_leaders():
        found = client.list_topics(timeout=TIMEOUT_S).topics.get(topic)
        return found and len(found.partitions) == partitions and all(p.leader >= 0 for p in found.partitions.values())

    wait_until(has_leaders, f"leaders of {topic}")
    # Metadata may be ahead of the shards. Clients retry then; raw connections do not, so wait for the leaders too.
    with open_consumer(bootstrap) as consumer:
        for partition in range(partitions):
            query_watermarks(consumer, topic, partition)


def create_error(bootstrap, new_topic):
    """The error code with which the broker refuses a NewTopic; fails if it does not."""
    client = admin(bootstrap)
    [future] = client.create_topics([new_topic], request_timeout=TIMEOUT_S).values()
    try:
        future.result(TIMEOUT_S)
    except KafkaException as refused:
        return refused.args[0].code()
    raise AssertionError(f"{new_topic} was created")


def delete_topic(bootstrap, topic):
    """Deletes a topic and waits until metadata no longer lists it."""
    client = admin(bootstrap)
    client.delete_topics([topic], request_timeout=TIMEOUT_S)[topic].result(TIMEOUT_S)
    wait_until(lambda: topic not in client.list_topics(timeout=TIMEOUT_S).topics, f"{topic} to disappear")
