"""Equal keys go to the same partition, whoever produces them: what docs/consuming.md says of partitioners."""

import asyncio
import contextlib
import os

from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from harness import confluent, verifiable
from harness.records import unique_topic
from harness.waiting import wait_until

PARTITIONS = 7
KEYS = [str(number) for number in range(50)]


def by_java(tools_dir, directory, broker, topic):
    log_path = os.path.join(directory, "producer.log")
    producer = verifiable.Producer(tools_dir, log_path, broker, topic, per_second=-1, keys=len(KEYS))
    with contextlib.closing(producer):
        wait_until(lambda: len(places_of(producer)) == len(KEYS), "a record of each key", timeout_s=60)
    return places_of(producer)


def places_of(producer):
    return {key: partition for (partition, _), (key, _) in producer.acknowledged().items()}


def by_confluent(broker, topic, **config):
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap, **confluent.QUIET, **config})
    found = {}
    for key in KEYS:
        producer.produce(topic, b"", key, on_delivery=lambda error, message: found.setdefault(
            message.key().decode(), message.partition()))
    assert producer.flush(confluent.TIMEOUT_S) == 0
    return found


def by_kafka_python(broker, topic):
    with contextlib.closing(KafkaProducer(bootstrap_servers=broker.bootstrap)) as producer:
        sent = {key: producer.send(topic, b"", key.encode()) for key in KEYS}
        return {key: future.get(confluent.TIMEOUT_S).partition for key, future in sent.items()}


async def by_aiokafka(broker, topic):
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        return {key: (await producer.send_and_wait(topic, b"", key.encode())).partition for key in KEYS}


def test_equal_keys_go_to_one_partition(broker, tools_dir, directory):
    topic = unique_topic("keys")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    places = by_java(tools_dir, directory, broker, topic)
    assert set(places.values()) == set(range(PARTITIONS))
    assert by_confluent(broker, topic, partitioner="murmur2_random") == places
    assert by_kafka_python(broker, topic) == places
    assert asyncio.run(by_aiokafka(broker, topic)) == places
    assert by_confluent(broker, topic) != places, "librdkafka's own way is another one"
