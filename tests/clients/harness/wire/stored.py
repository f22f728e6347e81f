"""What the broker stored, whatever a client says that it sent."""

import struct

from harness.records import COMPRESSIONS
from harness.wire import messages
from harness.wire.batch import UNCOUNTED_BYTES
from harness.wire.connection import Connection

ATTRIBUTES_AT = 21
COMPRESSION_MASK = 0x07


def compressions(bootstrap, topic, partition):
    """The names of the codecs of a partition's batches; `none` only where nothing is compressed, for clients send a
    batch as it is if compression would make it longer."""
    with Connection(bootstrap) as connection:
        found = messages.metadata(connection, topic)
    names = set()
    with Connection(found.brokers[found.leaders[partition]]) as leader:
        offset = 0
        while True:
            error, high_watermark, data = messages.fetch(leader, topic, partition, offset)
            assert error == messages.NONE, f"fetch of {topic}, partition {partition}: error {error}"
            for attributes, end in batches(data):
                names.add(COMPRESSIONS[attributes & COMPRESSION_MASK])  # the order of the list is Kafka's
                offset = end
            if offset >= high_watermark:
                return names - {"none"} or names


def batches(data):
    """(attributes, offset behind the last record) of each batch that is there as a whole."""
    at = 0
    while at + UNCOUNTED_BYTES <= len(data):
        base_offset, length = struct.unpack_from(">qi", data, at)
        if at + UNCOUNTED_BYTES + length > len(data):
            return
        attributes, last_offset_delta = struct.unpack_from(">hi", data, at + ATTRIBUTES_AT)
        yield attributes, base_offset + last_offset_delta + 1
        at += UNCOUNTED_BYTES + length
