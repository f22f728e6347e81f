"""What goes on through hundreds of crashes: producers of deleted and compacted topics, and checks of what is left.

Each partition has one idempotent producer that counts its records. So the record at offset N is record N, whatever
happened; its key and its kind follow from N. What is read needs no ledger but the highest number acknowledged.
"""

import contextlib
import hashlib
import threading
import time

from confluent_kafka import KafkaError, KafkaException, Producer

from harness import confluent
from harness.confluent import QUIET
from harness.load import PATIENT, STOP_TIMEOUT_S

MAX_UNACKNOWLEDGED = 500
# Of a compacted topic every so many records is a tombstone.
TOMBSTONE_EVERY = 17
KEYS = 97
PADDING = b"x" * 700
# Said of an offset below the log's start.
GONE = (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET)
# Records a second and partition, about: a few segments in each round.
PAUSE_S = 0.0005


def key_of(number):
    """Each key comes again at distances that differ."""
    return b"key-%d" % (number * number % KEYS)


def value_of(number, is_compacted):
    return None if is_compacted and number % TOMBSTONE_EVERY == 0 else b"%d:" % number + PADDING


class NumberedLoad:
    """A producer of numbered records, with keys if the topic is compacted, on a thread of its own."""

    def __init__(self, bootstrap, topic, partitions, is_compacted):
        self.topic = topic
        self.partitions = partitions
        self.is_compacted = is_compacted
        self.lock = threading.Lock()
        self.acknowledged = [-1] * partitions
        self.failures = []
        # Where each partition was seen to begin.
        self.lowest = [0] * partitions
        self.producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, **QUIET, **PATIENT})
        self.stopping, self.pausing, self.idle = threading.Event(), threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, name=topic, daemon=True)
        self.thread.start()

    def _run(self):
        number = 0
        while not self.stopping.is_set():
            self.producer.poll(PAUSE_S)
            if self.pausing.is_set():
                if len(self.producer) == 0:
                    self.idle.set()
                continue
            if len(self.producer) >= MAX_UNACKNOWLEDGED:
                continue
            for partition in range(self.partitions):
                self._send(partition, number)
            number += 1
        left = self.producer.flush(STOP_TIMEOUT_S)
        if left:
            self._fail(f"{left} records neither acknowledged nor failed")

    def _send(self, partition, number):
        def delivered(error, _):
            if error:
                self._fail(f"partition {partition}, record {number}: {error}")
                return
            with self.lock:
                self.acknowledged[partition] = max(self.acknowledged[partition], number)

        key = key_of(number) if self.is_compacted else None
        self.producer.produce(
            self.topic, value_of(number, self.is_compacted), key, partition=partition, on_delivery=delivered)

    def _fail(self, what):
        with self.lock:
            self.failures.append(f"{self.topic}: {what}")

    def stop(self):
        self.stopping.set()
        self.thread.join(STOP_TIMEOUT_S + 10)
        assert not self.thread.is_alive(), f"the producer of {self.topic} does not end"
        assert not self.failures, self.failures[:3]

    @contextlib.contextmanager
    def paused(self):
        """Nothing is sent meanwhile, and everything that was is acknowledged: nothing new hides what is missing."""
        self.idle.clear()
        self.pausing.set()
        if self.thread.is_alive():
            assert self.idle.wait(STOP_TIMEOUT_S), f"{self.topic}: not everything is acknowledged, {self.failures[:3]}"
        yield
        self.pausing.clear()

    def check(self, bootstrap):
        """Whatever was acknowledged is there, unless it may have been deleted; returns how many records are there."""
        present = 0
        with self.paused(), confluent.open_consumer(bootstrap) as consumer:
            assert not self.failures, self.failures[:3]
            for partition, highest in enumerate(self.acknowledged):
                low, high = confluent.query_watermarks(consumer, self.topic, partition)
                place = f"{self.topic}, partition {partition}, offsets {low} to {high}"
                assert high == highest + 1, f"{place}: {highest} was the last to be acknowledged"
                assert low >= self.lowest[partition], f"{place}: deleted below {self.lowest[partition]}, and back"
                low, messages = self._read(consumer, partition, low, high)
                self.lowest[partition] = low
                rows = [(message.offset(), message.key(), message.value()) for message in messages]
                check_numbered(place, rows, low, high, self.is_compacted)
                present += len(rows)
        return present

    def _read(self, consumer, partition, low, high):
        """The messages, and the offset from which they were read: retention may delete what is to be read next."""
        while True:
            try:
                return low, confluent.read_to(consumer, self.topic, partition, low, high)
            except KafkaException as failure:
                now_low, _ = confluent.query_watermarks(consumer, self.topic, partition)
                if now_low == low or failure.args[0].code() not in GONE:
                    raise
                low = now_low


def check_numbered(place, rows, low, high, is_compacted):
    """Fails unless the rows (offset, key, value) are numbered records, and all that must be there are."""
    offsets = [offset for offset, _, _ in rows]
    assert offsets == sorted(set(offsets)), f"{place}: out of order, or doubled"
    for offset, key, value in rows:
        is_it = value == value_of(offset, is_compacted) and key == (key_of(offset) if is_compacted else None)
        assert is_it, f"{place}: another record is at {offset}, with key {key!r}: {value!r}"
    lost = sorted(set(wanted(low, high, is_compacted)) - set(offsets))
    assert not lost, f"{place}: lost {len(lost)} records, first {lost[:5]}"


def wanted(low, high, is_compacted):
    """Offsets of records that must be there."""
    if not is_compacted:
        return range(low, high)
    # Each key comes again within so many.
    last = {key_of(offset): offset for offset in range(max(low, high - 2 * KEYS), high)}
    return last.values()


class KeptRanges:
    """Parts of a topic that were verified once, and must stay as they were."""

    def __init__(self, topic, partitions):
        self.topic = topic
        self.ends = [0] * partitions
        # (partition, start, end, digest)
        self.ranges = []

    def extend(self, bootstrap):
        """Notes what is behind the ranges so far; returns the number of records."""
        count = 0
        with confluent.open_consumer(bootstrap) as consumer:
            for partition, start in enumerate(self.ends):
                _, end = confluent.query_watermarks(consumer, self.topic, partition)
                assert end >= start, f"{self.topic}, partition {partition} ended at {start}, and now at {end}"
                self.ranges.append((partition, start, end, self._digest(consumer, partition, start, end)))
                self.ends[partition] = end
                count += end - start
        return count

    def has_grown(self, bootstrap):
        """Whether there is anything behind the ranges."""
        with confluent.open_consumer(bootstrap) as consumer:
            for partition, end in enumerate(self.ends):
                if confluent.query_watermarks(consumer, self.topic, partition)[1] > end:
                    return True
        return False

    def check(self, bootstrap, ranges):
        """Reads some of the ranges again."""
        with confluent.open_consumer(bootstrap) as consumer:
            for partition, start, end, digest in ranges:
                again = self._digest(consumer, partition, start, end)
                assert again == digest, f"{self.topic}, partition {partition}: offsets {start} to {end} have changed"

    def _digest(self, consumer, partition, start, end):
        digest, wanted = hashlib.blake2b(), start
        for message in confluent.read_to(consumer, self.topic, partition, start, end):
            if message.offset() >= end:
                break
            assert message.offset() == wanted, f"{self.topic}, partition {partition}: {wanted} is missing"
            wanted += 1
            digest.update(message.value())
        assert wanted == end, f"{self.topic}, partition {partition}: {wanted} to {end} are missing"
        return digest.digest()


def await_progress(loads, records, timeout_s=60):
    """Every producer gets on after a restart: none is stuck on an error or on a dead connection."""
    deadline = time.monotonic() + timeout_s
    goals = [[number + records for number in load.acknowledged] for load in loads]
    for load, goal in zip(loads, goals):
        while not load.failures and any(now < then for now, then in zip(load.acknowledged, goal)):
            assert time.monotonic() < deadline, f"{load.topic} stays at {load.acknowledged}, {goal} is wanted"
            time.sleep(0.02)
        assert not load.failures, load.failures[:3]
