"""Clients that never read, or send without end: memory stays within --memory and others are served."""

import contextlib
import struct

import pytest

from harness import confluent
from harness.broker import MEMORY_BYTES
from harness.records import Record, sample_records, unique_topic
from harness.wire import messages
from harness.wire.batch import Batch
from harness.wire.connection import Closed, Connection

CONNECTIONS = 40
SOCKET_BUFFER_BYTES = 16 << 10


@pytest.fixture
def broker(launch):
    """A fresh broker, so that its peak memory is this test's."""
    return launch()


@pytest.fixture
def topic(broker):
    name = unique_topic("overload")
    confluent.create_topic(broker.bootstrap, name)
    return name


@contextlib.contextmanager
def connections(address):
    """Many connections that the test holds open without reading."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(Connection(address, receive_buffer_bytes=SOCKET_BUFFER_BYTES))
            for _ in range(CONNECTIONS)
        ]


def leader_address(broker, topic):
    with Connection(broker.bootstrap) as connection:
        found = messages.metadata(connection, topic)
    return found.brokers[found.leaders[0]]


def check_others_are_served(broker):
    name = unique_topic("others")
    confluent.create_topic(broker.bootstrap, name, partitions=broker.shards)
    records = sample_records(100)
    for partition in range(broker.shards):
        confluent.produce(broker.bootstrap, name, partition, records)
        assert confluent.consume(broker.bootstrap, name, partition) == list(enumerate(records))


def check_memory(broker):
    broker.check_alive()
    peak = broker.peak_memory_bytes()
    assert peak < MEMORY_BYTES, f"{peak >> 20} MiB resident with --memory {MEMORY_BYTES >> 20}MiB"


def send_what_fits(connection, data):
    """Sends until the broker stops reading; returns False from then on."""
    connection.socket.settimeout(0.2)
    try:
        connection.send_raw(data)
    except (TimeoutError, Closed):
        return False
    return True


def test_fetchers_that_never_read(broker, topic):
    large = [Record(None, bytes([i]) * 250_000) for i in range(200)]
    confluent.produce(broker.bootstrap, topic, 0, large)
    body = messages.fetch_body(topic, 0, 0, max_bytes=50 << 20)
    with connections(leader_address(broker, topic)) as greedy:
        for connection in greedy:
            for _ in range(100):
                connection.socket.settimeout(0.2)
                try:
                    connection.send(messages.FETCH, messages.FETCH_VERSION, body)
                except (TimeoutError, Closed):
                    break
        check_others_are_served(broker)
        check_memory(broker)
    check_others_are_served(broker)
    check_memory(broker)


def test_requesters_that_never_read(broker, topic):
    """Small requests with larger answers, without end: the broker has to stop reading, not to queue answers."""
    request = struct.pack(">ihhih", 10, messages.API_VERSIONS, 0, 1, -1) * 10_000
    with connections(broker.bootstrap) as greedy:
        for connection in greedy:
            for _ in range(20):
                if not send_what_fits(connection, request):
                    break
        check_others_are_served(broker)
        check_memory(broker)
    check_others_are_served(broker)
    check_memory(broker)


def test_producers_that_never_read(broker, topic):
    batch = Batch([b"x" * 900_000]).encode()
    body = messages.produce_body(topic, 0, batch)
    with connections(leader_address(broker, topic)) as greedy:
        for connection in greedy:
            for _ in range(20):
                connection.socket.settimeout(0.2)
                try:
                    connection.send(messages.PRODUCE, messages.PRODUCE_VERSION, body)
                except (TimeoutError, Closed):
                    break
        check_others_are_served(broker)
        check_memory(broker)
    check_others_are_served(broker)
    check_memory(broker)


def test_large_frames_that_never_end(broker, topic):
    """Forty times 90 MiB announced, and as much of it sent as the broker takes: far beyond its memory."""
    piece = bytes(1 << 20)
    with connections(broker.bootstrap) as greedy:
        for connection in greedy:
            if send_what_fits(connection, struct.pack(">i", 90 << 20)):
                for _ in range(30):
                    if not send_what_fits(connection, piece):
                        break
        check_memory(broker)
    check_others_are_served(broker)
    check_memory(broker)


def test_many_idle_connections(broker, topic):
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(Connection(broker.bootstrap))
        check_others_are_served(broker)
        check_memory(broker)
