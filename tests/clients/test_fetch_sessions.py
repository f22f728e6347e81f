"""A consumer of a thousand partitions in fetch sessions (KIP-227): kafka-python, which keeps them as Java does."""

import time

from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition

from harness import confluent
from harness.records import unique_topic

PARTITIONS = 1_000
TIMEOUT_S = 60.0


def produce_to(broker, topic, partitions, value):
    """One record to each of the partitions."""
    failed = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    for partition in partitions:
        producer.produce(
            topic, value, partition=partition,
            on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.poll(0)
    assert producer.flush(TIMEOUT_S) == 0 and not failed


def poll_until(consumer, count):
    """As many records, by partition and offset."""
    found = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
        for records in consumer.poll(timeout_ms=500).values():
            found += [(record.partition, record.offset, record.value) for record in records]
    return sorted(found)


def epochs(consumer):
    """The epoch of each session, which its requests count."""
    return {handler.next_metadata.session_id: handler.next_metadata.epoch
            for handler in consumer._fetcher._session_handlers.values()}


def test_a_thousand_partitions_are_named_once(broker):
    topic = unique_topic("sessions")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    produce_to(broker, topic, range(PARTITIONS), b"first")
    consumer = KafkaConsumer(
        bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", request_timeout_ms=60_000)
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    assert poll_until(consumer, PARTITIONS) == [(partition, 0, b"first") for partition in range(PARTITIONS)]
    before = epochs(consumer)
    assert len(before) == broker.shards and 0 not in before, f"a session with each shard: {before}"

    for round_ in range(1, 4):
        some = range(round_, PARTITIONS, 97)
        produce_to(broker, topic, some, b"more")
        assert [record[0] for record in poll_until(consumer, len(some))] == list(some)
    consumer.pause(*[TopicPartition(topic, partition) for partition in range(PARTITIONS // 2)])
    produce_to(broker, topic, [0, PARTITIONS - 1], b"one paused, one not")
    assert [record[0] for record in poll_until(consumer, 1)] == [PARTITIONS - 1]
    consumer.resume(*[TopicPartition(topic, partition) for partition in range(PARTITIONS // 2)])
    assert [record[0] for record in poll_until(consumer, 1)] == [0]

    after = epochs(consumer)
    assert after.keys() == before.keys(), "the same sessions"
    assert all(after[session] > epoch for session, epoch in before.items()), (before, after)
    consumer.close()
