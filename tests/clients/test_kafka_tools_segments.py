"""Kafka's own tools on what is stored: records deleted on request, and the index files that a stop leaves."""

import glob
import json
import os
import re

import pytest

from harness import confluent
from harness.driver import DriverError
from harness.records import BASE_TIMESTAMP_MS, Record, sample_records, unique_topic

DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
DUMP = "org.apache.kafka.tools.DumpLogSegments"


@pytest.fixture
def topic(broker):
    name = unique_topic("tools")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    confluent.produce(broker.bootstrap, name, 0, sample_records(100), **{"batch.num.messages": 10})
    return name


def test_records_are_deleted_with_kafkas_tool(broker, java, topic, directory):
    """Also in the middle of a batch, and up to the end, which is -1."""
    path = os.path.join(directory, "offsets.json")

    def delete(offset):
        partitions = [{"topic": topic, "partition": 0, "offset": offset}]
        with open(path, "w", encoding="ascii") as file:
            json.dump({"version": 1, "partitions": partitions}, file)
        place = ["--bootstrap-server", broker.bootstrap, "--offset-json-file", path]
        answer = java.tool(DELETE_RECORDS, *place)
        rows = java.tool(OFFSETS, "--bootstrap-server", broker.bootstrap, "--topic", topic, "--time", "earliest")
        return int(re.search(r"low_watermark: (-?\d+)", answer).group(1)), rows.split()

    assert delete(35) == (35, [f"{topic}:0:35", f"{topic}:1:0"])
    assert [offset for offset, _ in confluent.consume(broker.bootstrap, topic, 0)] == list(range(35, 100))
    assert delete(-1) == (100, [f"{topic}:0:100", f"{topic}:1:0"])
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (100, 100)


def test_records_are_deleted_by_other_clients(broker, client, topic):
    client.request("delete_records", broker.bootstrap, topic=topic, partition=0, offset=35)
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (35, 100)
    assert [offset for offset, _ in client.consume(broker.bootstrap, topic, 0)] == list(range(35, 100))
    with pytest.raises(DriverError):
        client.request("delete_records", broker.bootstrap, topic=topic, partition=0, offset=101)
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (35, 100)


def test_a_consumer_before_the_first_record_starts_at_it(broker, java, topic):
    admin = confluent.admin(broker.bootstrap)
    [deleted] = admin.delete_records([confluent.TopicPartition(topic, 0, 35)]).values()
    assert deleted.result(confluent.TIMEOUT_S).low_watermark == 35
    java_config = {"auto.offset.reset": "earliest"}
    found = java.consume(broker.bootstrap, topic, 0, java_config, offset=10)
    assert [offset for offset, _ in found] == list(range(35, 100))


@pytest.mark.parametrize("kind", ["index", "timeindex"])
def test_index_files_fit_their_segments(launch, java, kind):
    """The dump tool looks each row up in the segment, and tells of every one that it does not find there."""
    broker = launch(shards=1)
    topic = unique_topic("dump")
    confluent.create_topic(broker.bootstrap, topic, **{"segment.bytes": str(1 << 20)})
    # Times go up and down: only a new maximum may be in the time index.
    times = [BASE_TIMESTAMP_MS + (i * 7919) % 1000 + i for i in range(4000)]
    records = [Record(b"%d" % i, os.urandom(1000), timestamp_ms=times[i]) for i in range(4000)]
    confluent.produce(broker.bootstrap, topic, 0, records, **{"batch.num.messages": 20})
    assert broker.terminate() == 0, broker.log()

    files = sorted(glob.glob(os.path.join(broker.data_dir, "topics", f"{topic}-0.*", f"*.{kind}")))
    assert len(files) >= 3, files
    for path in files:
        answer = java.try_tool(DUMP, "--files", path)
        assert (answer["exit_code"], answer["stderr"]) == (0, ""), answer
        rows = re.findall(r"offset: \d+", answer["stdout"])
        assert len(rows) >= 2, answer["stdout"]
        checked = java.try_tool(DUMP, "--index-sanity-check", "--files", path)
        assert (checked["exit_code"], checked["stderr"]) == (0, ""), checked
