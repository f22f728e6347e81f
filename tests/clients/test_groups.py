"""Consumer groups: every client's, alone and mixed, through restarts and kill -9, as Kafka's own tools see them."""

import contextlib
import os
import threading

import pytest

from harness import admin_port, clients, confluent, groups
from harness.groups import Member
from harness.records import sample_records, unique_topic
from harness.waiting import wait_until

PARTITIONS = 3
PER_PARTITION = 60
EVERYTHING = {(partition, offset) for partition in range(PARTITIONS) for offset in range(PER_PARTITION)}
CONSUMER_GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
# Members that start together should, but nobody has to wait three seconds for it.
QUICK = ["group.initial.rebalance.delay.ms=300"]


@contextlib.contextmanager
def opened(name, java, tools_dir, directory):
    if name == "java":
        yield java
    elif name == "confluent":
        yield groups.Confluent()
    else:
        with clients.opened(name, tools_dir, directory) as client:
            yield client


def filled_topic(broker):
    topic = unique_topic("groups")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        confluent.produce(broker.bootstrap, topic, partition, sample_records(PER_PARTITION))
    return topic


def committed(broker, group, topic):
    """The committed offset of each partition that has one."""
    found = confluent.committed(broker.bootstrap, group, topic, range(PARTITIONS))
    return {partition: offset for partition, offset in enumerate(found) if offset >= 0}


def places(broker, topic):
    """Where group "g" goes on in each partition."""
    return {**dict.fromkeys(range(PARTITIONS), 0), **committed(broker, "g", topic)}


def settled(members):
    """Whether every partition has one owner, and every member a share."""
    for member in members:
        assert member.failure is None, member.failure
    owned = [partition for member in members for partition in member.owned]
    return sorted(owned) == list(range(PARTITIONS)) and all(member.owned for member in members)


@pytest.mark.parametrize("name", groups.NAMES)
def test_a_group_goes_on_where_it_stopped(launch, java, tools_dir, directory, name):
    broker = launch(settings=QUICK, fixed_ports=True)
    topic = filled_topic(broker)
    with opened(name, java, tools_dir, directory) as client:
        def read(count):
            answer = client.request("consume_group", broker.bootstrap, topic=topic, group="g", count=count)
            return [tuple(row) for row in answer["rows"]]

        first = read(80)
        # Offsets outlive a clean stop and a crash alike.
        assert broker.terminate() == 0
        broker.restart()
        second = read(60)
        broker.kill9()
        broker.restart()
        third = read(len(EVERYTHING) - 140)
    assert sorted(first + second + third) == sorted(EVERYTHING)


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_members_share_and_take_over(launch, strategy):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    options = {"partition.assignment.strategy": strategy}
    first = Member(broker.bootstrap, "g", topic, **options)
    wait_until(lambda: settled([first]), "the first member to own all", timeout_s=60)
    second = Member(broker.bootstrap, "g", topic, **options)
    wait_until(lambda: settled([first, second]), "both members to share", timeout_s=60)
    first.stop()
    wait_until(lambda: settled([second]), "the second member to take over", timeout_s=60)
    wait_until(lambda: set(first.rows) | set(second.rows) == EVERYTHING, "all to be read", timeout_s=60)
    second.stop()
    assert committed(broker, "g", topic) == dict.fromkeys(range(PARTITIONS), PER_PARTITION)


def test_a_static_member_keeps_its_share_through_a_restart(launch):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    options = {"session.timeout.ms": 30_000}
    stays = Member(broker.bootstrap, "g", topic, **options, **{"group.instance.id": "stays"})
    leaves = Member(broker.bootstrap, "g", topic, **options, **{"group.instance.id": "leaves"})
    wait_until(lambda: settled([stays, leaves]), "both members to share", timeout_s=60)
    owned, assignments = leaves.owned, stays.assignments
    leaves.stop()
    again = Member(broker.bootstrap, "g", topic, **options, **{"group.instance.id": "leaves"})
    wait_until(lambda: again.owned == owned, "it to have its share again", timeout_s=60)
    assert stays.assignments == assignments, "nobody else was disturbed"
    stays.stop()
    again.stop()


def test_kill_9_in_the_middle_of_a_rebalance(launch):
    # A member has just begun to join when the broker is killed.
    broker = launch(settings=["group.initial.rebalance.delay.ms=2000"], fixed_ports=True)
    topic = filled_topic(broker)
    members = [Member(broker.bootstrap, "g", topic) for _ in range(2)]
    wait_until(lambda: settled(members), "both members to share", timeout_s=60)
    wait_until(lambda: set(members[0].rows + members[1].rows) == EVERYTHING, "all to be read", timeout_s=60)
    everything = dict.fromkeys(range(PARTITIONS), PER_PARTITION)
    wait_until(lambda: committed(broker, "g", topic) == everything, "all to be committed", timeout_s=60)
    for _ in range(3):
        newcomer = Member(broker.bootstrap, "g", topic)
        broker.kill9()
        broker.restart()
        wait_until(lambda: settled([*members, newcomer]), "all members to share", timeout_s=90)
        assert committed(broker, "g", topic) == everything
        newcomer.stop()
        wait_until(lambda: settled(members), "the others to share", timeout_s=90)
    for member in members:
        member.stop()


def test_clients_of_all_kinds_share_a_group(launch, java, tools_dir, directory):
    broker = launch(settings=["group.initial.rebalance.delay.ms=3000"])
    topic = filled_topic(broker)
    # Members of all kinds together read a record at least, each; what is left, the last one reads.
    names = groups.NAMES
    rows, failures = {}, {}

    def take_part(name):
        try:
            with opened(name, java, tools_dir, directory) as client:
                answer = client.request("consume_group", broker.bootstrap, topic=topic, group="g", count=1)
                rows[name] = [tuple(row) for row in answer["rows"]]
        except Exception as failure:
            failures[name] = failure

    threads = [threading.Thread(target=take_part, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures and len(rows) == len(names), failures
    taken = [row for some in rows.values() for row in some]
    left = sum(PER_PARTITION - offset for offset in places(broker, topic).values())
    last = groups.Confluent().request("consume_group", broker.bootstrap, topic, "g", left)
    assert set(taken) | {tuple(row) for row in last["rows"]} == EVERYTHING


def test_kafkas_own_tool_sees_and_changes_groups(launch, java):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    groups.Confluent().request("consume_group", broker.bootstrap, topic, "g", 100)

    def tool(*arguments):
        return java.tool(CONSUMER_GROUPS, "--bootstrap-server", broker.bootstrap, *arguments)

    assert tool("--list").split() == ["g"]
    assert tool("--list", "--state", "Stable").split() == ["GROUP", "STATE"]
    described = [line.split() for line in tool("--describe", "--group", "g").splitlines() if topic in line]
    assert sum(int(row[3]) for row in described) == 100
    assert all(int(row[3]) + int(row[5]) == PER_PARTITION for row in described), "offset and lag"
    member = Member(broker.bootstrap, "g", topic)
    wait_until(lambda: settled([member]), "a member", timeout_s=60)
    assert "Stable" in tool("--describe", "--group", "g", "--state")
    assert "consumer" in tool("--describe", "--group", "g", "--members").lower()
    assert "not empty" in java.try_tool(
        CONSUMER_GROUPS, "--bootstrap-server", broker.bootstrap, "--delete", "--group", "g")["stdout"]
    member.stop()
    tool("--reset-offsets", "--group", "g", "--topic", topic, "--to-offset", "7", "--execute")
    assert committed(broker, "g", topic) == dict.fromkeys(range(PARTITIONS), 7)
    tool("--delete-offsets", "--group", "g", "--topic", f"{topic}:0")
    assert committed(broker, "g", topic) == {1: 7, 2: 7}
    assert "successful" in tool("--delete", "--group", "g")
    assert tool("--list").split() == []


def test_kafkas_own_tool_decodes_the_records(launch, java):
    broker = launch(settings=[*QUICK, "offsets.topic.num.partitions=1"])
    topic = filled_topic(broker)
    groups.Confluent().request("consume_group", broker.bootstrap, topic, "g", 100)
    assert broker.terminate() == 0
    [segment] = [
        os.path.join(where, file)
        for where, _, files in os.walk(broker.directory) for file in files
        if "__consumer_offsets" in where and file.endswith(".log")]
    shown = java.try_tool("org.apache.kafka.tools.DumpLogSegments", "--files", segment, "--offsets-decoder")["stdout"]
    assert '"type":"1"' in shown and f'"topic":"{topic}"' in shown and '"metadata":"so far' in shown
    assert '"type":"2"' in shown and '"protocolType":"consumer"' in shown


def test_metrics_tell_of_groups(launch):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    members = [Member(broker.bootstrap, "g", topic) for _ in range(2)]
    wait_until(lambda: settled(members), "both members to share", timeout_s=60)
    everything = dict.fromkeys(range(PARTITIONS), PER_PARTITION)
    wait_until(lambda: committed(broker, "g", topic) == everything, "all to be committed", timeout_s=60)

    def metric(name):
        return admin_port.metric(broker, f"corelane_group{name}")

    def in_state(state):
        return sum(metric(f's{{shard="{shard}",state="{state}"}}') for shard in range(broker.shards))

    assert (in_state("Stable"), in_state("Empty"), metric("_members"), metric("_offsets")) == (1, 0, 2, PARTITIONS)
    assert metric("_rebalances_total") >= metric("_rebalance_seconds_count") >= 1
    assert metric("_committed_offsets_total") >= PARTITIONS
    assert admin_port.metric(broker, "corelane_requests_total") > metric("_commit_seconds_count") >= 1
    for member in members:
        member.stop()
    wait_until(lambda: in_state("Empty") == 1, "the group to be empty")
    assert (in_state("Stable"), metric("_members"), metric("_offsets")) == (0, 0, PARTITIONS)
    broker.kill9()
    broker.restart()
    wait_until(lambda: metric("_load_seconds_count") == 50, "all partitions of __consumer_offsets to be read")
    assert (in_state("Empty"), metric("_offsets")) == (1, PARTITIONS)
    assert metric("_loaded_records_total") > PARTITIONS
    client = confluent.admin(broker.bootstrap)
    client.delete_consumer_groups(["g"])["g"].result(confluent.TIMEOUT_S)
    assert metric("_forgotten_offsets_total") == PARTITIONS
