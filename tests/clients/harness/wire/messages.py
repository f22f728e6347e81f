"""The few requests that the raw tests send, in versions without flexible fields."""

import dataclasses

from harness.wire.codec import Writer

PRODUCE, FETCH, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 1, 3, 18, 22
PRODUCE_VERSION, FETCH_VERSION, METADATA_VERSION = 7, 11, 7

NONE, OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION = 0, 1, 2, 3
MESSAGE_TOO_LARGE, UNSUPPORTED_VERSION, OUT_OF_ORDER_SEQUENCE_NUMBER = 10, 35, 45
KAFKA_STORAGE_ERROR, INVALID_RECORD = 56, 87


@dataclasses.dataclass
class Metadata:
    """`brokers`: id to HOST:PORT. `leaders`: partition to broker id, -1 for none. `in_sync`: partition to broker ids."""

    brokers: dict
    leaders: dict
    in_sync: dict


def api_versions(connection):
    """(error, api key to (min, max)) from ApiVersions v0."""
    return read_api_versions(connection.request(API_VERSIONS, 0, b""))


def read_api_versions(reader):
    error = reader.int16()
    rows = reader.array(lambda r: (r.int16(), r.int16(), r.int16()))
    assert reader.at_end(), "bytes after an ApiVersions v0 body"
    return error, {key: (lowest, highest) for key, lowest, highest in rows}


def metadata(connection, topic, may_lack_leaders=False):
    """Brokers, and the leaders and in-sync replicas of the topic's partitions."""
    body = Writer().array([topic], lambda w, t: w.string(t)).int8(1)
    reader = connection.request(METADATA, METADATA_VERSION, bytes(body.data))
    reader.int32()  # throttle
    brokers = {}
    for node, host, port, _ in reader.array(lambda r: (r.int32(), r.string(), r.int32(), r.string())):
        brokers[node] = f"{host}:{port}"
    reader.string()  # cluster id
    reader.int32()  # controller
    leaders, in_sync = {}, {}
    for _ in range(reader.int32()):
        error, name = reader.int16(), reader.string()
        reader.int8()  # internal
        assert name == topic and (error == NONE or may_lack_leaders), f"metadata of {name}: error {error}"
        for partition, (error, leader, members) in reader.array(read_partition):
            is_known = error == NONE or may_lack_leaders
            assert is_known, f"metadata of partition {partition}: error {error}"
            leaders[partition], in_sync[partition] = leader, members
    return Metadata(brokers, leaders, in_sync)


def read_partition(reader):
    """(partition, (error, leader, in-sync replicas))."""
    error, partition, leader = reader.int16(), reader.int32(), reader.int32()
    reader.int32()  # leader epoch
    reader.array(lambda r: r.int32())  # replicas
    in_sync = reader.array(lambda r: r.int32())
    reader.array(lambda r: r.int32())  # offline replicas
    return partition, (error, leader, in_sync)


def produce_body(topic, partition, records, acks=-1, timeout_ms=10_000):
    """Body of a Produce request with the given bytes as one partition's records."""
    body = Writer().string(None).int16(acks).int32(timeout_ms)
    body.int32(1).string(topic).int32(1).int32(partition).bytes(records)
    return bytes(body.data)


def read_produce(reader):
    """(error, base offset) of a response for one partition."""
    assert reader.int32() == 1
    reader.string()
    assert reader.int32() == 1
    reader.int32()
    return reader.int16(), reader.int64()


def produce(connection, topic, partition, records, acks=-1):
    return read_produce(connection.request(PRODUCE, PRODUCE_VERSION, produce_body(topic, partition, records, acks)))


def fetch_body(topic, partition, offset, max_bytes=1 << 20, min_bytes=1, max_wait_ms=500):
    """Body of a sessionless Fetch request of one partition."""
    body = Writer().int32(-1).int32(max_wait_ms).int32(min_bytes).int32(max_bytes).int8(0).int32(0).int32(-1)
    body.int32(1).string(topic).int32(1)
    body.int32(partition).int32(-1).int64(offset).int64(-1).int32(max_bytes)
    body.int32(0).string("")
    return bytes(body.data)


def read_fetch(reader):
    """(error, high watermark, records) of a response for one partition."""
    reader.int32()  # throttle
    error, _ = reader.int16(), reader.int32()
    assert error == NONE, f"fetch failed as a whole: error {error}"
    assert reader.int32() == 1
    reader.string()
    assert reader.int32() == 1
    reader.int32()
    error, high_watermark = reader.int16(), reader.int64()
    reader.int64(), reader.int64()  # last stable offset, log start
    reader.array(lambda r: (r.int64(), r.int64()))
    reader.int32()  # preferred read replica
    return error, high_watermark, reader.bytes() or b""


def fetch(connection, topic, partition, offset, **options):
    return read_fetch(connection.request(FETCH, FETCH_VERSION, fetch_body(topic, partition, offset, **options)))
