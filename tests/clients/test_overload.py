"""Clients that never read, or send without end: memory stays within --memory and others are served."""

import contextlib
import selectors
import struct

import pytest

from harness import confluent
from harness.broker import MEMORY_BYTES
from harness.records import Record, sample_records, unique_topic
from harness.wire import messages
from harness.wire.batch import Batch
from harness.wire.codec import Reader, Writer
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


class Flood:
    """Producers that each keep so many of the same request outstanding, all at once."""

    def __init__(self, connections, body, depth):
        header = Writer().int16(messages.PRODUCE).int16(messages.PRODUCE_VERSION).int32(1).string("flood")
        request = bytes(header.data) + body
        self.frame = memoryview(struct.pack(">i", len(request)) + request)
        self.depth = depth
        self.selector = selectors.DefaultSelector()
        # Of each connection: what of a request is to be sent, what was received, requests begun and answered.
        self.states = []
        for connection in connections:
            state = {"unsent": memoryview(b""), "received": bytearray(), "begun": 0, "answered": 0}
            connection.socket.setblocking(False)
            self.selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, state)
            self.states.append(state)

    def answered(self):
        return [state["answered"] for state in self.states]

    def run(self, total):
        """Until so many are answered in all; then until all that were begun are."""
        for key in list(self.selector.get_map().values()):
            self.selector.modify(key.fileobj, selectors.EVENT_READ | selectors.EVENT_WRITE, key.data)
        while sum(self.answered()) < total:
            self._turn(begin_more=True)
        at_the_end = self.answered()
        while any(state["answered"] < state["begun"] for state in self.states):
            self._turn(begin_more=False)
        return at_the_end

    def _turn(self, begin_more):
        for key, events in self.selector.select(timeout=60):
            state = key.data
            if events & selectors.EVENT_READ:
                self._receive(key.fileobj, state)
            outstanding = state["begun"] - state["answered"]
            if not state["unsent"] and begin_more and outstanding < self.depth:
                state["unsent"], state["begun"] = self.frame, state["begun"] + 1
            if state["unsent"] and events & selectors.EVENT_WRITE:
                with contextlib.suppress(BlockingIOError):
                    state["unsent"] = state["unsent"][key.fileobj.send(state["unsent"]):]
            may_send = state["unsent"] or (begin_more and state["begun"] - state["answered"] < self.depth)
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if may_send else 0)
            if wanted != key.events:
                self.selector.modify(key.fileobj, wanted, state)

    @staticmethod
    def _receive(sock, state):
        with contextlib.suppress(BlockingIOError):
            piece = sock.recv(1 << 16)
            assert piece, "the broker closed the connection"
            state["received"] += piece
        received = state["received"]
        while len(received) >= 4 and len(received) >= 4 + struct.unpack_from(">i", received)[0]:
            (length,) = struct.unpack_from(">i", received)
            reader = Reader(bytes(received[4:4 + length]))
            reader.int32()
            assert messages.read_produce(reader)[0] == messages.NONE
            del received[:4 + length]
            state["answered"] += 1


@pytest.mark.parametrize("value_bytes, total", [(900_000, 900), (1_000, 40_000)])
def test_producers_beyond_capacity_get_equal_shares(broker, topic, value_bytes, total):
    """More than the broker takes, from many at once: all of it is stored, nobody gets much less than others, memory stays
    within bounds, and who asks for other things is answered meanwhile."""
    body = messages.produce_body(topic, 0, Batch([b"x" * value_bytes]).encode())
    address = leader_address(broker, topic)
    with connections(address) as producers, Connection(address) as other:
        flood = Flood(producers, body, depth=8)
        flood.run(total // 3)
        began = flood.answered()
        shares = [now - then for now, then in zip(flood.run(total), began)]
        assert messages.metadata(other, topic).leaders[0] is not None
        assert min(shares) * 3 >= max(shares), shares
        answered = sum(flood.answered())
    with Connection(address) as reader:
        _, high_watermark, _ = messages.fetch(reader, topic, 0, answered - 1)
        assert high_watermark == answered
    check_memory(broker)
    check_others_are_served(broker)


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
