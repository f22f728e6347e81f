"""Bytes that no client should send, and clients that behave badly: an error code or a closed connection, no more."""

import contextlib
import os
import random
import socket
import struct
import time

import pytest

from harness import confluent
from harness.records import sample_records, unique_topic
from harness.waiting import wait_until
from harness.wire import messages
from harness.wire.batch import ATTRIBUTE_CONTROL, Batch, decode_values
from harness.wire.codec import Writer
from harness.wire.connection import Closed, Connection

SEED = 20_240_601


@pytest.fixture
def topic(broker):
    name = unique_topic("hostile")
    confluent.create_topic(broker.bootstrap, name)
    return name


@pytest.fixture(autouse=True)
def still_serving(broker):
    """Whatever a test does to the broker, others are served afterwards."""
    yield
    broker.check_alive()
    name = unique_topic("after")
    confluent.create_topic(broker.bootstrap, name)
    records = sample_records(10)
    confluent.produce(broker.bootstrap, name, 0, records)
    assert confluent.consume(broker.bootstrap, name, 0) == list(enumerate(records))


def request_header(api_key, api_version, client_id=b"\0\0"):
    return struct.pack(">hhi", api_key, api_version, 1) + client_id


# What kafka-protocol 0.18 panics or aborts on, and other lengths that promise more than the frame holds.
HUGE_COUNTS = {
    "metadata-v9-compact-array": request_header(3, 9) + b"\0" + b"\xff\xff\xff\xff\x0f" + b"\0",
    "metadata-v1-array": request_header(3, 1) + struct.pack(">i", 0x7FFFFFFF) + b"\0\0",
    "metadata-v9-tag-count": request_header(3, 9) + b"\xff\xff\xff\xff\x0f",
    "produce-topics": request_header(0, 7) + struct.pack(">hhii", -1, -1, 1000, 0x7FFFFFFF),
    "produce-records": request_header(0, 7)
    + struct.pack(">hhii", -1, -1, 1000, 1) + b"\0\1t" + struct.pack(">iii", 1, 0, 0x7FFFFFFF),
    "fetch-topics": request_header(1, 11) + struct.pack(">iiiibiii", -1, 500, 1, 1 << 20, 0, 0, -1, 0x7FFFFFFF),
    "create-topics": request_header(19, 4) + struct.pack(">i", 0x7FFFFFFF),
    "client-id-length": request_header(18, 0, b"\x7f\xff"),
    "varint-without-end": request_header(18, 3) + b"\0" + b"\xff" * 40,
}

# Only -1 is null; Kafka reads other negative lengths as null too. Either way is fair, silence is not.
NEGATIVE_LENGTHS = {
    "metadata-v1-array": request_header(3, 1) + struct.pack(">i", -2),
    "client-id": request_header(18, 0, b"\x80\x00"),
}

SHORT_FRAMES = {
    "empty": b"",
    "one-byte": b"\0",
    "three-bytes": b"\0\x12\0",
    "no-correlation-id": b"\0\x12\0\0",
    "no-client-id": b"\0\3\0\1\0\0\0\1",
}


@pytest.mark.parametrize("frame", HUGE_COUNTS.values(), ids=HUGE_COUNTS.keys())
def test_lengths_beyond_the_frame_close_the_connection(broker, frame):
    before = broker.resident_memory_bytes()
    with Connection(broker.bootstrap) as connection:
        connection.send_frame(frame)
        assert connection.is_closed_by_peer()
    assert broker.resident_memory_bytes() < before + (64 << 20), "memory was taken for bytes that never came"


@pytest.mark.parametrize("frame", NEGATIVE_LENGTHS.values(), ids=NEGATIVE_LENGTHS.keys())
def test_negative_lengths_are_answered_or_close_the_connection(broker, frame):
    with Connection(broker.bootstrap) as connection, contextlib.suppress(Closed):
        connection.send_frame(frame)
        connection.receive()


@pytest.mark.parametrize("frame", SHORT_FRAMES.values(), ids=SHORT_FRAMES.keys())
def test_frames_too_short_for_a_header_close_the_connection(broker, frame):
    with Connection(broker.bootstrap) as connection:
        connection.send_frame(frame)
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("length", [-1, -(2**31), 2**31 - 1, 200 << 20], ids=["-1", "min", "max", "200MiB"])
def test_frame_lengths_out_of_bounds_close_the_connection(broker, length):
    with Connection(broker.bootstrap) as connection:
        connection.send_raw(struct.pack(">i", length))
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("api_key", [-1, 4, 999, 32767])
def test_an_unknown_api_key_closes_the_connection(broker, api_key):
    with Connection(broker.bootstrap) as connection:
        connection.send_frame(request_header(api_key, 0))
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("api_key, version", [(0, 99), (1, 3), (3, 99), (1, -1), (19, 0)])
def test_an_unsupported_version_closes_the_connection(broker, api_key, version):
    with Connection(broker.bootstrap) as connection:
        connection.send_frame(request_header(api_key, version) + bytes(100))
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("version", [5, 99, 32767])
def test_api_versions_above_the_highest_gets_a_v0_answer(broker, version):
    with Connection(broker.bootstrap) as connection:
        reader = connection.request(messages.API_VERSIONS, version, b"\0\2x\2y\0")
        error, versions = messages.read_api_versions(reader)
        assert error == messages.UNSUPPORTED_VERSION
        assert versions[messages.API_VERSIONS][0] == 0
        # The connection lives on: the client asks again with what it was told.
        error, versions = messages.api_versions(connection)
        assert error == messages.NONE
        assert versions[messages.PRODUCE][0] == 0, "older librdkafka turns compression off without Produce v0"


def test_random_bytes(broker):
    randomness = random.Random(SEED)
    for _ in range(200):
        with Connection(broker.bootstrap) as connection, contextlib.suppress(Closed):
            connection.send_raw(randomness.randbytes(randomness.randrange(1, 2000)))


def test_random_bodies_under_valid_headers(broker):
    randomness = random.Random(SEED + 1)
    with Connection(broker.bootstrap) as connection:
        _, versions = messages.api_versions(connection)
    for api_key, (lowest, highest) in versions.items():
        for version in range(lowest, highest + 1):
            for _ in range(5):
                with Connection(broker.bootstrap) as connection, contextlib.suppress(Closed):
                    body = randomness.randbytes(randomness.randrange(0, 200))
                    connection.send_frame(request_header(api_key, version) + body)


def test_every_truncation_of_a_produce_request(broker, topic):
    whole = request_header(0, 7) + messages.produce_body(topic, 0, Batch([b"value"]).encode())
    for length in range(len(whole)):
        with Connection(broker.bootstrap) as connection, contextlib.suppress(Closed):
            connection.send_frame(whole[:length])
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 0)


CORRUPT_BATCHES = {
    "bad-crc": (lambda: Batch([b"v"], crc=1).encode(), messages.CORRUPT_MESSAGE),
    "magic-1": (lambda: Batch([b"v"], magic=1).encode(), messages.INVALID_RECORD),
    "magic-9": (lambda: Batch([b"v"], magic=9).encode(), messages.CORRUPT_MESSAGE),
    "length-too-short": (lambda: Batch([b"v"], length=3).encode(), messages.CORRUPT_MESSAGE),
    "length-negative": (lambda: Batch([b"v"], length=-5).encode(), messages.CORRUPT_MESSAGE),
    "length-beyond-the-bytes": (lambda: Batch([b"v"], length=5000).encode(), messages.INVALID_RECORD),
    "cut-short": (lambda: Batch([b"v" * 100]).encode()[:-50], messages.INVALID_RECORD),
    "two-batches": (lambda: Batch([b"v"]).encode() + Batch([b"w"]).encode(), messages.INVALID_RECORD),
    "control-batch": (lambda: Batch([b"v"], attributes=ATTRIBUTE_CONTROL).encode(), messages.INVALID_RECORD),
    "wrong-last-offset-delta": (lambda: Batch([b"v"], last_offset_delta=5).encode(), messages.INVALID_RECORD),
    "no-records": (lambda: Batch([]).encode(), messages.INVALID_RECORD),
    "no-bytes": (lambda: b"", messages.INVALID_RECORD),
}


@pytest.mark.parametrize("make, code", CORRUPT_BATCHES.values(), ids=CORRUPT_BATCHES.keys())
def test_corrupt_batches_get_kafkas_error_code(broker, topic, make, code):
    with Connection(broker.bootstrap) as connection:
        error, base_offset = messages.produce(connection, topic, 0, make())
        assert (error, base_offset) == (code, -1)
        # The connection and the partition go on as if nothing had happened.
        assert messages.produce(connection, topic, 0, Batch([b"fine"]).encode()) == (messages.NONE, 0)
        error, high_watermark, data = messages.fetch(connection, topic, 0, 0)
        assert (error, high_watermark, decode_values(data)) == (messages.NONE, 1, [(0, b"fine")])


def test_null_records_are_refused(broker, topic):
    """Kafka 4.3 never answers this one: an error code of ours or a closed connection is better."""
    with Connection(broker.bootstrap) as connection, contextlib.suppress(Closed):
        assert messages.produce(connection, topic, 0, None)[0] != messages.NONE
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 0)


def test_a_batch_beyond_the_limit(broker, topic):
    with Connection(broker.bootstrap) as connection:
        error, _ = messages.produce(connection, topic, 0, Batch([b"x" * 1_100_000]).encode())
        assert error == messages.MESSAGE_TOO_LARGE


def test_unknown_topic_and_partition(broker, topic):
    with Connection(broker.bootstrap) as connection:
        batch = Batch([b"v"]).encode()
        assert messages.produce(connection, topic, 99, batch)[0] == messages.UNKNOWN_TOPIC_OR_PARTITION
        assert messages.produce(connection, topic, -1, batch)[0] == messages.UNKNOWN_TOPIC_OR_PARTITION
        assert messages.produce(connection, "no-such-topic", 0, batch)[0] == messages.UNKNOWN_TOPIC_OR_PARTITION
        assert messages.fetch(connection, topic, 99, 0)[0] == messages.UNKNOWN_TOPIC_OR_PARTITION
        assert messages.fetch(connection, topic, 0, 1)[0] == messages.OFFSET_OUT_OF_RANGE
        assert messages.fetch(connection, topic, 0, -7)[0] == messages.OFFSET_OUT_OF_RANGE


def test_idempotent_sequences(broker, topic):
    """Duplicates succeed with their original offset, gaps are refused (trap 13 of the protocol)."""

    def batch(sequence, producer_id):
        return Batch([b"%d" % sequence], producer_id=producer_id, producer_epoch=0, base_sequence=sequence).encode()

    with Connection(broker.bootstrap) as connection:
        producer_id = init_producer_id(connection, None)[1]
        for sequence in range(5):
            assert messages.produce(connection, topic, 0, batch(sequence, producer_id)) == (messages.NONE, sequence)
        for sequence in range(5):
            assert messages.produce(connection, topic, 0, batch(sequence, producer_id)) == (messages.NONE, sequence)
        error, _ = messages.produce(connection, topic, 0, batch(7, producer_id))
        assert error == messages.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert messages.produce(connection, topic, 0, batch(5, producer_id)) == (messages.NONE, 5)


def init_producer_id(connection, transactional_id):
    """(error, producer id) of InitProducerId v1."""
    body = Writer().string(transactional_id).int32(60_000)
    reader = connection.request(messages.INIT_PRODUCER_ID, 1, bytes(body.data))
    reader.int32()  # throttle
    return reader.int16(), reader.int64()


def test_a_transactional_id_is_refused(broker):
    with Connection(broker.bootstrap) as connection:
        error, producer_id = init_producer_id(connection, "transactions-come-later")
        assert error != messages.NONE
        assert producer_id == -1


def test_acks_0_gets_no_response(broker, topic):
    with Connection(broker.bootstrap) as connection:
        for i in range(10):
            body = messages.produce_body(topic, 0, Batch([b"%d" % i]).encode(), acks=0)
            connection.send(messages.PRODUCE, messages.PRODUCE_VERSION, body)
        # The next response on the wire is that of the next request, and the ten records are before it.
        assert messages.produce(connection, topic, 0, Batch([b"last"]).encode()) == (messages.NONE, 10)


def test_an_error_under_acks_0_closes_the_connection(broker, topic):
    with Connection(broker.bootstrap) as connection:
        body = messages.produce_body(topic, 0, Batch([b"v"], crc=1).encode(), acks=0)
        connection.send(messages.PRODUCE, messages.PRODUCE_VERSION, body)
        assert connection.is_closed_by_peer()


def test_pipelined_requests_are_answered_in_order(broker, topic):
    with Connection(broker.bootstrap) as connection:
        sent = []
        for i in range(300):
            batch = Batch([b"%d" % i]).encode()
            body = messages.produce_body(topic, 0, batch)
            sent.append(connection.send(messages.PRODUCE, messages.PRODUCE_VERSION, body))
            sent.append(connection.send(messages.API_VERSIONS, 0, b""))
        for i in range(300):
            correlation_id, reader = connection.receive()
            assert correlation_id == sent[2 * i]
            assert messages.read_produce(reader) == (messages.NONE, i)
            correlation_id, reader = connection.receive()
            assert correlation_id == sent[2 * i + 1]
            assert messages.read_api_versions(reader)[0] == messages.NONE


def test_a_request_in_single_bytes(broker):
    with Connection(broker.bootstrap) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        payload = request_header(messages.API_VERSIONS, 0)
        for byte in struct.pack(">i", len(payload)) + payload:
            connection.send_raw(bytes([byte]))
        correlation_id, reader = connection.receive()
        assert correlation_id == 1
        assert messages.read_api_versions(reader)[0] == messages.NONE


def test_clients_that_vanish_in_mid_frame(broker, topic):
    whole = messages.produce_body(topic, 0, Batch([b"x" * 100_000]).encode())
    frame = request_header(0, 7) + whole
    for cut in list(range(0, 60, 7)) + [1000, 50_000, len(frame) - 1]:
        for reset in (False, True):
            connection = Connection(broker.bootstrap)
            connection.send_raw((struct.pack(">i", len(frame)) + frame)[: 4 + cut])
            if reset:
                abort(connection)
            connection.close()
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 0)


def abort(connection):
    """Makes close() send RST instead of FIN."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_clients_that_vanish_while_parked(broker, topic):
    for reset in (False, True) * 25:
        connection = Connection(broker.bootstrap)
        body = messages.fetch_body(topic, 0, 0, max_wait_ms=300_000)
        connection.send(messages.FETCH, messages.FETCH_VERSION, body)
        if reset:
            abort(connection)
        connection.close()
    # Appends wake what is parked: nobody is there to be answered.
    confluent.produce(broker.bootstrap, topic, 0, sample_records(10))
    wait_until(lambda: open_sockets(broker) < 40, "the vanished clients' sockets to be closed")


def open_sockets(broker):
    """Sockets that the broker holds, listeners included."""
    links = []
    for fd in os.listdir(f"/proc/{broker.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/{broker.pid}/fd/{fd}"))
    return sum(link.startswith("socket:") for link in links)


def test_an_append_wakes_a_long_poll(broker, topic):
    with Connection(broker.bootstrap) as parked, Connection(broker.bootstrap) as producer:
        body = messages.fetch_body(topic, 0, 0, max_wait_ms=15_000)
        parked.send(messages.FETCH, messages.FETCH_VERSION, body)
        began = time.monotonic()
        assert messages.produce(producer, topic, 0, Batch([b"wake up"]).encode()) == (messages.NONE, 0)
        _, reader = parked.receive()
        error, _, data = messages.read_fetch(reader)
        assert (error, decode_values(data)) == (messages.NONE, [(0, b"wake up")])
        assert time.monotonic() - began < 5, "the fetch waited for its time-out instead of the append"


def test_a_long_poll_ends_at_its_time(broker, topic):
    with Connection(broker.bootstrap) as connection:
        began = time.monotonic()
        assert messages.fetch(connection, topic, 0, 0, max_wait_ms=1000) == (messages.NONE, 0, b"")
        assert 0.9 < time.monotonic() - began < 5
