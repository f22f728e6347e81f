"""Many workers, and for each partition an ordered commit: records of a key are worked on one after the other, those of
other keys at the same time. A crash repeats a bounded number of records, and none is ever lost (at least once).

    pip install confluent-kafka
    python ordered_workers.py BOOTSTRAP TOPIC GROUP

The work here is a line on stdout: partition, offset, key and value of a record.
"""

import os
import signal
import sys
import threading
import traceback
import zlib
from collections import defaultdict, deque
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from confluent_kafka import Consumer, KafkaException, TopicPartition

WORKERS = 8
# What a crash may repeat: records that workers have, or have done, and that are not committed.
WINDOW_RECORDS = 100
BATCH_RECORDS = 25

OUTPUT = threading.Lock()


class OrderedWorkers:
    """Everything here runs on the thread that polls; only `work` runs on the workers'."""

    def __init__(self, bootstrap, topic, group):
        self.topic = topic
        # One thread each, so that what a worker is given is done in that order.
        self.workers = [ThreadPoolExecutor(max_workers=1) for _ in range(WORKERS)]
        # By partition, in the order of the offsets: (offset, what tells when it is done).
        self.pending = defaultdict(deque)
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            # When to commit is what this program is about.
            "enable.auto.commit": False,
            # So long after a crash others take over.
            "session.timeout.ms": 6000,
        })
        self.consumer.subscribe([topic], on_revoke=self.settle, on_lost=self.lost)

    def run(self, stopping):
        while not stopping:
            if self.uncommitted() + BATCH_RECORDS <= WINDOW_RECORDS:
                self.hand_out(self.consumer.consume(BATCH_RECORDS, timeout=0.1))
            else:
                wait([records[0][1] for records in self.pending.values()], 1.0, FIRST_COMPLETED)
            self.commit_done()
        self.settle(self.consumer, [TopicPartition(self.topic, partition) for partition in self.pending])
        self.consumer.close()

    def uncommitted(self):
        return sum(len(records) for records in self.pending.values())

    def hand_out(self, batch):
        for message in batch:
            if message.error():
                raise KafkaException(message.error())
            # A key has one partition and one worker. A record without a key may go to any.
            worker = self.workers[zlib.crc32(message.key() or b"") % WORKERS]
            self.pending[message.partition()].append((message.offset(), worker.submit(work, message)))

    def commit_done(self):
        """Commits how far each partition is done without a gap."""
        positions = {}
        for partition, records in self.pending.items():
            while records and records[0][1].done():
                offset, _ = records.popleft()
                positions[partition] = offset + 1
        self.pending = defaultdict(deque, {p: records for p, records in self.pending.items() if records})
        if positions:
            offsets = [TopicPartition(self.topic, p, position) for p, position in positions.items()]
            for partition in self.consumer.commit(offsets=offsets, asynchronous=False):
                if partition.error:
                    raise KafkaException(partition.error)

    def settle(self, _consumer, partitions):
        """Before others get the partitions, what has begun is done and committed: so order holds across members."""
        wait([done for partition in partitions for _, done in self.pending[partition.partition]])
        self.commit_done()

    def lost(self, _consumer, _partitions):
        """Others have them already. What our workers still do is repeated there, so they stop at once."""
        raise RuntimeError("the group has gone on without this member")


def work(message):
    try:
        with OUTPUT:
            print(message.partition(), message.offset(), message.key().decode(), message.value().decode(), flush=True)
    except BaseException:
        die()


def die():
    """What is behind a failure must not be done before it: not a step further, on no thread."""
    traceback.print_exc()
    os._exit(1)


def main(bootstrap, topic, group):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    try:
        OrderedWorkers(bootstrap, topic, group).run(stopping)
    except BaseException:
        die()


if __name__ == "__main__":
    main(*sys.argv[1:])
