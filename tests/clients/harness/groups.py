"""Members of groups: librdkafka's in threads of this process, all others behind the request `consume_group`."""

import contextlib
import threading
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition

from harness import clients
from harness.confluent import QUIET

NAMES = ["java", "confluent", *clients.NAMES]
TIMEOUT_S = 60


def config(bootstrap, group, **more):
    return {
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "partition.assignment.strategy": "range", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, **QUIET, **more}


class Confluent:
    """The same request for librdkafka."""

    def request(self, _operation, bootstrap, topic, group, count):
        rows = []
        consumer = Consumer(config(bootstrap, group))
        with contextlib.closing(consumer):
            consumer.subscribe([topic])
            deadline = time.monotonic() + TIMEOUT_S
            while len(rows) < count:
                assert time.monotonic() < deadline, f"stuck after {len(rows)} of {count}"
                for message in consumer.consume(count - len(rows), timeout=0.5):
                    assert message.error() is None, message.error()
                    rows.append([message.partition(), message.offset()])
            ends = {partition: offset + 1 for partition, offset in rows}
            positions = [TopicPartition(topic, p, end, "so far") for p, end in ends.items()]
            consumer.commit(offsets=positions, asynchronous=False)
        return {"rows": rows}


class Member(threading.Thread):
    """A librdkafka member that polls until it is told to stop, commits what it has read, and notes what it owns."""

    def __init__(self, bootstrap, group, topic, **more):
        super().__init__(daemon=True)
        self.config = config(bootstrap, group, **more)
        self.topic = topic
        self.is_incremental = "cooperative" in more.get("partition.assignment.strategy", "")
        self.owned = frozenset()
        self.assignments = 0
        self.rows = []
        self.committed = {}
        self.stopped = threading.Event()
        self.failure = None
        self.start()

    def run(self):
        consumer = Consumer(self.config)
        try:
            consumer.subscribe([self.topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.revoked)
            while not self.stopped.is_set():
                for message in consumer.consume(100, timeout=0.2):
                    if message.error() is None:
                        self.rows.append((message.partition(), message.offset()))
                self.commit(consumer)
        except Exception as failure:  # shown by whoever looks at this member
            self.failure = failure
        finally:
            consumer.close()

    def commit(self, consumer):
        wanted = {p: offset + 1 for p, offset in self.rows if p in self.owned}
        fresh = [TopicPartition(self.topic, p, end) for p, end in wanted.items() if self.committed.get(p) != end]
        if not fresh:
            return
        try:
            for done in consumer.commit(offsets=fresh, asynchronous=False):
                if done.error is None:
                    self.committed[done.partition] = done.offset
        except Exception as refused:
            # The broker is away, or the group rebalances: whoever owns the partition next reads again.
            code = refused.args[0].code() if refused.args else None
            if code is None or code == KafkaError.OFFSET_METADATA_TOO_LARGE:
                raise

    def assigned(self, consumer, partitions):
        self.assignments += 1
        found = frozenset(partition.partition for partition in partitions)
        self.owned = self.owned | found if self.is_incremental else found

    def revoked(self, consumer, partitions):
        gone = frozenset(partition.partition for partition in partitions)
        self.owned = self.owned - gone

    def stop(self):
        self.stopped.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive() and self.failure is None, self.failure
