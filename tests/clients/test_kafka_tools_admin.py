"""Kafka's own tools changing what is there: configs of topics and brokers, numbers of partitions."""

import re

import pytest

from harness import confluent
from harness.records import Record, unique_topic

TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"


@pytest.fixture
def error(broker, java):
    """Runs a tool that must fail, and returns all that it said."""

    def run(name, *arguments):
        answer = java.try_tool(name, "--bootstrap-server", broker.bootstrap, *arguments)
        assert answer["exit_code"] == 1, answer
        return answer["stdout"] + answer["stderr"]

    return run


@pytest.fixture
def topic(broker):
    name = unique_topic("tools")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    return name


def test_a_topics_configs_are_added_and_deleted(tool, topic):
    changes = "retention.ms=3600000,max.message.bytes=20000"
    assert "Completed updating config" in tool(CONFIGS, "--alter", "--topic", topic, "--add-config", changes)
    found = tool(CONFIGS, "--describe", "--topic", topic)
    assert re.search(r"^  retention\.ms=3600000 .*DYNAMIC_TOPIC_CONFIG:retention\.ms=3600000", found, re.M), found
    assert "max.message.bytes=20000" in found
    # One at a time: the other stays.
    tool(CONFIGS, "--alter", "--topic", topic, "--delete-config", "retention.ms")
    found = tool(CONFIGS, "--describe", "--topic", topic)
    assert "retention.ms" not in found and "max.message.bytes=20000" in found


def test_an_altered_limit_holds_at_once(broker, tool, topic):
    tool(CONFIGS, "--alter", "--topic", topic, "--add-config", "max.message.bytes=1000")
    [refused] = confluent.try_produce(broker.bootstrap, topic, 0, [Record(None, b"x" * 1000)])
    assert isinstance(refused, confluent.KafkaException), refused
    tool(CONFIGS, "--alter", "--topic", topic, "--delete-config", "max.message.bytes")
    assert confluent.produce(broker.bootstrap, topic, 0, [Record(None, b"x" * 1000)]) == [0]


def test_wrong_configs_are_refused_by_name(error, topic):
    assert "retention.ms" in error(CONFIGS, "--alter", "--topic", topic, "--add-config", "retention.ms=soon")
    assert "no.such" in error(CONFIGS, "--alter", "--topic", topic, "--add-config", "no.such.config=1")


def test_brokers_defaults_are_changed_while_it_runs(tool, topic):
    """For all brokers: topics without a value of their own follow."""
    brokers = ["--entity-type", "brokers", "--entity-default"]
    tool(CONFIGS, "--alter", *brokers, "--add-config", "log.retention.ms=7200000")
    assert "log.retention.ms=7200000" in tool(CONFIGS, "--describe", *brokers)
    assert re.search(r"^  retention\.ms=7200000 ", tool(CONFIGS, "--describe", "--topic", topic, "--all"), re.M)
    tool(CONFIGS, "--alter", *brokers, "--delete-config", "log.retention.ms")
    assert "log.retention.ms" not in tool(CONFIGS, "--describe", *brokers)


def test_partitions_are_added(broker, tool, topic):
    tool(TOPICS, "--alter", "--topic", topic, "--partitions", 5)
    assert "PartitionCount: 5" in tool(TOPICS, "--describe", "--topic", topic)
    assert confluent.produce(broker.bootstrap, topic, 4, [Record(None, b"new")]) == [0]


def test_partitions_are_never_taken_away(tool, error, topic):
    for partitions in (1, 2):
        assert "2 partition(s)" in error(TOPICS, "--alter", "--topic", topic, "--partitions", partitions)
    assert "PartitionCount: 2" in tool(TOPICS, "--describe", "--topic", topic)
