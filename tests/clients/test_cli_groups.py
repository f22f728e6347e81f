"""corelane group, and corelane consume as a member: places are kept, shown, moved and deleted."""

import contextlib

import pytest

from harness import confluent
from harness.cli import NOT_AGREED, NOT_FOUND, PARTIAL, REFUSED, USAGE
from harness.cli_stream import INTERRUPTED, StreamCli
from harness.groups import Member
from harness.records import BASE_TIMESTAMP_MS, Record, unique_topic
from harness.waiting import wait_until

# Members that start together should, but nobody has to wait three seconds for it.
QUICK = ["group.initial.rebalance.delay.ms=100"]
PARTITIONS, PER_PARTITION = 2, 10


@pytest.fixture
def broker(launch):
    return launch(settings=QUICK, fixed_ports=True)


@pytest.fixture
def cli(broker, binary):
    return StreamCli(binary, broker.bootstrap)


@pytest.fixture
def topic(broker):
    """Ten records, one second apart, in each of two partitions."""
    name = unique_topic("group")
    confluent.create_topic(broker.bootstrap, name, partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        for i in range(PER_PARTITION):
            record = Record(None, b"%d/%d" % (partition, i), timestamp_ms=BASE_TIMESTAMP_MS + 1000 * i)
            confluent.produce(broker.bootstrap, name, partition, [record])
    return name


@contextlib.contextmanager
def member(broker, topic, group="g"):
    running = Member(broker.bootstrap, group, topic)
    wait_until(lambda: running.owned == frozenset(range(PARTITIONS)), "the member's share")
    try:
        yield running
    finally:
        running.stop()


def committed(broker, topic, group="g"):
    return confluent.committed(broker.bootstrap, group, topic, range(PARTITIONS))


EVERYTHING = sorted(f"{partition}/{i}" for partition in range(PARTITIONS) for i in range(PER_PARTITION))


def test_a_group_goes_on_where_it_stopped(broker, cli, topic):
    first = cli.values(topic, "--group", "g", "--count", "7")
    assert len(first) == 7 and sum(max(offset, 0) for offset in committed(broker, topic)) == 7
    assert broker.terminate() == 0
    broker.restart()
    second = cli.values(topic, "--group", "g", "--from", "committed")
    assert sorted(first + second) == EVERYTHING
    assert cli.values(topic, "--group", "g") == [], "nothing new"
    cli.feed(b"new\n", "produce", topic).expect(0)
    assert cli.values(topic, "--group", "g") == ["new"]
    assert cli.values(topic, "--group", "other", "--from", "latest") == []


def test_a_file_of_settings_does_not_name_the_group(cli, topic, tmp_path):
    file = tmp_path / "consumer.properties"
    file.write_text("group.id=theirs\nenable.auto.commit=false\n")
    assert sorted(cli.values(topic, "--group", "mine", "--command-config", str(file))) == EVERYTHING
    assert cli.values(topic, "--group", "mine") == [], "it has committed"
    assert sorted(cli.values(topic, "--group", "theirs")) == EVERYTHING, "of this group nothing was committed"


def test_what_was_not_printed_is_not_committed(broker, cli, topic):
    with cli.start("consume", topic, "--group", "g", "--follow") as consumer:
        assert sorted(consumer.read(20)) == EVERYTHING
        assert consumer.interrupt() == ([], "")
    assert committed(broker, topic) == [PER_PARTITION] * PARTITIONS


def test_both_wait_for_a_broker_that_comes_back(broker, cli, topic):
    with cli.start("consume", topic, "--group", "g", "--follow") as consumer, cli.start("produce", topic) as producer:
        assert sorted(consumer.read(20)) == EVERYTHING
        producer.type(b"before")
        assert consumer.read(1) == ["before"]
        broker.kill9()
        producer.type(b"meanwhile")
        assert "waiting for one; Ctrl-C gives up" in producer.process.stderr.readline().decode()
        broker.restart()
        producer.type(b"after")
        assert sorted(consumer.read(2)) == ["after", "meanwhile"]
        assert consumer.interrupt()[0] == []
        assert producer.interrupt(status=INTERRUPTED)[0] == [f"3 records written to {topic}"]
    assert sum(committed(broker, topic)) == 23


def test_giving_up(broker, cli, topic):
    with cli.start("produce", topic) as producer:
        producer.type(b"a")
        wait_until(lambda: len(cli.values(topic)) == 21, "the first line")
        broker.kill9()
        producer.type(b"b", b"c")
        assert "waiting for one; Ctrl-C gives up" in producer.process.stderr.readline().decode()
        printed, stderr = producer.interrupt(status=INTERRUPTED)
        assert printed == [f"1 record written to {topic}"] and "line 3 was not written" in stderr
    broker.restart()


def test_members_share_the_partitions(broker, cli, topic):
    with member(broker, topic) as other:
        with cli.start("consume", topic, "--group", "g", "--follow", "-X",
                       "partition.assignment.strategy=range") as consumer:
            wait_until(lambda: len(other.owned) == 1, "the other's share")
            described = cli.json("group", "describe", "g")
            assert described["state"] in ("Stable", "CompletingRebalance") and len(described["members"]) == 2
            # What comes to its partition from now on is printed by the one or read by the other.
            mine = ({0, 1} - other.owned).pop()
            cli.feed(b"mine\n", "produce", topic, "-p", str(mine)).expect(0)
            while consumer.read(1) != ["mine"]:
                pass
            consumer.interrupt()
        wait_until(lambda: len(other.owned) == 2, "the whole for who is left")


def test_groups_are_listed_and_described(broker, cli, topic):
    assert cli.json("group", "list") == []
    assert "group g does not exist; `corelane group list`" in cli.run("group", "describe", "g").expect(NOT_FOUND).stderr
    assert sorted(cli.values(topic, "--group", "empty")) == EVERYTHING
    with member(broker, topic) as alive:
        wait_until(lambda: alive.committed == {0: PER_PARTITION, 1: PER_PARTITION}, "commits")
        rows = {row["group"]: row for row in cli.json("group", "list")}
        assert set(rows) == {"empty", "g"}
        assert (rows["g"]["state"], rows["g"]["protocol"], rows["g"]["members"]) == ("Stable", "range", 1)
        assert (rows["empty"]["state"], rows["empty"]["members"]) == ("Empty", 0)
        assert cli.ok("group", "list").splitlines()[0].split() == ["group", "state", "type", "protocol", "members"]

        group = cli.json("group", "describe", "g")
        assert (group["state"], group["protocol"], group["total_lag"]) == ("Stable", "range", 0)
        assert group["coordinator"]["id"] in (1000, 1001)
        (found,) = group["members"]
        assert found["client_id"] == "rdkafka" and found["host"].endswith("127.0.0.1")
        assert [(row["topic"], row["partition"], row["committed"], row["end"], row["lag"], row["member_id"])
                for row in group["partitions"]] == [
            (topic, partition, 10, 10, 0, found["member_id"]) for partition in range(PARTITIONS)]
    cli.feed(b"a\nb\nc\n", "produce", topic).expect(0)
    empty = cli.json("group", "describe", "empty")
    assert (empty["state"], empty["total_lag"], empty["members"]) == ("Empty", 3, [])
    assert "total lag    3" in cli.ok("group", "describe", "empty")


def test_a_reset_is_shown_first_and_then_done(broker, cli, topic):
    cli.values(topic, "--group", "g")
    to = ["group", "reset", "g", "--topic", topic, "--to"]
    outcome = cli.json(*to, "earliest", "--dry-run")
    assert outcome["group"] == "g" and outcome["dry_run"]
    assert [(row["before"], row["after"], row["lag"]) for row in outcome["partitions"]] == [(10, 0, 10)] * 2
    assert committed(broker, topic) == [10, 10]
    script = cli.run(*to, "earliest").expect(NOT_AGREED)
    assert "--yes" in script.stderr and "before" in script.stdout
    cli.answer("no\n", *to, "earliest").expect(NOT_AGREED)
    assert committed(broker, topic) == [10, 10]
    cli.answer("yes\n", *to, "earliest").expect(0)
    assert committed(broker, topic) == [0, 0]
    assert sorted(cli.values(topic, "--group", "g")) == EVERYTHING


def test_every_place_to_reset_to(broker, cli, topic):
    def reset(topics, to):
        rows = cli.json("group", "reset", "g", *topics, "--to", to, "--yes")["partitions"]
        assert [row["error"] for row in rows] == [None] * len(rows)
        return committed(broker, topic), [row["note"] for row in rows]

    one, all_of_it = ["--topic", f"{topic}:1"], ["--topic", topic]
    # The group is made by it.
    assert reset(one, "4") == ([-1001, 4], [None])
    assert reset(one, "+3") == ([-1001, 7], [None])
    assert reset(["--all-topics"], "-2") == ([-1001, 5], [None])
    assert reset(all_of_it, "2023-11-14T23:13:25.5+01:00") == ([6, 6], [None, None])
    assert reset(all_of_it, "latest") == ([10, 10], [None, None])
    assert reset(["--topic", f"{topic}:0,1"], "earliest") == ([0, 0], [None, None])
    assert reset(all_of_it, "-1h") == ([10, 10], ["no record of that time or later"] * 2)
    assert reset(all_of_it, "99") == ([10, 10], ["out of range 0 to 10"] * 2)
    assert reset(one, "-100") == ([10, 0], ["out of range 0 to 10"])

    cli.run("group", "reset", "new", *one, "--to", "-1", "--yes").expect(USAGE)
    cli.run("group", "reset", "new", "--all-topics", "--to", "1", "--yes").expect(NOT_FOUND)
    cli.run("group", "reset", "g", "--topic", "missing", "--to", "1", "--yes").expect(NOT_FOUND)
    cli.run("group", "reset", "g", "--topic", f"{topic}:7", "--to", "1", "--yes").expect(NOT_FOUND)
    cli.run("group", "reset", "g", *one, "--to", "committed", "--yes").expect(USAGE)
    assert committed(broker, topic) == [10, 0]


def test_a_group_with_members_is_left_alone(broker, cli, topic):
    with member(broker, topic):
        refused = cli.run("group", "reset", "g", "--topic", topic, "--to", "earliest", "--yes").expect(REFUSED)
        assert "it has 1 member (rdkafka at" in refused.stderr and "stop the group's members first" in refused.stderr
        shown = cli.run("group", "reset", "g", "--topic", topic, "--to", "earliest", "--dry-run").expect(0)
        assert "before" in shown.stdout and "they must stop" in shown.stderr
        refused = cli.run("group", "delete", "g", "--yes").expect(REFUSED)
        assert "NON_EMPTY_GROUP" in refused.stderr and "stop the group's members first" in refused.stderr
    cli.run("group", "reset", "g", "--topic", topic, "--to", "earliest", "--yes").expect(0)
    assert committed(broker, topic) == [0, 0]


def test_deleting_groups(broker, cli, topic):
    for group in ("a", "b"):
        cli.values(topic, "--group", group)
    cli.run("group", "delete", "a").expect(NOT_AGREED)
    rows = cli.json("group", "delete", "a", "missing", "--yes", status=PARTIAL)
    assert {row["name"]: row["result"] for row in rows} == {"a": "deleted", "missing": "failed"}
    assert [row["group"] for row in cli.json("group", "list")] == ["b"]
    assert committed(broker, topic, "a") == [-1001, -1001]
    assert "`corelane group list`" in cli.run("group", "delete", "a", "--yes").expect(NOT_FOUND).stderr


def test_whoever_is_asked_sees_the_plan_also_with_json(broker, cli, topic):
    reset = ["group", "reset", "g", "--topic", topic, "--to", "3", "--output", "json"]
    done = cli.answer("no\n", *reset).expect(NOT_AGREED)
    rows = [line.split() for line in done.stderr.splitlines() if line.startswith(topic)]
    assert rows == [[topic, str(partition), "-", "3", str(PER_PARTITION - 3)] for partition in range(PARTITIONS)]
    assert done.stdout == ""
    assert [row["after"] for row in cli.json(*reset[:-2], "--yes")["partitions"]] == [3] * PARTITIONS


def test_what_is_named_twice_is_done_once(cli, topic):
    cli.ok("group", "reset", "g", "--topic", topic, "--to", "earliest", "--yes")
    rows = cli.json("group", "delete", "g", "g", "--yes")
    assert [(row["name"], row["result"]) for row in rows] == [("g", "deleted")]
    assert [row["name"] for row in cli.json("topic", "describe", topic, topic)] == [topic]
