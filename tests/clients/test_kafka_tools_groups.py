"""Kafka's own VerifiableConsumer and VerifiableProducer, as in Kafka's system tests: a group whose members and broker are
stopped, killed and started again. ConsumerGroupCommand has the last word."""

import collections
import contextlib
import os
import signal

import pytest

from harness import confluent, verifiable
from harness.records import unique_topic
from harness.waiting import wait_until

CONSUMER_GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
PARTITIONS = 4
KEYS = 50
PER_SECOND = 400
PROGRESS = 300
PATIENCE_S = 90.0


class Group:
    def __init__(self, stack, tools_dir, directory, broker, topic):
        self.stack, self.arguments = stack, (tools_dir, os.path.join(directory, "tools.log"), broker, topic)
        self.all = []

    def start(self):
        member = verifiable.Consumer(*self.arguments, "g")
        self.stack.callback(member.close)
        self.all.append(member)
        wait_until(member.consumed, "a member to get records", PATIENCE_S)
        return member

    def count(self):
        return sum(len(member.named("record_data")) for member in self.all)

    def await_progress(self):
        goal = self.count() + PROGRESS
        wait_until(lambda: self.count() >= goal, f"{PROGRESS} more records", PATIENCE_S)


def lags(java, broker):
    """The lag of each partition, as Kafka's tool reckons it."""
    described = java.tool(CONSUMER_GROUPS, "--bootstrap-server", broker.bootstrap, "--describe", "--group", "g")
    rows = [line.split() for line in described.splitlines() if line.startswith("g ")]
    # "-" where nothing is committed yet.
    return [int(row[5]) if row[5].isdigit() else None for row in rows]


@pytest.mark.timeout(400)
def test_verifiable_consumers_through_restarts_of_all(launch, java, tools_dir, directory):
    broker = launch(settings=["group.initial.rebalance.delay.ms=300"], fixed_ports=True)
    topic = unique_topic("verifiable")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    with contextlib.ExitStack() as stack:
        producer = verifiable.Producer(
            tools_dir, os.path.join(directory, "producer.log"), broker, topic, PER_SECOND, KEYS)
        stack.callback(producer.close)
        group = Group(stack, tools_dir, directory, broker, topic)
        first, second = group.start(), group.start()
        first.stop()
        third = group.start()
        second.end(signal.SIGKILL)
        fourth = group.start()
        group.await_progress()
        assert broker.terminate() == 0
        broker.restart()
        group.await_progress()
        broker.kill9()
        broker.restart()
        group.await_progress()
        producer.end(signal.SIGTERM)
        sent = producer.acknowledged()
        wait_until(lambda: set(lags(java, broker)) == {0}, "no lag", PATIENCE_S, every_s=0.5)
        third.stop()
        fourth.stop()
    check(group.all, second, sent)


def check(members, killed, sent):
    rows = [row for member in members for row in member.consumed()]
    found = dict(rows)
    assert all(found.get(place) == record for place, record in sent.items()), "nothing is lost or changed"
    commits = collections.Counter(place for member in members for place in member.committed())
    assert set(commits.values()) == {1}, "no record is done with twice"
    # The killed one may have committed what it had no time to tell.
    untold = {place for place, _ in killed.consumed()} - killed.committed()
    assert set(sent) - set(commits) <= untold, "and each of them is"
    repeated = [place for place, times in collections.Counter(place for place, _ in rows).items() if times > 1]
    uncommitted = set()
    for member in members:
        uncommitted |= {place for place, _ in member.consumed()} - member.committed()
    assert set(repeated) <= uncommitted, "only what somebody had not come to commit is read again"
    partitions = collections.defaultdict(set)
    for (partition, _), (key, _) in found.items():
        partitions[key].add(partition)
    assert all(len(owners) == 1 for owners in partitions.values()), "a key has one partition"
