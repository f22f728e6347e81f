"""Records as every client sees them: one type, so that one expectation serves all of them."""

import dataclasses
import itertools
import uuid

# Far enough in the past that "now" cannot be mistaken for it, far enough from 0 to be a real date.
BASE_TIMESTAMP_MS = 1_700_000_000_000
COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"]


@dataclasses.dataclass(frozen=True)
class Record:
    """A record without its place. `headers` is a tuple of (name, bytes or None): names may repeat."""

    key: bytes | None
    value: bytes | None
    headers: tuple = ()
    timestamp_ms: int = BASE_TIMESTAMP_MS


def unique_topic(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def sample_records(count):
    """Records with every kind of key, value and headers, one second apart."""
    keys = [b"key", b"", None, "schlüssel".encode(), bytes(range(256))]
    values = [b"value", b"", b"x" * 2000, bytes(range(256)) * 5, None]
    headers = [(), (("h", b"1"),), (("h", b"1"), ("h", b"2"), ("other", b"")), (("null", None),)]
    # Cycles of coprime lengths, so that the combinations differ; a null key never meets a null value alone.
    cycles = zip(itertools.cycle(keys), itertools.cycle(values[:4] + [b"y", None, b"z"]), itertools.cycle(headers))
    return [
        Record(key, value, head, BASE_TIMESTAMP_MS + 1000 * i)
        for i, (key, value, head) in enumerate(itertools.islice(cycles, count))
    ]
