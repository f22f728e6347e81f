"""The disk fails, fills and rots under a broker with real clients: what they see, what is red, and what ends it."""

import concurrent.futures
import contextlib
import os
import resource

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from harness import admin_port, confluent, disk, disk_image
from harness.cli import UNREACHABLE, Cli
from harness.records import Record, unique_topic
from harness.waiting import wait_until
from harness.wire import messages
from harness.wire.batch import Batch
from harness.wire.connection import Connection

BLOCK_BYTES = 4096
SMALL_JOURNAL = "journal.bytes=48MiB"


def value(number, length):
    return b"%08d" % number + bytes(length - 8)


def produce(broker, topic, partition, values):
    """(error, base offset) for a batch of its own."""
    with Connection(broker.bootstrap) as connection:
        return messages.produce(connection, topic, partition, Batch(values).encode())


def fetch_error(broker, topic, partition, offset):
    with Connection(broker.bootstrap) as connection:
        return messages.fetch(connection, topic, partition, offset)[0]


def numbers(rows):
    return [int(record.value[:8]) for _, record in rows]


def delete_records(broker, topic, partition, offset):
    client = confluent.admin(broker.bootstrap)
    (deleted,) = client.delete_records([TopicPartition(topic, partition, offset)]).values()
    return deleted.result(confluent.TIMEOUT_S).low_watermark


def flip_bit(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        [byte] = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def is_well(broker):
    return admin_port.get(broker, "/healthz") == (200, "ok\n")


@pytest.fixture
def small_disk(directory):
    with disk_image.mounted(directory, 400 << 20) as mount:
        yield mount


def produce_until_refused(broker, topic):
    """The number of batches that were acknowledged, and the error of the next one."""
    with Connection(broker.bootstrap) as connection:
        for number in range(1_000):
            batch = Batch([value(number, 500_000)]).encode()
            error, offset = messages.produce(connection, topic, 0, batch)
            if error != messages.NONE:
                return number, error
            assert offset == number
    raise AssertionError("the disk does not fill")


def test_a_disk_that_fills_refuses_producers_until_there_is_room(small_disk, launch):
    bound = 64 << 20
    settings = [SMALL_JOURNAL, f"disk.free.min={bound >> 20}MiB", "log.segment.bytes=8388608"]
    broker = launch.prepare(shards=1, settings=settings)
    broker.data_dir = os.path.join(small_disk, "data")
    broker.start()
    topic = unique_topic("full")
    confluent.create_topic(broker.bootstrap, topic, **{"retention.ms": "-1"})
    sent, error = produce_until_refused(broker, topic)
    assert error == messages.KAFKA_STORAGE_ERROR
    assert 0 < disk_image.free_bytes(small_disk) < bound, "refused early, and not before"
    status, reason = admin_port.get(broker, "/healthz")
    assert status == 503 and "nearly full" in reason and "disk.free.min" in reason
    assert admin_port.get(broker, "/readyz")[0] == 200
    assert admin_port.metric(broker, "corelane_disk_full{") == 1
    assert numbers(confluent.consume(broker.bootstrap, topic, 0)) == list(range(sent))

    filler = os.path.join(small_disk, "somebody-elses")
    disk_image.use_up(filler, 0)
    for restarts in (False, True):  # nothing that is stored needs room, nor does a start
        if restarts:
            broker.kill9()
            broker.start()
        assert produce(broker, topic, 0, [b"x"])[0] == messages.KAFKA_STORAGE_ERROR
        assert numbers(confluent.consume(broker.bootstrap, topic, 0, sent - 5)) == list(range(sent - 5, sent))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        # A real client waits, and is done when there is room.
        waiting = pool.submit(confluent.produce, broker.bootstrap, topic, 0, [Record(None, value(sent, 100))])
        assert delete_records(broker, topic, 0, sent - 5) == sent - 5
        wait_until(lambda: disk_image.free_bytes(small_disk) > 2 * bound or use_less(filler), "room")
        assert waiting.result(confluent.TIMEOUT_S) == [sent]
    wait_until(lambda: is_well(broker), "the broker to be well")
    assert numbers(confluent.consume(broker.bootstrap, topic, 0)) == list(range(sent - 5, sent + 1))
    assert broker.terminate() == 0, broker.log()


def use_less(filler):
    """The other's file goes, if it is still there; not yet enough by itself."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(filler)
    return False


def test_rot_in_a_segment_takes_one_partition_from_producers(launch):
    broker = launch(shards=1, settings=[SMALL_JOURNAL, "log.segment.bytes=2097152"])
    topic, count, batch = unique_topic("rot"), 60, 100_000
    confluent.create_topic(broker.bootstrap, topic, partitions=2, **{"retention.ms": "-1"})
    for partition in range(2):
        for number in range(count):
            assert produce(broker, topic, partition, [value(number, batch)]) == (messages.NONE, number)
    assert broker.terminate() == 0  # everything is in the segments then
    broker.start()
    broker.kill9()
    [directory] = [name for name in disk.topic_directories(broker.data_dir, topic) if f"{topic}-0." in name]
    segments = sorted(name for name in os.listdir(directory) if name.endswith(".log"))
    assert len(segments) > 2
    bad, end = 3, int(segments[1].removesuffix(".log"))
    assert bad < end
    flip_bit(os.path.join(directory, segments[0]), bad * len(Batch([value(0, batch)]).encode()) + batch // 2)
    broker.start()

    with pytest.raises(KafkaException):  # a real consumer gets what is before it, and is told
        confluent.consume(broker.bootstrap, topic, 0)
    assert [fetch_error(broker, topic, 0, offset) for offset in (0, bad, end)] == [
        messages.NONE, messages.CORRUPT_MESSAGE, messages.NONE]
    status, reason = admin_port.get(broker, "/healthz")
    assert status == 503 and f"{topic}-0." in reason and f"at offset {bad} " in reason and f"0 to {end - 1}" in reason
    assert admin_port.get(broker, "/readyz")[0] == 200
    assert admin_port.metric(broker, 'corelane_partitions{shard="0",state="damaged"}') == 1
    assert produce(broker, topic, 0, [b"x"])[0] == messages.KAFKA_STORAGE_ERROR
    assert produce(broker, topic, 1, [value(count, 100)]) == (messages.NONE, count)
    assert numbers(confluent.consume(broker.bootstrap, topic, 1)) == list(range(count + 1))

    assert delete_records(broker, topic, 0, end) == end  # what the operator decides
    wait_until(lambda: is_well(broker), "the damage to be deleted")
    assert produce(broker, topic, 0, [value(count, 100)]) == (messages.NONE, count)
    assert numbers(confluent.consume(broker.bootstrap, topic, 0)) == list(range(end, count + 1))


def test_a_command_that_prints_what_cannot_be_read_ends(launch, binary):
    """Every read of a segment fails, for as long as it is tried, and librdkafka tries for ever."""
    broker = launch(shards=1, settings=[SMALL_JOURNAL, "log.segment.bytes=2097152"])
    topic, count, batch = unique_topic("unread"), 60, 100_000
    confluent.create_topic(broker.bootstrap, topic, partitions=2)
    for partition in range(2):
        for number in range(count):
            assert produce(broker, topic, partition, [b"%d " % number + b"x" * batch]) == (messages.NONE, number)
    assert broker.terminate() == 0
    broker.start()  # nothing is in memory now, and no sealed segment is open
    [directory] = [name for name in disk.topic_directories(broker.data_dir, topic) if f"{topic}-0." in name]
    segment = os.path.join(directory, min(name for name in os.listdir(directory) if name.endswith(".log")))
    os.remove(segment)
    os.symlink(segment, segment)  # there, and not to be opened
    assert fetch_error(broker, topic, 0, 0) == messages.KAFKA_STORAGE_ERROR
    done = Cli(binary, broker.bootstrap).run("consume", topic, "--timeout", "2s")
    done.expect(UNREACHABLE)
    assert f"topic {topic}, partition 0: the leader answers, but has sent no records for 4s" in done.stderr
    assert [int(line.split()[0]) for line in done.stdout.splitlines()] == list(range(count))  # of the other partition


def groups(path):
    """Positions of the groups in a journal file, but for those of starts."""
    with open(path, "rb") as file:
        data = file.read()
    blocks = range(0, len(data), BLOCK_BYTES)
    return [at for at in blocks if data[at:at + 4] == b"CLJ1" and data[at + 6] == 0]


def test_rot_in_the_journal_keeps_one_shard_from_writing(launch):
    broker = launch(shards=2, settings=[SMALL_JOURNAL])
    topic, count = unique_topic("journal"), 20
    confluent.create_topic(broker.bootstrap, topic, partitions=2)
    with Connection(broker.bootstrap) as connection:
        leaders = messages.metadata(connection, topic).leaders
    [harmed] = [partition for partition, leader in leaders.items() if leader % 1000 == 0]
    for partition in range(2):
        for number in range(count):
            assert produce(broker, topic, partition, [value(number, 100)]) == (messages.NONE, number)
    broker.kill9()
    [journal] = [path for path in disk.journal_files(broker.data_dir) if "shard-0/journal/0000" in path]
    flip_bit(journal, groups(journal)[10] + 30)

    for _ in range(2):  # it stays as it is
        broker.start()
        status, reason = admin_port.get(broker, "/healthz")
        assert status == 503 and reason.startswith("shard 0: ") and "journal group" in reason, reason
        assert "corelane log repair" in reason and reason.count("\n") == 1
        assert admin_port.get(broker, "/readyz") == (503, reason)
        errors = [fetch_error(broker, topic, harmed, offset) for offset in range(count + 2)]
        known = errors.index(messages.KAFKA_STORAGE_ERROR)
        assert 0 < known < count
        # Neither "out of range" nor an empty answer, which a consumer would take for the end.
        assert errors == [messages.NONE] * known + [messages.KAFKA_STORAGE_ERROR] * (count + 2 - known)
        assert produce(broker, topic, harmed, [b"x"])[0] == messages.KAFKA_STORAGE_ERROR
        [(_, record)] = [row for row in confluent.consume(broker.bootstrap, topic, 1 - harmed) if row[0] == 7]
        assert record.value == value(7, 100)
        assert produce(broker, topic, 1 - harmed, [value(0, 100)])[0] == messages.NONE
        assert broker.terminate() == 1, "not a clean stop"


def test_a_failed_write_ends_the_writer_and_not_the_readers(launch, directory):
    # A limit of file lengths fails writes as a disk would; without this it would kill the process.
    binary = os.path.join(directory, "corelane")
    with open(binary, "w", encoding="ascii") as script:
        script.write(f"#!/bin/bash\ntrap '' XFSZ\nexec {launch.binary} \"$@\"\n")
    os.chmod(binary, 0o755)
    launch.binary = binary
    broker = launch(shards=1, settings=[SMALL_JOURNAL])
    topic, count = unique_topic("failed"), 100
    confluent.create_topic(broker.bootstrap, topic, **{"retention.ms": "-1"})
    for number in range(count):
        assert produce(broker, topic, 0, [value(number, 30_000)]) == (messages.NONE, number)
    assert is_well(broker)
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    for _ in range(2):
        assert produce(broker, topic, 0, [b"not stored"])[0] == messages.KAFKA_STORAGE_ERROR
    [refused] = confluent.try_produce(
        broker.bootstrap, topic, 0, [Record(None, b"not stored")], **{"message.timeout.ms": 2000})
    assert refused.args[0].code() == KafkaError._MSG_TIMED_OUT, "it came back until its time was up"
    for path in ("/healthz", "/readyz"):
        status, reason = admin_port.get(broker, path)
        assert status == 503 and reason.startswith("shard 0: its writer is out of service: "), reason
        assert "File too large" in reason
    assert admin_port.metric(broker, "corelane_writer_up{") == 0
    assert numbers(confluent.consume(broker.bootstrap, topic, 0)) == list(range(count))
    assert broker.terminate() == 1, "not a clean stop"
    broker.start()
    assert is_well(broker)
    assert numbers(confluent.consume(broker.bootstrap, topic, 0)) == list(range(count))
    assert produce(broker, topic, 0, [value(count, 10)]) == (messages.NONE, count)
