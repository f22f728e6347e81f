"""Records go: by request, by size and by age, with their disk space, and for good."""

import glob
import os
import time

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from harness import confluent, disk
from harness.records import Record, unique_topic
from harness.waiting import wait_until

MIB = 1 << 20
OFTEN = ["log.retention.check.interval.ms=200"]


def delete_records(broker, topic, partition, offset):
    """Asks for it and returns the new low watermark."""
    client = confluent.admin(broker.bootstrap)
    futures = client.delete_records([TopicPartition(topic, partition, offset)], request_timeout=confluent.TIMEOUT_S)
    return next(iter(futures.values())).result(confluent.TIMEOUT_S).low_watermark


def large_records(count, timestamp_ms):
    return [Record(b"%d" % n, os.urandom(64 << 10), (), timestamp_ms) for n in range(count)]


def now_ms():
    return int(time.time() * 1000)


def segment_files(broker, topic):
    return [path for directory in disk.topic_directories(broker.data_dir, topic)
            for path in sorted(glob.glob(os.path.join(directory, "*.log")))]


def test_deleted_records_stay_deleted_after_kill_9(launch):
    broker = launch(fixed_ports=True)
    topic = unique_topic("deleted")
    confluent.create_topic(broker.bootstrap, topic, 2)
    for partition in range(2):
        confluent.produce(broker.bootstrap, topic, partition, [Record(None, b"%d" % n) for n in range(100)])
    assert delete_records(broker, topic, 0, 40) == 40
    assert delete_records(broker, topic, 1, -1) == 100
    broker.kill9()
    broker.restart()
    assert confluent.watermarks(broker.bootstrap, topic, 0) == (40, 100)
    assert confluent.watermarks(broker.bootstrap, topic, 1) == (100, 100)
    assert [offset for offset, _ in confluent.consume(broker.bootstrap, topic, 0)] == list(range(40, 100))
    assert delete_records(broker, topic, 0, 10) == 40, "what is gone is gone"
    with pytest.raises(KafkaException) as refused:
        delete_records(broker, topic, 0, 101)
    assert refused.value.args[0].code() == KafkaError.OFFSET_OUT_OF_RANGE
    assert confluent.produce(broker.bootstrap, topic, 1, [Record(None, b"more")]) == [100]


def test_a_partition_is_kept_at_its_size(launch):
    broker = launch(settings=OFTEN)
    topic = unique_topic("size")
    settings = {"segment.bytes": str(MIB), "retention.bytes": str(4 * MIB)}
    confluent.create_topic(broker.bootstrap, topic, **settings)
    for _ in range(4):
        confluent.produce(broker.bootstrap, topic, 0, large_records(160, now_ms()))
    wait_until(lambda: len(segment_files(broker, topic)) <= 6, "old segments to be removed")
    low, high = confluent.watermarks(broker.bootstrap, topic, 0)
    assert high == 640 and 640 - 6 * 16 <= low <= 640 - 4 * 15, (low, high)
    assert [offset for offset, _ in confluent.consume(broker.bootstrap, topic, 0)] == list(range(low, 640))
    assert disk.allocated_bytes(disk.topic_directories(broker.data_dir, topic)) < 8 * MIB


def test_old_records_go_and_young_ones_stay(launch):
    broker = launch(settings=OFTEN)
    day_ms = 24 * 3600 * 1000
    old, young = unique_topic("old"), unique_topic("young")
    for topic in (old, young):
        confluent.create_topic(broker.bootstrap, topic, **{"retention.ms": str(day_ms)})
    confluent.produce(broker.bootstrap, young, 0, large_records(3, now_ms()))
    confluent.produce(broker.bootstrap, old, 0, large_records(3, now_ms() - 2 * day_ms))
    wait_until(lambda: confluent.watermarks(broker.bootstrap, old, 0) == (3, 3), "old records to go")
    wait_until(lambda: segment_files(broker, old) == [], "their segment to go")
    assert confluent.watermarks(broker.bootstrap, young, 0) == (0, 3)
    assert confluent.produce(broker.bootstrap, old, 0, [Record(None, b"more", (), now_ms())]) == [3]
