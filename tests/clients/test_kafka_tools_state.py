"""Kafka's own tools looking inside: log directories and producers."""

import json

import pytest

from harness import confluent
from harness.records import sample_records, unique_topic

LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand"
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"


@pytest.fixture
def topic(broker):
    name = unique_topic("tools")
    confluent.create_topic(broker.bootstrap, name, partitions=4)
    return name


def test_log_dirs_tell_each_partitions_size_once(broker, java, topic):
    for partition in range(4):
        confluent.produce(broker.bootstrap, topic, partition, sample_records(50))
    output = java.tool(LOG_DIRS, "--bootstrap-server", broker.bootstrap, "--describe", "--topic-list", topic)
    described = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    assert [row["broker"] for row in described["brokers"]] == [1000 + shard for shard in range(broker.shards)]
    rows = [row for node in described["brokers"] for log_dir in node["logDirs"] for row in log_dir["partitions"]]
    assert sorted(row["partition"] for row in rows) == [f"{topic}-{partition}" for partition in range(4)]
    assert all(row["size"] > 0 and row["offsetLag"] == 0 and not row["isFuture"] for row in rows), rows


def test_producers_of_a_partition_are_listed(broker, java, topic):
    confluent.produce(broker.bootstrap, topic, 1, sample_records(10), **{"enable.idempotence": True})
    place = ["--topic", topic, "--partition", "1"]
    output = java.tool(TRANSACTIONS, "--bootstrap-server", broker.bootstrap, "describe-producers", *place)
    header, row = [line.split() for line in output.splitlines()]
    producer = dict(zip(header, row))
    assert (producer["ProducerEpoch"], producer["LastSequence"]) == ("0", "9"), output
    assert producer["CurrentTransactionStartOffset"] == "None", output
