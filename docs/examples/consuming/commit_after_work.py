"""Commit after work, on one thread: a crash repeats records, and none is ever lost (at least once).

    pip install confluent-kafka
    python commit_after_work.py BOOTSTRAP TOPIC GROUP

The work here is a line on stdout: partition, offset, key and value of a record.
"""

import signal
import sys

from confluent_kafka import Consumer, KafkaException

# What a crash may repeat.
BATCH_RECORDS = 10


def main(bootstrap, topic, group):
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        # When to commit is what this program is about.
        "enable.auto.commit": False,
        # So long after a crash others take over.
        "session.timeout.ms": 6000,
    })
    consumer.subscribe([topic])
    while not stopping:
        batch = consumer.consume(BATCH_RECORDS, timeout=0.5)
        check(batch)
        if batch:
            for message in batch:
                work(message)
            commit(consumer)
    consumer.close()


def check(batch):
    for message in batch:
        if message.error():
            raise KafkaException(message.error())


def commit(consumer):
    """Commits the positions behind the batch, and returns when they are durable."""
    for partition in consumer.commit(asynchronous=False):
        if partition.error:
            raise KafkaException(partition.error)


def work(message):
    print(message.partition(), message.offset(), message.key().decode(), message.value().decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
