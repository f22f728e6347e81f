"""Compacted topics: of each key the last record stays, with its offset, time and headers, for every client."""

import dataclasses
import glob
import os
import re

import pytest
from confluent_kafka import KafkaError, KafkaException

from harness import confluent, disk
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, unique_topic
from harness.waiting import wait_until

# Passes come often, and segments are complete soon although nothing more comes.
EAGER = ["log.cleaner.backoff.ms=100", "log.retention.check.interval.ms=100"]
COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "segment.ms": "500"}
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
DUMP = "org.apache.kafka.tools.DumpLogSegments"


def rows(key_count, rounds):
    """Each key once in each round, with repeated header names; every seventh key is deleted in the last one."""
    made = []
    for n in range(rounds):
        for k in range(key_count):
            is_deleted = n == rounds - 1 and k % 7 == 0
            value = None if is_deleted else b"%d-%d" % (n, k) + b"x" * 200
            headers = (("round", b"%d" % n), ("round", b"again"))
            made.append(Record(b"key-%d" % k, value, headers, BASE_TIMESTAMP_MS + n))
    return made


def last_of_each(sent):
    """The records that stay, with their offsets."""
    last = {record.key: offset for offset, record in enumerate(sent)}
    return [(offset, record) for offset, record in enumerate(sent) if last[record.key] == offset]


def produce_all(broker, topic, sent):
    """In pieces, each under another codec."""
    piece = -(-len(sent) // len(COMPRESSIONS))
    for n, compression in enumerate(COMPRESSIONS):
        config = {"compression.type": compression, "enable.idempotence": n % 2 == 0}
        confluent.produce(broker.bootstrap, topic, 0, sent[n * piece:(n + 1) * piece], **config)


def consumed(broker, topic):
    return confluent.consume(broker.bootstrap, topic, 0)


@pytest.fixture
def compacted(launch):
    """A broker with a topic that was compacted, and what is left of it."""
    broker = launch(shards=1, settings=EAGER, fixed_ports=True)
    topic = unique_topic("compacted")
    confluent.create_topic(broker.bootstrap, topic, **COMPACTED)
    sent = rows(key_count=50, rounds=40)
    produce_all(broker, topic, sent)
    left = last_of_each(sent)
    wait_until(lambda: len(consumed(broker, topic)) == len(left), "the topic to be compacted")
    return broker, topic, left


def test_the_last_record_of_each_key_stays(compacted):
    broker, topic, left = compacted
    assert consumed(broker, topic) == left
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 2000)
    broker.kill9()
    broker.restart()
    assert consumed(broker, topic) == left
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (0, 2000)
    assert confluent.produce(broker.bootstrap, topic, 0, [Record(b"key-1", b"new")]) == [2000]
    wait_until(lambda: b"key-1" not in [r.key for o, r in consumed(broker, topic) if o < 2000], "the old one to go")


def test_every_client_reads_over_the_holes(compacted, client, name):
    broker, topic, left = compacted
    if name == "kafkajs":  # it tells repeated headers as one
        left = [(offset, dataclasses.replace(record, headers=())) for offset, record in left]
        found = client.consume(broker.bootstrap, topic, 0)
        assert [(offset, dataclasses.replace(record, headers=())) for offset, record in found] == left
    else:
        assert client.consume(broker.bootstrap, topic, 0) == left
    # From the middle of a hole.
    first_kept = left[0][0]
    assert first_kept > 1000
    found = client.consume(broker.bootstrap, topic, 0, offset=500)
    assert [offset for offset, _ in found] == [offset for offset, _ in left]


def test_kafkas_own_tools_read_what_is_left(compacted, java):
    broker, topic, left = compacted
    printing = ["--formatter-property", "print.key=true", "--formatter-property", "print.offset=true"]
    place = ["--topic", topic, "--partition", 0, "--offset", "earliest", "--max-messages", len(left)]
    found = java.tool(
        CONSOLE_CONSUMER, "--bootstrap-server", broker.bootstrap, *place, "--timeout-ms", 20_000, *printing)
    value = lambda record: "null" if record.value is None else record.value.decode()
    assert found.splitlines() == [f"Offset:{o}\t{r.key.decode()}\t{value(r)}" for o, r in left]

    assert broker.terminate() == 0, broker.log()
    directory, = disk.topic_directories(broker.data_dir, topic)
    files = sorted(glob.glob(os.path.join(directory, "*.log")))
    assert any(re.search(r"/\d{20}\.\d+\.log$", path) for path in files), files
    offsets, generations = {}, {}
    for path in files:
        base, generation = re.search(r"/(\d{20})(?:\.(\d+))?\.log$", path).groups()
        text = java.tool(DUMP, "--print-data-log", "--files", path)
        assert "isvalid: false" not in text and "invalid bytes" not in text, text[-500:]
        if int(generation or 0) >= generations.get(base, 0):
            generations[base] = int(generation or 0)
            offsets[base] = [int(offset) for offset in re.findall(r"^\| offset: (\d+) ", text, re.M)]
    assert {offset for offset, _ in left} <= {offset for found in offsets.values() for offset in found}


def test_null_keys_are_refused_one_by_one(compacted):
    broker, topic, _ = compacted
    for compression in COMPRESSIONS:
        config = {"compression.type": compression, "linger.ms": 200}
        results = confluent.try_produce(broker.bootstrap, topic, 0, [Record(None, b"keyless")], **config)
        assert isinstance(results[0], KafkaException), results
        assert results[0].args[0].code() == KafkaError.INVALID_RECORD, results
