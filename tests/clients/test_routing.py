"""Clients go straight to the shard that owns a partition; who does not is served all the same."""

import subprocess

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from harness import confluent, kcat
from harness.records import sample_records, unique_topic
from harness.wire import messages
from harness.wire.batch import Batch, decode_values
from harness.wire.connection import Connection

PARTITIONS = 8
JSON_LOG = ["log.format=json"]


def forwarded_requests(broker):
    """Stops the broker and returns how many requests its shards sent on to other shards."""
    assert broker.terminate() == 0, broker.log()
    stopped = broker.events("shard stopped")
    assert len(stopped) == broker.shards, f"not one 'shard stopped' event per shard: {stopped}\n{broker.log()}"
    return sum(event["forwarded_requests"] for event in stopped)


def use_confluent(bootstrap, topic):
    records = sample_records(50)
    for partition in range(PARTITIONS):
        confluent.produce(bootstrap, topic, partition, records, **{"enable.idempotence": True})
        assert len(confluent.consume(bootstrap, topic, partition)) == len(records)
        confluent.offset_for_time(bootstrap, topic, partition, 0)


def use_java(java, bootstrap, topic):
    for partition in range(PARTITIONS):
        java.produce(bootstrap, topic, partition, sample_records(50))
        assert len(java.consume(bootstrap, topic, partition)) == 50


def use_kcat(bootstrap, topic):
    lines = [b"line"] * 20
    for partition in range(PARTITIONS):
        kcat.produce(bootstrap, topic, lines, partition=partition)
    # kcat without a partition reads all of them, each from its leader, and stops at the end of the last.
    read = subprocess.run(
        ["kcat", "-b", bootstrap, "-C", "-q", "-e", "-t", topic, "-o", "beginning"],
        capture_output=True, timeout=60, check=True)
    assert len(read.stdout.splitlines()) == len(lines) * PARTITIONS


def use_kafka_python(bootstrap, topic):
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for partition in range(PARTITIONS):
        producer.send(topic, b"value", partition=partition).get(timeout=20)
    producer.close()
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    assert len([record for _, record in zip(range(PARTITIONS), consumer)]) == PARTITIONS
    consumer.close()


def check_no_hops(launch, use):
    broker = launch(settings=JSON_LOG)
    topic = unique_topic("routing")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    use(broker.bootstrap, topic)
    assert forwarded_requests(broker) == 0


def test_confluent_needs_no_hops(launch):
    check_no_hops(launch, use_confluent)


def test_java_needs_no_hops(launch, java):
    check_no_hops(launch, lambda bootstrap, topic: use_java(java, bootstrap, topic))


def test_kcat_needs_no_hops(launch):
    check_no_hops(launch, use_kcat)


def test_kafka_python_needs_no_hops(launch):
    check_no_hops(launch, use_kafka_python)


def test_the_wrong_shard_serves_too(launch):
    """Every shard's port, and the bootstrap port, takes produce and fetch for every partition."""
    broker = launch(settings=JSON_LOG)
    topic = unique_topic("routing")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    with Connection(broker.bootstrap) as connection:
        found = messages.metadata(connection, topic)
    assert len(found.brokers) == broker.shards
    assert set(found.leaders.values()) == set(found.brokers), "no partition on some shard: nothing would be proved"

    hops_wanted = 0
    expected = {partition: [] for partition in range(PARTITIONS)}
    for node, address in found.brokers.items():
        with Connection(address) as connection:
            for partition, leader in found.leaders.items():
                value = b"%d via %d" % (partition, node)
                result = messages.produce(connection, topic, partition, Batch([value]).encode())
                expected[partition].append((len(expected[partition]), value))
                assert result == (messages.NONE, expected[partition][-1][0])
                error, high_watermark, data = messages.fetch(connection, topic, partition, 0)
                assert (error, high_watermark) == (messages.NONE, len(expected[partition]))
                assert decode_values(data) == expected[partition]
                hops_wanted += 2 if leader != node else 0
    assert forwarded_requests(broker) >= hops_wanted


def test_pipelined_requests_to_several_shards_are_answered_in_order(launch):
    """One connection, requests that different shards serve: the responses keep the requests' order."""
    broker = launch()
    topic = unique_topic("routing")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    with Connection(broker.bootstrap) as connection:
        sent = []
        for i in range(200):
            body = messages.produce_body(topic, i % PARTITIONS, Batch([b"%d" % i]).encode())
            sent.append(connection.send(messages.PRODUCE, messages.PRODUCE_VERSION, body))
        for i, correlation_id in enumerate(sent):
            received, reader = connection.receive()
            assert received == correlation_id
            assert messages.read_produce(reader) == (messages.NONE, i // PARTITIONS)
