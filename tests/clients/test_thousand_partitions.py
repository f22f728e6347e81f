"""One consumer of a thousand partitions: reading everything, and then waiting for what comes."""

import base64
import concurrent.futures
import contextlib
import random
import time

import pytest
from confluent_kafka import TopicPartition

from conftest import TEST_DATA
from harness import clients, confluent
from harness.records import Record, unique_topic

PARTITIONS, PER_PARTITION = 1000, 3
WAITING_S = 1.0
DEADLINE_S = 30


class Topic:
    """A topic of which every partition has the same number of records, whose values say where they are."""

    def __init__(self, broker):
        self.broker = broker
        self.name = unique_topic("thousand")
        self.per_partition = 0
        confluent.create_topic(broker.bootstrap, self.name, partitions=PARTITIONS)

    def append_to_all(self, count):
        ends = range(self.per_partition, self.per_partition + count)
        self.append([(partition, offset) for offset in ends for partition in range(PARTITIONS)])
        self.per_partition += count

    def append(self, places):
        by_partition = {}
        for partition, offset in places:
            by_partition.setdefault(partition, []).append(Record(None, b"%d:%d" % (partition, offset)))
        with contextlib.closing(Sender(self.broker.bootstrap, self.name)) as sender:
            for partition, records in by_partition.items():
                sender.send(partition, records)


class Sender:
    """One producer for all partitions."""

    def __init__(self, bootstrap, topic):
        self.topic = topic
        self.failures = []
        config = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 20, **confluent.QUIET}
        self.producer = confluent.Producer(config)

    def send(self, partition, records):
        for record in records:
            self.producer.produce(self.topic, record.value, partition=partition, on_delivery=self._delivered)
            self.producer.poll(0)

    def _delivered(self, error, _):
        if error:
            self.failures.append(error)

    def close(self):
        left = self.producer.flush(DEADLINE_S)
        assert (left, self.failures) == (0, []), f"{left} records not delivered; {self.failures[:3]}"


@pytest.fixture(scope="module")
def topic(broker):
    topic = Topic(broker)
    topic.append_to_all(PER_PARTITION)
    return topic


@pytest.fixture(params=["librdkafka", "java", "franz-go"])
def read(request, broker, topic, tools_dir):
    """read(offset, count): the first `count` records as (partition, offset, value), from `offset` in each partition."""
    if request.param == "librdkafka":
        yield lambda offset, count: read_librdkafka(broker, topic, offset, count)
        return
    with contextlib.ExitStack() as stack:
        if request.param == "java":
            driver = request.getfixturevalue("java")
        else:
            driver = stack.enter_context(clients.opened(request.param, tools_dir, TEST_DATA))
        options = {"topic": topic.name, "partitions": PARTITIONS}

        def read(offset, count):
            answer = driver.request("consume_all", broker.bootstrap, offset=offset, count=count, **options)
            return [(partition, at, base64.b64decode(value)) for partition, at, value in answer["rows"]]

        yield read


def read_librdkafka(broker, topic, offset, count):
    found = []
    with confluent.open_consumer(broker.bootstrap) as consumer:
        consumer.assign([TopicPartition(topic.name, partition, offset) for partition in range(PARTITIONS)])
        deadline = time.monotonic() + DEADLINE_S
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records"
            for message in consumer.consume(10_000, timeout=0.2):
                assert message.error() is None, message.error()
                found.append((message.partition(), message.offset(), message.value()))
    return found


def check_places(rows):
    """Every value is where it was sent, and each partition's records come in order and once."""
    last = {}
    for partition, offset, value in rows:
        assert value == b"%d:%d" % (partition, offset)
        assert offset > last.get(partition, -1), f"partition {partition}: {offset} after {last[partition]}"
        last[partition] = offset


def test_a_thousand_partitions_are_read(topic, read):
    rows = read(0, PARTITIONS * topic.per_partition)
    assert len(rows) == PARTITIONS * topic.per_partition
    check_places(rows)


def test_records_reach_a_consumer_that_waits_on_a_thousand_partitions(topic, read):
    """Most partitions stay silent: what comes must wake the fetch, and must not be lost among them."""
    end = topic.per_partition
    chosen = random.Random(end).sample(range(PARTITIONS), 50)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reading = pool.submit(read, end, len(chosen))
        # Not synchronisation: earlier or later, the result is the same. It lets the consumer come to wait first.
        time.sleep(WAITING_S)
        topic.append([(partition, end) for partition in chosen])
        rows = reading.result(2 * DEADLINE_S)
    assert sorted(partition for partition, *_ in rows) == sorted(chosen)
    check_places(rows)
    # The others follow, so that all partitions are alike again for whoever comes next.
    topic.append([(partition, end) for partition in range(PARTITIONS) if partition not in chosen])
    topic.per_partition += 1
