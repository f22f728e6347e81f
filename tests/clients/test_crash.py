"""kill -9 under load, again and again: every acknowledged record is there, in order, exactly once if idempotent."""

import os
import random
import time

import pytest

from harness import confluent
from harness.ledger import LogView
from harness.load import ConfluentLoad, JavaLoadWithLedger
from harness.records import unique_topic
from harness.waiting import wait_until

PARTITIONS = 4
SEED = 7
# What each producer must get acknowledged between two kills.
ACKNOWLEDGED_PER_ROUND = 50
# A kill then comes at any point of what the broker does: somewhere in the middle of groups, write-back, checkpoints.
LONGEST_DELAY_S = 0.3


# Bounded by their rounds, each of which has deadlines; --soak runs hundreds of them.
pytestmark = pytest.mark.timeout(0)


class Experiment:
    """A broker, its producers, and a reader that follows the log through all crashes."""

    def __init__(self, broker, topic, producers):
        self.broker = broker
        self.topic = topic
        self.producers = producers
        self.view = LogView(PARTITIONS)

    def await_progress(self):
        """Every producer gets on after a restart: none is stuck on an error or on a dead connection."""
        goals = [(p.ledger, p.ledger.count() + ACKNOWLEDGED_PER_ROUND) for p in self.producers]
        for ledger, goal in goals:
            what = f"{ledger.name} to have {goal} acknowledgements"
            wait_until(lambda: ledger.count() >= goal or ledger.failures, what, timeout_s=60)
            assert not ledger.failures, ledger.failures[:3]

    def crash(self):
        self.broker.kill9()
        self.broker.restart()

    def check(self):
        """Whatever was acknowledged before now is in the log now; reads on from where the last check ended."""
        promised = [(p.ledger, p.ledger.snapshot()) for p in self.producers]
        with confluent.open_consumer(self.broker.bootstrap) as consumer:
            for partition in range(PARTITIONS):
                start = self.view.end(partition)
                _, end = confluent.query_watermarks(consumer, self.topic, partition)
                assert end >= start, f"partition {partition} ended at {start}, and now at {end}"
                rows = confluent.read_to(consumer, self.topic, partition, start, end)
                self.view.extend(partition, [(m.offset(), m.value()) for m in rows])
        for ledger, acknowledged in promised:
            self.view.check(ledger, acknowledged)

    def check_against_a_second_reading(self):
        """What consumers saw during the experiment is what the log says from its beginning."""
        for partition in range(PARTITIONS):
            again = confluent.consume(self.broker.bootstrap, self.topic, partition)
            assert [record.value for _, record in again] == self.view.values[partition]


def test_kill_9_under_load(launch, directory, tools_dir, crash_rounds):
    randomness = random.Random(SEED)
    broker = launch(fixed_ports=True)
    topic = unique_topic("crash")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    where = (broker.bootstrap, topic, PARTITIONS)
    producers = [
        ConfluentLoad("confluent-idempotent", *where, idempotent=True),
        ConfluentLoad("confluent-plain", *where, idempotent=False),
        JavaLoadWithLedger("java-idempotent", tools_dir, os.path.join(directory, "java-load.log"), *where),
    ]
    experiment = Experiment(broker, topic, producers)
    for round_number in range(crash_rounds):
        experiment.await_progress()
        time.sleep(randomness.uniform(0, LONGEST_DELAY_S))  # not to wait for something, but to kill anywhere
        experiment.crash()
        experiment.check()
        counts = ", ".join(f"{p.ledger.name} {p.ledger.count()}" for p in producers)
        print(f"round {round_number}: acknowledged {counts}")
    experiment.await_progress()
    for producer in producers:
        producer.stop()
        assert not producer.ledger.failures, producer.ledger.failures[:3]
    experiment.check()
    experiment.check_against_a_second_reading()


def test_kill_9_during_recovery(launch, crash_rounds):
    """Killed again before it is ready, at any point of its recovery: the next start still has everything."""
    randomness = random.Random(SEED)
    broker = launch(fixed_ports=True)
    topic = unique_topic("recovery")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    producer = ConfluentLoad("confluent-idempotent", broker.bootstrap, topic, PARTITIONS, idempotent=True)
    experiment = Experiment(broker, topic, [producer])
    for _ in range(max(3, crash_rounds // 5)):
        experiment.await_progress()
        broker.kill9()
        for _ in range(3):
            broker.start_and_kill(after_s=randomness.uniform(0.001, 0.3))
        broker.restart()
        experiment.check()
    experiment.await_progress()
    producer.stop()
    assert not producer.ledger.failures, producer.ledger.failures[:3]
    experiment.check()
    experiment.check_against_a_second_reading()
