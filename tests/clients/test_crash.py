"""kill -9 under load, again and again: every acknowledged record is there, in order, exactly once if idempotent."""

import os
import random
import time

import pytest

from harness import confluent
from harness.experiment import Experiment
from harness.load import ConfluentLoad, JavaLoadWithLedger
from harness.records import unique_topic

PARTITIONS = 4
SEED = 7
# What each producer must get acknowledged between two kills.
ACKNOWLEDGED_PER_ROUND = 50
# A kill then comes at any point of what the broker does: somewhere in the middle of groups, write-back, checkpoints.
LONGEST_DELAY_S = 0.3


# Bounded by their rounds, each of which has deadlines; --soak runs hundreds of them.
pytestmark = pytest.mark.timeout(0)


def crash(broker):
    broker.kill9()
    broker.restart()


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
    experiment = Experiment(broker.bootstrap, topic, PARTITIONS, producers)
    for round_number in range(crash_rounds):
        experiment.await_progress(ACKNOWLEDGED_PER_ROUND)
        time.sleep(randomness.uniform(0, LONGEST_DELAY_S))  # not to wait for something, but to kill anywhere
        crash(broker)
        experiment.check()
        print(f"round {round_number}: acknowledged {experiment.counts()}")
    experiment.await_progress(ACKNOWLEDGED_PER_ROUND)
    experiment.end()


def test_kill_9_during_recovery(launch, crash_rounds):
    """Killed again before it is ready, at any point of its recovery: the next start still has everything."""
    randomness = random.Random(SEED)
    broker = launch(fixed_ports=True)
    topic = unique_topic("recovery")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    producer = ConfluentLoad("confluent-idempotent", broker.bootstrap, topic, PARTITIONS, idempotent=True)
    experiment = Experiment(broker.bootstrap, topic, PARTITIONS, [producer])
    for _ in range(max(3, crash_rounds // 5)):
        experiment.await_progress(ACKNOWLEDGED_PER_ROUND)
        broker.kill9()
        for _ in range(3):
            broker.start_and_kill(after_s=randomness.uniform(0.001, 0.3))
        broker.restart()
        experiment.check()
    experiment.await_progress(ACKNOWLEDGED_PER_ROUND)
    experiment.end()
