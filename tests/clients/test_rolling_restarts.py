"""Groups at work while their members and the broker are stopped, killed and started again, one after the other: what is
lost and what is repeated is what the way of committing allows (docs/consuming.md), and no more."""

import collections
import contextlib
import os
import signal
import threading

import pytest

from harness import confluent, examples
from harness.examples import BOUNDS, Supervised
from harness.records import unique_topic
from harness.waiting import wait_until

PARTITIONS = 6
MEMBERS = 3
KEYS = 20
# Records of which all members together must get done between two events.
PROGRESS = 200
# How long others may have to wait for it: sessions time out, members join, the machine may be slow.
PATIENCE_S = 90.0


class Producing(threading.Thread):
    """Sends records of several keys, each numbered, until it is told to stop; none may fail."""

    def __init__(self, broker, topic):
        super().__init__(daemon=True)
        self.topic = topic
        self.producer = confluent.Producer({
            "bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "linger.ms": 5,
            "delivery.timeout.ms": 600_000, "reconnect.backoff.max.ms": 500, **confluent.QUIET})
        self.stopped = threading.Event()
        self.sent = []
        self.failures = []
        self.start()

    def run(self):
        sequence = 0
        while not self.stopped.is_set():
            for key in range(KEYS):
                self.producer.produce(
                    self.topic, f"{sequence}:.", f"key-{key}", on_delivery=self.delivered(f"key-{key}", sequence))
            sequence += 1
            # Some 2,000 records a second: what comes is less than what can be done.
            self.producer.poll(0.01)

    def delivered(self, key, sequence):
        def note(error, message):
            if error:
                self.failures.append(error)
            else:
                self.sent.append(examples.Work(message.partition(), message.offset(), key, sequence))
        return note

    def finish(self):
        self.stopped.set()
        self.join()
        assert self.producer.flush(PATIENCE_S) == 0 and not self.failures, self.failures
        return set(self.sent)


class Fleet:
    """Members of one group, each in a process that is started again when it ends."""

    def __init__(self, stack, tools_dir, directory, way, broker, topic):
        self.members = []
        for number in range(MEMBERS):
            command = examples.command(tools_dir, "python", way, broker.bootstrap, topic, "g")
            member = Supervised(command, os.path.join(directory, f"member-{number}.log"))
            stack.callback(member.close)
            self.members.append(member)

    def work(self):
        return [work for member in self.members for work in member.work()]

    def crashes(self):
        return sum(member.crashes for member in self.members)

    def await_progress(self):
        goal = len(self.work()) + PROGRESS
        wait_until(lambda: len(self.work()) >= goal, f"{PROGRESS} more records to be done", PATIENCE_S)

    def await_shares(self, number):
        """Waits until a member that was started again gets something done."""
        life = self.members[number].lives[-1]
        wait_until(lambda: life or life is not self.members[number].lives[-1], "it to take part", PATIENCE_S)

    def restart_each(self, signal_number):
        for number, member in enumerate(self.members):
            has_restarted = member.restart(signal_number)
            wait_until(has_restarted, "it to be started again", PATIENCE_S)
            self.await_shares(number)
            self.await_progress()


def roll(broker, fleet):
    fleet.await_progress()
    fleet.restart_each(signal.SIGTERM)
    fleet.restart_each(signal.SIGKILL)
    assert broker.terminate() == 0
    broker.restart()
    fleet.await_progress()
    broker.kill9()
    broker.restart()
    fleet.await_progress()


def is_all_committed(broker, topic, sent):
    ends = collections.Counter(work.partition for work in sent)
    found = confluent.committed(broker.bootstrap, "g", topic, range(PARTITIONS))
    return all(found[partition] >= end for partition, end in ends.items())


@pytest.mark.timeout(480)
@pytest.mark.parametrize("way", sorted(BOUNDS))
def test_rolling_restarts(launch, tools_dir, directory, way):
    broker = launch(settings=["group.initial.rebalance.delay.ms=300"], fixed_ports=True)
    topic = unique_topic("rolling")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    producing = Producing(broker, topic)
    with contextlib.ExitStack() as stack:
        fleet = Fleet(stack, tools_dir, directory, way, broker, topic)
        roll(broker, fleet)
        sent = producing.finish()
        wait_until(lambda: is_all_committed(broker, topic, sent), "everything to be committed", PATIENCE_S)
        for member in fleet.members:
            member.stop()
        works = collections.Counter(fleet.work())
        crashes = fleet.crashes()
        print(f"{way}: {len(sent)} records, {crashes} crashes, {len(sent - set(works))} lost, "
              f"{works.total() - len(works)} repeated")
        check(way, works, sent, crashes)
        for member in fleet.members:
            for life in member.lives:
                check_order(life)


def check(way, works, sent, crashes):
    lost, repeated = sent - set(works), works.total() - len(works)
    assert set(works) <= sent
    assert crashes >= MEMBERS, "the kills, and whoever could not commit while the broker was away"
    if way == "before":
        assert repeated == 0 and len(lost) <= crashes * BOUNDS[way]
    else:
        assert not lost and repeated <= crashes * BOUNDS[way]


def check_order(life):
    """One process does a key's records in their order, and none twice: it gives partitions up only when all it has begun
    is committed."""
    last = {}
    for work in life:
        assert work.sequence > last.get(work.key, -1), f"{work} after {last[work.key]}"
        last[work.key] = work.sequence
