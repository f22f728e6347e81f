"""Thousands of connections, and clients that ask for everything at once: memory stays within --memory, others are
served, and nothing is left of those who have gone."""

import contextlib
import os
import struct
import time

import pytest

from harness import confluent
from harness.descriptors import allow_descriptors
from harness.records import sample_records, unique_topic
from harness.waiting import wait_until
from harness.wire import messages
from harness.wire.batch import Batch
from harness.wire.codec import Writer
from harness.wire.connection import Closed, Connection

IDLE_CONNECTIONS = 10_000
# CONNECTION_BYTES in src/base/limits.rs: what max.connections reckons with.
CONNECTION_BYTES = 20 << 10
SOCKET_BUFFER_BYTES = 16 << 10
# How long others may have to wait while the crowd is there. The machine may be slow; for ever it is not.
PATIENCE_S = 60.0
DESCRIBE_CONFIGS, RESOURCE_TOPIC = 32, 2
TCP_STATE_ESTABLISHED, TCP_TIMER_KEEPALIVE = "01", "02"


@pytest.fixture
def broker(launch):
    """A fresh broker, so that its peak memory is this test's."""
    return launch()


@pytest.fixture
def topic(broker):
    return new_topic(broker)


def new_topic(broker, partitions=1):
    name = unique_topic("crowd")
    confluent.create_topic(broker.bootstrap, name, partitions=partitions)
    return name


@contextlib.contextmanager
def crowd(address, count):
    """Connections of which nobody reads."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(Connection(address, receive_buffer_bytes=SOCKET_BUFFER_BYTES)) for _ in range(count)
        ]


@contextlib.contextmanager
def nothing_left(broker):
    """Checks that the broker gives back the descriptors of those who come in the block."""
    before = descriptors(broker)
    yield
    # Files of segments that were opened meanwhile stay open.
    wait_until(lambda: descriptors(broker) < before + 50, "the descriptors of those who have gone")


def descriptors(broker):
    return len(os.listdir(f"/proc/{broker.pid}/fd"))


def send_all(connection, api_key, api_version, body, times=1):
    """Sends requests until the broker stops reading or closes."""
    connection.socket.settimeout(0.2)
    with contextlib.suppress(TimeoutError, Closed):
        for _ in range(times):
            connection.send(api_key, api_version, body)


def check_others_are_served(broker):
    began = time.monotonic()
    name = new_topic(broker, partitions=broker.shards)
    records = sample_records(100)
    for partition in range(broker.shards):
        confluent.produce(broker.bootstrap, name, partition, records)
        assert confluent.consume(broker.bootstrap, name, partition) == list(enumerate(records))
    assert time.monotonic() - began < PATIENCE_S


def check_memory(broker):
    broker.check_alive()
    peak = broker.peak_memory_bytes()
    assert peak < broker.memory_bytes, f"{peak >> 20} MiB with --memory {broker.memory_bytes >> 20}MiB"


def test_an_idle_connection_takes_no_more_memory_than_is_said(launch):
    allow_descriptors(IDLE_CONNECTIONS + 1000)
    broker = launch(memory_bytes=3200 << 20, settings=["max.connections=7500"])
    with nothing_left(broker), contextlib.ExitStack() as stack:
        # The first half uses up what the process had allocated and not used.
        half = IDLE_CONNECTIONS // 2
        idle_connections(broker, stack, half)
        before = broker.resident_memory_bytes()
        idle_connections(broker, stack, half)
        each = (broker.resident_memory_bytes() - before) // half
        print(f"memory per idle connection: {each} bytes")
        assert each <= CONNECTION_BYTES
        check_others_are_served(broker)
    check_memory(broker)


def idle_connections(broker, stack, count):
    """So many more connections that have sent a request and got its response."""
    for _ in range(count):
        connection = stack.enter_context(Connection(broker.bootstrap))
        assert messages.api_versions(connection)[0] == messages.NONE


def test_connections_beyond_the_limit_are_closed_and_leave_nothing(launch):
    broker = launch(settings=["max.connections=100"])
    with nothing_left(broker):
        for _ in range(5):
            with crowd(broker.bootstrap, 400):
                # Both shards listen, each for a hundred.
                wait_until(lambda: descriptors(broker) > 200, "a full house")
        wait_until(lambda: is_served(broker), "a place after all have left")
    check_others_are_served(broker)
    check_memory(broker)


def is_served(broker):
    with Connection(broker.bootstrap) as connection, contextlib.suppress(Closed):
        return messages.api_versions(connection)[0] == messages.NONE
    return False


def test_requests_that_drip(broker, topic):
    """Each announces a megabyte, for which others wait, and then sends a byte now and then."""
    frame = struct.pack(">ihhi", 1 << 20, messages.PRODUCE, messages.PRODUCE_VERSION, 1)
    with nothing_left(broker), crowd(broker.bootstrap, 300) as dripping:
        for connection in dripping:
            connection.send_raw(frame)
        for _ in range(10):
            for connection in dripping:
                with contextlib.suppress(Closed):
                    connection.send_raw(b"\0")
        check_others_are_served(broker)
    check_memory(broker)


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_fetches_of_everything(broker, topic, is_known):
    """Two hundred thousand partitions each, with all the bytes that there are, and a minute to wait for them."""
    confluent.produce(broker.bootstrap, topic, 0, sample_records(10))
    count = 200_000
    body = Writer().int32(-1).int32(60_000).int32(1 << 30).int32(2**31 - 1).int8(0).int32(0).int32(-1)
    body.int32(1).string(topic if is_known else "no-such-topic").int32(count)
    body.raw(struct.pack(">iiqqi", 0, -1, 0, -1, 2**31 - 1) * count).int32(0).string("")
    check_gluttony(broker, 30, messages.FETCH, messages.FETCH_VERSION, bytes(body.data))


def test_metadata_of_everything(broker):
    for _ in range(4):
        new_topic(broker, partitions=1000)
    everything = bytes(Writer().int32(-1).int8(0).data)
    check_gluttony(broker, 400, messages.METADATA, messages.METADATA_VERSION, everything, times=2)


def test_configs_of_everything(broker, topic):
    body = Writer().array([topic] * 3000, lambda w, name: w.int8(RESOURCE_TOPIC).string(name).int32(-1))
    check_gluttony(broker, 40, DESCRIBE_CONFIGS, 1, bytes(body.int8(1).data), times=2)


def check_gluttony(broker, connections, api_key, api_version, body, times=1):
    with nothing_left(broker), crowd(broker.bootstrap, connections) as gluttons:
        for connection in gluttons:
            send_all(connection, api_key, api_version, body, times)
        check_others_are_served(broker)
        check_memory(broker)
    check_others_are_served(broker)
    check_memory(broker)


def test_a_flood_of_tiny_batches(broker, topic):
    body = messages.produce_body(topic, 0, Batch([b"x"]).encode(), acks=1)
    with nothing_left(broker), crowd(broker.bootstrap, 20) as flood:
        for connection in flood:
            send_all(connection, messages.PRODUCE, messages.PRODUCE_VERSION, body, times=1000)
        check_others_are_served(broker)
        # Whoever reads after all gets the answers of what was taken.
        for connection in flood:
            connection.socket.settimeout(PATIENCE_S)
            _, reader = connection.receive()
            assert messages.read_produce(reader)[0] == messages.NONE
    check_memory(broker)


def test_a_client_that_vanishes_without_a_word_is_asked_for(broker):
    """Nothing arrives of a client whose machine lost its power: only the kernel's probes find out."""
    with Connection(broker.bootstrap) as connection:
        assert messages.api_versions(connection)[0] == messages.NONE
        local, remote = (f":{name[1]:04X}" for name in (connection.socket.getpeername(), connection.socket.getsockname()))
        with open("/proc/net/tcp", encoding="ascii") as sockets:
            rows = [line.split() for line in sockets]
        ours = [row for row in rows if row[1].endswith(local) and row[2].endswith(remote)]
        assert [(row[3], row[5].split(":")[0]) for row in ours] == [(TCP_STATE_ESTABLISHED, TCP_TIMER_KEEPALIVE)]
