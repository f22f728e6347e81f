"""Record batches of magic 2, with every header field open to abuse."""

import dataclasses
import struct

import crc32c

from harness.records import BASE_TIMESTAMP_MS
from harness.wire.codec import varint

ATTRIBUTE_TRANSACTIONAL = 0x10
ATTRIBUTE_CONTROL = 0x20
# Base offset and batch length, neither of which the length counts.
UNCOUNTED_BYTES = 12


@dataclasses.dataclass
class Batch:
    """A batch of these values. None in a field means: what is right for the records."""

    values: list
    magic: int = 2
    attributes: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1
    length: int | None = None
    crc: int | None = None
    last_offset_delta: int | None = None
    record_count: int | None = None

    def encode(self):
        count = len(self.values)
        records = b"".join(encode_record(i, value) for i, value in enumerate(self.values))
        covered = struct.pack(
            ">hiqqqhii",
            self.attributes,
            choose(self.last_offset_delta, count - 1),
            BASE_TIMESTAMP_MS,
            BASE_TIMESTAMP_MS,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            choose(self.record_count, count),
        ) + records
        crc = choose(self.crc, crc32c.crc32c(covered))
        after_length = struct.pack(">ibI", -1, self.magic, crc) + covered
        return struct.pack(">qi", 0, choose(self.length, len(after_length))) + after_length


def encode_record(offset_delta, value):
    body = b"\0" + varint(0) + varint(offset_delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def choose(given, right):
    return right if given is None else given


def decode_values(data):
    """(offset, value) of the records in uncompressed batches, complete ones only."""
    found = []
    at = 0
    while at + UNCOUNTED_BYTES <= len(data):
        base_offset, length = struct.unpack_from(">qi", data, at)
        end = at + UNCOUNTED_BYTES + length
        if end > len(data):
            break
        (count,) = struct.unpack_from(">i", data, at + 57)
        found += decode_records(data[at + 61 : end], base_offset, count)
        at = end
    return found


def decode_records(data, base_offset, count):
    found = []
    at = 0
    for _ in range(count):
        length, at = read_varint(data, at)
        end = at + length
        _, at = read_varint(data, at + 1)  # after the attributes: timestamp delta
        delta, at = read_varint(data, at)
        key_length, at = read_varint(data, at)
        value_length, at = read_varint(data, at + max(key_length, 0))
        found.append((base_offset + delta, data[at : at + value_length] if value_length >= 0 else None))
        at = end
    return found


def read_varint(data, at):
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (result >> 1) ^ -(result & 1), at
        shift += 7
