"""corelane topic, config and cluster: real commands against the real broker, their JSON and exit statuses."""

import contextlib
import socket
import subprocess

import pytest
from confluent_kafka import KafkaException

from harness import confluent
from harness.cli import NOT_AGREED, NOT_FOUND, OK, PARTIAL, REFUSED, UNREACHABLE, USAGE, Cli
from harness.ports import free_port_block
from harness.records import Record, unique_topic
from harness.waiting import wait_until


@pytest.fixture
def cli(broker, binary):
    return Cli(binary, broker.bootstrap)


@pytest.fixture
def topic(cli):
    """A topic with two partitions."""
    name = unique_topic("cli")
    cli.ok("topic", "create", name, "--partitions", "2")
    return name


def topic_names(cli, *arguments):
    return [row["name"] for row in cli.json("topic", "list", *arguments)]


def configs_of(cli, *arguments):
    """Key to value and source."""
    (found,) = cli.json("config", "get", *arguments)
    return {entry["key"]: (entry["value"], entry["source"]) for entry in found["configs"]}


def test_the_life_of_a_topic(broker, cli):
    name = unique_topic("cli")
    created = cli.json("topic", "create", name, "-p", "3", "-r", "1", "-c", "retention.ms=86400000")
    assert created == [{"name": name, "result": "created", "error": None}]
    row = next(row for row in cli.json("topic", "list") if row["name"] == name)
    assert (row["partitions"], row["replication_factor"], row["is_internal"]) == (3, 1, False)
    assert (row["partitions_without_leader"], row["under_replicated_partitions"]) == (0, 0)

    confluent.produce(broker.bootstrap, name, 1, [Record(None, b"%d" % i) for i in range(10)])
    (found,) = cli.json("topic", "describe", name)
    assert found["id"] == row["id"] and found["configs"] == [{
        "key": "retention.ms", "value": "86400000", "source": "topic", "is_read_only": False, "is_sensitive": False}]
    offsets = [(it["partition"], it["log_start_offset"], it["high_watermark"]) for it in found["partitions"]]
    assert offsets == [(0, 0, 0), (1, 0, 10), (2, 0, 0)]
    assert all(it["replicas"] == it["in_sync_replicas"] == [it["leader"]] for it in found["partitions"])

    cli.ok("topic", "alter", name, "--partitions", "5", "--set", "max.message.bytes=2000", "--unset", "retention.ms")
    (found,) = cli.json("topic", "describe", name)
    assert len(found["partitions"]) == 5
    assert configs_of(cli, "topic", name) == {"max.message.bytes": ("2000", "topic")}

    assert cli.json("topic", "delete", name, "--yes") == [{"name": name, "result": "deleted", "error": None}]
    assert name not in topic_names(cli)
    missing = cli.run("topic", "describe", name).expect(NOT_FOUND)
    assert f"topic {name} does not exist; `corelane topic list`" in missing.stderr and not missing.stdout.strip("[]\n")


def test_tables_for_people(cli, topic):
    assert cli.ok("topic", "list").splitlines()[0].split() == ["topic", "partitions", "replicas", "health"]
    described = cli.ok("topic", "describe", topic)
    assert described.startswith(f"topic {topic}: 2 partitions, id ") and "high watermark" in described
    assert cli.ok("config", "get", "topic", topic) == f"topic {topic}: everything is the default; --all shows it\n"


def test_creating_what_exists(cli, topic):
    refused = cli.run("topic", "create", topic).expect(REFUSED)
    assert "TOPIC_ALREADY_EXISTS" in refused.stderr and "--if-not-exists" in refused.stderr
    assert cli.json("topic", "create", topic, "--if-not-exists")[0]["result"] == "exists"
    other = unique_topic("cli")
    rows = cli.json("topic", "create", topic, other, status=PARTIAL)
    assert {row["name"]: row["result"] for row in rows} == {topic: "failed", other: "created"}


def test_what_the_broker_refuses_is_told_in_its_words(cli, topic):
    name = unique_topic("cli")
    refused = cli.run("topic", "create", name, "--config", "retention.ms=soon").expect(REFUSED)
    assert "INVALID_CONFIG" in refused.stderr and "retention.ms" in refused.stderr
    refused = cli.run("topic", "create", name, "--replication-factor", "3").expect(REFUSED)
    assert "INVALID_REPLICATION_FACTOR" in refused.stderr
    assert "INVALID_PARTITIONS" in cli.run("topic", "alter", topic, "--partitions", "1").expect(REFUSED).stderr
    assert "TOPIC_EXCEPTION" in cli.run("topic", "create", "no/name").expect(REFUSED).stderr


def test_dry_run_creates_nothing(cli):
    name = unique_topic("cli")
    assert cli.json("topic", "create", name, "--dry-run")[0]["result"] == "possible"
    cli.run("topic", "create", name, "--dry-run", "--config", "retention.ms=soon").expect(REFUSED)
    assert name not in topic_names(cli, "--internal")


def test_deleting_asks(cli, topic):
    script = cli.run("topic", "delete", topic).expect(NOT_AGREED)
    assert "--yes" in script.stderr and f"{topic} (2 partitions)" in script.stderr
    cli.answer("no\n", "topic", "delete", topic).expect(NOT_AGREED)
    assert topic in topic_names(cli)
    cli.answer("yes\n", "topic", "delete", topic).expect(OK)
    assert topic not in topic_names(cli)
    cli.run("topic", "delete", topic, "--yes").expect(NOT_FOUND)
    cli.run("topic", "delete", topic).expect(NOT_FOUND)
    assert cli.json("topic", "delete", topic, "--yes", "--if-exists")[0]["result"] == "absent"


def test_internal_topics_are_listed_if_asked_for(broker, cli, topic):
    def is_made():
        # Whoever looks for a group's coordinator makes the topic; until it has leaders the answer is an error.
        with contextlib.suppress(KafkaException):
            confluent.committed(broker.bootstrap, "group", topic, [0])
        return "__consumer_offsets" in topic_names(cli, "--internal")

    wait_until(is_made, "the internal topic")
    assert "__consumer_offsets" not in topic_names(cli)
    (found,) = cli.json("topic", "describe", "__consumer_offsets")
    assert found["is_internal"]


def test_configs_of_a_topic(cli, topic):
    cli.ok("config", "set", "topic", topic, "cleanup.policy=compact", "min.cleanable.dirty.ratio=0.1")
    expected = {"cleanup.policy": ("compact", "topic"), "min.cleanable.dirty.ratio": ("0.1", "topic")}
    assert configs_of(cli, "topic", topic) == expected
    asked = configs_of(cli, "topic", topic, "segment.bytes", "cleanup.policy")
    assert asked["segment.bytes"][1] == "default" and len(asked) == 2
    assert len(configs_of(cli, "topic", topic, "--all")) > 10
    cli.ok("config", "unset", "topic", topic, "cleanup.policy")
    assert list(configs_of(cli, "topic", topic)) == ["min.cleanable.dirty.ratio"]
    assert "nonsense" in cli.run("config", "get", "topic", topic, "nonsense").expect(NOT_FOUND).stderr
    cli.run("config", "set", "topic", topic, "nonsense=1").expect(REFUSED)
    cli.run("config", "set", "topic", unique_topic("missing"), "retention.ms=1").expect(NOT_FOUND)
    cli.run("config", "get", "topic", unique_topic("missing")).expect(NOT_FOUND)


def test_sizes_and_durations_become_kafkas_numbers(cli, topic):
    cli.ok("config", "set", "topic", topic, "segment.bytes=64MiB", "retention.ms=7d", "retention.bytes=-1")
    cli.ok("topic", "alter", topic, "--set", "max.message.bytes=512KiB")
    values = {key: value for key, (value, _) in configs_of(cli, "topic", topic).items()}
    assert values == {"segment.bytes": str(64 << 20), "retention.ms": str(7 * 86_400_000), "retention.bytes": "-1",
                      "max.message.bytes": str(512 << 10)}
    assert "soon" in cli.run("config", "set", "topic", topic, "retention.ms=soon").expect(REFUSED).stderr


def test_configs_of_brokers(cli, topic):
    def value(broker):
        return configs_of(cli, "broker", broker, "log.retention.ms")["log.retention.ms"]

    default = value("1000")
    cli.ok("config", "set", "broker", "1001", "log.retention.ms=7200000")
    assert (value("1000"), value("1001")) == (default, ("7200000", "broker"))
    rows = cli.json("config", "set", "broker", "all", "log.retention.ms=3600000")
    assert [(row["name"], row["result"]) for row in rows] == [("broker 1000", "set"), ("broker 1001", "set")]
    assert value("1000") == value("1001") == ("3600000", "broker")
    assert len(cli.json("config", "get", "broker", "all")) == 2
    cli.ok("config", "unset", "broker", "all", "log.retention.ms")
    assert value("1001") == default
    assert "cluster status" in cli.run("config", "get", "broker", "77").expect(NOT_FOUND).stderr
    cli.run("config", "get", "broker", "one").expect(USAGE)


def test_cluster_status(broker, cli, topic):
    status = cli.json("cluster", "status")
    assert [it["id"] for it in status["brokers"]] == [1000, 1001] and status["shards_are_brokers"]
    assert all(it["unreachable"] is None for it in status["brokers"])
    assert sum(it["leaders"] for it in status["brokers"]) == status["partitions"] >= 2
    assert status["partitions_without_leader"] == status["under_replicated_partitions"] == []
    assert status["controller"] in (1000, 1001) and status["cluster_id"]
    assert "shard s of node n has the id n * 1000 + s" in cli.ok("cluster", "status")


def test_a_node_that_is_one_broker_is_shown_as_one(launch, binary):
    cli = Cli(binary, launch(settings=["advertise=node"]).bootstrap)
    status = cli.json("cluster", "status")
    assert len(status["brokers"]) == 1 and not status["shards_are_brokers"]


@pytest.mark.parametrize("arguments", [
    ("topic", "list"), ("cluster", "status"), ("config", "get", "broker", "all"), ("topic", "create", "a")])
def test_nobody_there(binary, arguments):
    port = free_port_block(1)
    done = Cli(binary, f"127.0.0.1:{port}").run(*arguments).expect(UNREACHABLE)
    assert not done.stdout
    assert f"no broker can be reached at 127.0.0.1:{port}: " in done.stderr and "refused" in done.stderr
    assert "--brokers" in done.stderr


def test_somebody_there_who_does_not_answer(binary):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cli = Cli(binary, f"127.0.0.1:{silent.getsockname()[1]}")
        done = cli.run("topic", "list", "--timeout", "1s").expect(UNREACHABLE)
    assert "no answer within 1s" in done.stderr and "--timeout" in done.stderr


def test_a_host_with_two_addresses_of_which_one_answers(broker, binary):
    # localhost is often ::1 as well, where the broker does not listen; and the flag wins over the variable.
    port = broker.bootstrap.rsplit(":", 1)[1]
    Cli(binary, "127.0.0.1:1").run("topic", "list", "--brokers", f"localhost:{port}").expect(OK)


def test_wrong_arguments(cli, topic):
    for arguments in (["topic"], ["topic", "create"], ["topic", "alter", topic], ["topic", "list", "-X", "nonsense"],
                      ["topic", "list", "-X", "no.such.setting=1"], ["topic", "list", "--timeout", "never"]):
        assert cli.run(*arguments).expect(USAGE).stderr


def test_settings_in_a_file(cli, topic, tmp_path):
    file = tmp_path / "client.properties"
    file.write_text("# of Kafka's tools\nclient.id = me\nbootstrap.servers=127.0.0.1:1\nno.such.setting=1\n")
    refused = cli.run("topic", "list", "--command-config", str(file)).expect(USAGE).stderr
    assert "no.such.setting" in refused and "CONFIGURATION.md" in refused
    file.write_text("# of Kafka's tools\nclient.id = me\nbootstrap.servers=127.0.0.1:1\n")
    assert topic in cli.ok("topic", "list", "--command-config", str(file))
    file.write_text("security.protocol=SSL\n")
    assert "without TLS" in cli.run("topic", "list", "--command-config", str(file)).expect(USAGE).stderr
    # What -X says wins.
    assert topic in cli.ok("topic", "list", "--command-config", str(file), "-X", "security.protocol=PLAINTEXT")
    assert "No such file" in cli.run("topic", "list", "--command-config", str(tmp_path / "none")).expect(USAGE).stderr


def test_the_client_library_is_quiet_unless_asked(cli):
    assert not cli.run("topic", "list").expect(OK).stderr
    assert "librdkafka" in cli.run("topic", "list", "-v", "-X", "debug=broker").expect(OK).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(cli, shell):
    assert "if-not-exists" in cli.ok("completions", shell)


def test_bash_takes_its_completions(cli):
    script = cli.ok("completions", "bash") + "\ncomplete -p corelane\n"
    done = subprocess.run(["bash"], input=script.encode(), capture_output=True, check=True)
    assert b"corelane" in done.stdout
