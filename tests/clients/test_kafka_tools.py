"""Kafka's own command-line tools against a running broker, and on the segments that it leaves behind."""

import glob
import os
import re

import pytest

from harness import confluent
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, sample_records, unique_topic

TOPICS = "org.apache.kafka.tools.TopicCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
CONFIGS = "kafka.admin.ConfigCommand"
PRODUCER_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand"
CLUSTER = "org.apache.kafka.tools.ClusterTool"
DUMP = "org.apache.kafka.tools.DumpLogSegments"


@pytest.fixture
def topic(broker):
    name = unique_topic("tools")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    return name


def test_topics_are_created_listed_described_and_deleted(broker, tool):
    topic = unique_topic("tools")
    assert f"Created topic {topic}." in tool(TOPICS, "--create", "--topic", topic, "--partitions", 3)
    assert topic in tool(TOPICS, "--list").splitlines()
    described = tool(TOPICS, "--describe", "--topic", topic)
    assert re.search(r"PartitionCount: 3\s+ReplicationFactor: 1", described), described
    leaders = re.findall(r"Partition: \d\s+Leader: (\d+)\s+Replicas: (\d+)\s+Isr: (\d+)", described)
    assert len(leaders) == 3, described
    assert {leader for row in leaders for leader in row} == {str(1000 + shard) for shard in range(broker.shards)}
    tool(TOPICS, "--delete", "--topic", topic)
    assert topic not in tool(TOPICS, "--list").splitlines()


def test_a_topic_is_created_with_a_config_and_described_with_it(tool):
    topic = unique_topic("tools")
    tool(TOPICS, "--create", "--topic", topic, "--config", "segment.bytes=1048576")
    assert "segment.bytes=1048576" in tool(TOPICS, "--describe", "--topic", topic)
    assert topic in tool(TOPICS, "--describe", "--topics-with-overrides")
    assert "segment.bytes=1048576" in tool(CONFIGS, "--describe", "--topic", topic)


def test_what_is_wrong_with_a_topic_is_said(broker, java, topic):
    def error(*arguments):
        answer = java.try_tool(TOPICS, "--bootstrap-server", broker.bootstrap, *arguments)
        assert answer["exit_code"] == 1, answer
        return answer["stdout"]

    assert "already exists" in error("--create", "--topic", topic)
    assert "does not exist" in error("--describe", "--topic", unique_topic("never-created"))
    replicated = unique_topic("tools")
    assert "replica" in error("--create", "--topic", replicated, "--replication-factor", 3).lower()
    assert "no.such" in error("--create", "--topic", replicated, "--config", "no.such.config=1")


def test_nothing_is_under_replicated_or_unavailable(tool, topic):
    for kind in ("under-replicated", "unavailable", "under-min-isr", "at-min-isr"):
        found = tool(TOPICS, "--describe", "--topic", topic, f"--{kind}-partitions")
        # One replica of one is all that there must be, and Kafka calls that "at" the minimum.
        assert found.count("Partition:") == (2 if kind == "at-min-isr" else 0), found


def test_offsets_of_every_kind(broker, tool, topic):
    confluent.produce(broker.bootstrap, topic, 0, sample_records(100), **{"batch.num.messages": 10})
    newest_first = [Record(None, b"late", timestamp_ms=BASE_TIMESTAMP_MS + 5000), Record(None, b"early")]
    confluent.produce(broker.bootstrap, topic, 1, newest_first)

    def offsets(time):
        rows = tool(OFFSETS, "--topic", topic, "--time", time).split()
        return {int(partition): int(offset) for _, partition, offset in (row.rsplit(":", 2) for row in rows)}

    assert offsets("earliest") == offsets("-2") == offsets("earliest-local") == {0: 0, 1: 0}
    assert offsets("latest") == offsets("-1") == {0: 100, 1: 2}
    assert offsets("max-timestamp") == {0: 99, 1: 0}
    assert offsets(BASE_TIMESTAMP_MS + 1000) == {0: 1, 1: 0}
    assert offsets(BASE_TIMESTAMP_MS + 41_001) == {0: 42}  # a partition without such a record has no line
    assert offsets("latest-tiered") == {}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_producer_performance(tool, topic, compression):
    arguments = ["--topic", topic, "--num-records", 20_000, "--record-size", 500, "--throughput", -1]
    report = tool(PRODUCER_PERFORMANCE, *arguments, "--command-property", f"compression.type={compression}")
    assert "20000 records sent" in report, report
    ends = tool(OFFSETS, "--topic", topic).split()
    assert sum(int(row.rsplit(":", 1)[1]) for row in ends) == 20_000, ends


def test_console_consumer_reads_a_partition(broker, tool, topic):
    confluent.produce(broker.bootstrap, topic, 0, [Record(b"k%d" % i, b"value %d" % i) for i in range(10)])
    printing = ["--formatter-property", "print.key=true", "--formatter-property", "print.timestamp=true"]
    place = ["--topic", topic, "--partition", 0, "--offset", 8]
    found = tool(CONSOLE_CONSUMER, *place, "--max-messages", 2, "--timeout-ms", 20_000, *printing)
    assert found.splitlines() == [f"CreateTime:{BASE_TIMESTAMP_MS}\tk{i}\tvalue {i}" for i in (8, 9)]


def test_configs_are_described(tool, topic):
    found = tool(CONFIGS, "--describe", "--topic", topic, "--all")
    assert re.search(r"^  cleanup\.policy=delete sensitive=false", found, re.M), found
    assert re.search(r"^  max\.message\.bytes=1048588 ", found, re.M), found
    assert "message.max.bytes" in tool(CONFIGS, "--describe", "--broker", 1000, "--all")


def test_cluster_and_api_versions(broker, java, tool):
    found = java.tool(CLUSTER, "cluster-id", "--bootstrap-server", broker.bootstrap)
    assert re.match(r"Cluster ID: \S{22}$", found.strip()), found
    found = tool(API_VERSIONS)
    assert len(re.findall(r"^\S+ \(id: 100\d rack: ", found, re.M)) == broker.shards, found
    # Kafka 4's client never needs a version that is older than its own newest one.
    for api in ("Produce(0)", "Fetch(1)", "ListOffsets(2)", "Metadata(3)"):
        newest, usable = re.search(rf"{re.escape(api)}: \d+ to (\d+) \[usable: (\d+)\]", found).groups()
        assert newest == usable


def test_segments_are_read_by_kafkas_dump_tool(launch, java):
    """After a clean stop, sealed segments and the last one: every batch, valid, with the records that were sent."""
    broker = launch(shards=1)
    topic = unique_topic("dump")
    confluent.create_topic(broker.bootstrap, topic, **{"segment.bytes": str(1 << 20)})
    records = sample_records(1000)
    for compression in COMPRESSIONS:
        config = {"compression.type": compression, "batch.num.messages": 50}
        confluent.produce(broker.bootstrap, topic, 0, records, **config)
    filling = [Record(b"%d" % i, os.urandom(1000)) for i in range(2000)]
    confluent.produce(broker.bootstrap, topic, 0, filling)
    assert broker.terminate() == 0, broker.log()

    files = sorted(glob.glob(os.path.join(broker.data_dir, "topics", f"{topic}-0.*", "*.log")))
    assert len(files) >= 3, files
    batches, keys = [], []
    for path in files:
        text = java.tool(DUMP, "--print-data-log", "--files", path)
        found = re.findall(r"^baseOffset: (\d+) lastOffset: (\d+) .* compresscodec: (\w+) .* isvalid: (\w+)$", text, re.M)
        assert int(os.path.basename(path)[:20]) == int(found[0][0])
        batches += found
        keys += re.findall(r"^\| offset: (\d+) .* keySize: (-?\d+) valueSize: (-?\d+)", text, re.M)
        assert "invalid bytes" not in text, text[-500:]

    sent = records * len(COMPRESSIONS) + filling
    assert [int(first) for first, *_ in batches] == [0] + [int(last) + 1 for _, last, *_ in batches[:-1]]
    assert {valid for *_, valid in batches} == {"true"}
    assert {codec for _, _, codec, _ in batches} == set(COMPRESSIONS)
    sizes = [(i, size(r.key), size(r.value)) for i, r in enumerate(sent)]
    assert [tuple(int(number) for number in row) for row in keys] == sizes


def size(data):
    return -1 if data is None else len(data)
