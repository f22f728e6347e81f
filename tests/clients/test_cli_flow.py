"""corelane produce and consume: what goes in comes out, from where it was asked for, with the promised statuses."""

import datetime
import json
import os
import signal
import subprocess

import pytest
from kafka.partitioner.default import murmur2

from harness import confluent
from harness.cli import NOT_FOUND, PARTIAL, TIMEOUT_S, UNREACHABLE, USAGE
from harness.cli_stream import INTERRUPTED, StreamCli
from harness.ports import free_port_block
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, Record, sample_records, unique_topic
from harness.wire import stored


@pytest.fixture
def cli(broker, binary):
    return StreamCli(binary, broker.bootstrap)


@pytest.fixture
def topic(broker):
    """A topic with two partitions."""
    name = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    return name


def found(broker, topic, partition):
    return [record for _, record in confluent.consume(broker.bootstrap, topic, partition)]


def test_lines_become_records_with_key_and_headers(broker, cli, topic):
    done = cli.feed(b"a\n\nb \xc3\xa4\xff\r", "produce", topic, "-p", "1", "-k", "key", "-H", "h=1", "-H", "h=x=y").expect(0)
    assert done.stdout == f"3 records written to {topic}\n"
    records = found(broker, topic, 1)
    assert [record.value for record in records] == [b"a", b"", b"b \xc3\xa4\xff\r"]
    assert {(record.key, record.headers) for record in records} == {(b"key", (("h", b"1"), ("h", b"x=y")))}


def test_keys_are_split_off_and_decide_the_partition(broker, cli, topic):
    lines = b"".join(b"k%d\tv%d\tw\n" % (i % 10, i) for i in range(50))
    done = cli.feed(lines, "produce", topic, "--key-separator", "\\t", "--output", "json").expect(0)
    report = json.loads(done.stdout)
    assert (report["topic"], report["records"], report["failed"]) == (topic, 50, 0)
    by_partition = [found(broker, topic, partition) for partition in (0, 1)]
    for row, records in zip(report["partitions"], by_partition, strict=True):
        assert (row["records"], row["first_offset"], row["last_offset"]) == (len(records), 0, len(records) - 1)
    # As Java's clients would have it.
    for partition, records in enumerate(by_partition):
        assert {murmur2(record.key) % 2 for record in records} == {partition}
    assert by_partition[0][0].value.endswith(b"\tw")
    printed = cli.values(topic, "--keys")
    assert sorted(printed) == sorted(lines.decode().splitlines())
    assert sorted(cli.values(topic, "--keys", "--key-separator", "=")) == sorted(
        line.replace("\t", "=", 1) for line in printed)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression(broker, cli, compression):
    topic = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, topic)
    lines = [b"line %d %s" % (i, b"x" * 200) for i in range(500)]
    cli.feed(b"\n".join(lines), "produce", topic, "-z", compression).expect(0)
    assert stored.compressions(broker.bootstrap, topic, 0) == {compression}
    assert [line.encode() for line in cli.values(topic)] == lines


@pytest.mark.parametrize("acks", ["all", "1", "0"])
def test_every_acks(cli, topic, acks):
    done = cli.feed(b"a\nb\n", "produce", topic, "-p", "0", "--acks", acks, "--output", "json").expect(0)
    (row,) = json.loads(done.stdout)["partitions"]
    offsets = (None, None) if acks == "0" else (0, 1)
    assert (row["first_offset"], row["last_offset"]) == offsets


def test_whatever_a_record_has_survives_a_round_trip_through_json(broker, cli, topic):
    records = sample_records(60)
    confluent.produce(broker.bootstrap, topic, 1, records)
    printed = cli.feed(b"", "consume", topic, "--output", "json").expect(0).stdout
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row["offset"] for row in rows] == list(range(60)) and {row["partition"] for row in rows} == {1}
    assert rows[0]["timestamp"] == BASE_TIMESTAMP_MS and rows[0]["timestamp_type"] == "create"
    binary = next(row for row, record in zip(rows, records) if record.key == bytes(range(256)))
    assert binary["key_encoding"] == "base64"
    copy = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, copy, partitions=2)
    cli.feed(printed.encode(), "produce", copy, "--input", "json").expect(0)
    assert found(broker, copy, 1) == records == found(broker, topic, 1)


def test_lines_that_are_no_records_stop_it_and_are_named(broker, cli, topic):
    lines = b'{"value": "a"}\n{"value": "b"}\n{"vaule": "c"}\n{"value": "d"}\n'
    done = cli.feed(lines, "produce", topic, "-p", "0", "--input", "json").expect(USAGE)
    assert "line 3: unknown field `vaule`" in done.stderr and "the 2 records before it were" in done.stderr
    assert [record.value for record in found(broker, topic, 0)] == [b"a", b"b"]
    done = cli.feed(b"a:b\nplain\n", "produce", topic, "--key-separator", ":").expect(USAGE)
    assert "line 2: there is no key separator" in done.stderr


def test_records_that_are_refused_are_counted_and_named(broker, cli):
    topic = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, topic, **{"max.message.bytes": "1000"})
    lines = [b"a", b"x" * 5000, b"b"]
    # Each in a batch of its own: a batch is refused as a whole.
    arguments = ["-X", "batch.num.messages=1", "--no-idempotence"]
    done = cli.feed(b"\n".join(lines), "produce", topic, *arguments).expect(PARTIAL)
    assert "line 2 was not written" in done.stderr and "1 of 3 failed" in done.stderr
    assert done.stdout == f"2 records written to {topic}\n"
    assert [record.value for record in found(broker, topic, 0)] == [b"a", b"b"]


def test_a_topic_must_exist_or_be_asked_for(broker, cli, topic):
    name = unique_topic("flow")
    done = cli.feed(b"a\n", "produce", name).expect(NOT_FOUND)
    assert f"topic {name} does not exist" in done.stderr
    cli.run("consume", name).expect(NOT_FOUND)
    cli.feed(b"a\n", "produce", name, "--create").expect(0)
    assert cli.values(name) == ["a"]
    assert "partition 2 of topic" in cli.feed(b"a\n", "produce", topic, "-p", "2").expect(NOT_FOUND).stderr
    assert "partition 2 of topic" in cli.run("consume", topic, "-p", "0,2").expect(NOT_FOUND).stderr


def test_nobody_there(binary):
    nobody = StreamCli(binary, f"127.0.0.1:{free_port_block(1)}")
    for command in [["consume", "t"], ["produce", "t"], ["group", "list"]]:
        assert "no broker can be reached" in nobody.run(*command).expect(UNREACHABLE).stderr


@pytest.fixture
def timed(broker, topic):
    """Ten records, each in a batch of its own, one second apart, in partition 0; one in partition 1."""
    for i in range(10):
        confluent.produce(broker.bootstrap, topic, 0, [Record(None, b"%d" % i, timestamp_ms=BASE_TIMESTAMP_MS + 1000 * i)])
    confluent.produce(broker.bootstrap, topic, 1, [Record(None, b"other", timestamp_ms=BASE_TIMESTAMP_MS)])
    return topic


def zoned(offset_ms, hours):
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    return datetime.datetime.fromtimestamp((BASE_TIMESTAMP_MS + offset_ms) / 1000, zone).isoformat()


@pytest.mark.parametrize("position, expected", [
    ("earliest", 0), ("latest", 10), ("7", 7), ("10", 10), ("100", 10), ("-3", 7), ("+4", 4), ("-100", 0),
    (zoned(5500, 0), 6), (zoned(5000, 2), 5), (zoned(5000, -5), 5), ("-1h", 10), ("-100000h", 0)])
def test_where_to_begin(cli, timed, position, expected):
    assert cli.values(timed, "-p", "0", "--from", position) == [str(i) for i in range(expected, 10)]


def test_all_partitions_and_a_count(cli, timed):
    assert sorted(cli.values(timed)) == sorted([*map(str, range(10)), "other"])
    assert cli.values(timed, "-p", "0", "--count", "3") == ["0", "1", "2"]
    assert sorted(cli.values(timed, "-p", "0,1", "--from", "-1")) == ["9", "other"]
    (row,) = cli.records(timed, "-p", "0", "-o", "4", "-n", "1")
    assert (row["offset"], row["value"], row["timestamp"], row["key"]) == (4, "4", BASE_TIMESTAMP_MS + 4000, None)


def test_what_does_not_go_together_is_refused(cli, timed):
    for arguments in [["--from", "committed"], ["--from", "3", "--group", "g"], ["--from", "2026-01-01T00:00"],
                      ["--from", "1h"], ["--from", "nowhere"], ["-p", "0", "--group", "g"], ["--count", "0"]]:
        cli.run("consume", timed, *arguments).expect(USAGE)
    assert "needs its zone" in cli.run("consume", timed, "--from", "2026-01-01T00:00").stderr
    assert "corelane group reset g" in cli.run("consume", timed, "--from", "3", "--group", "g").stderr


def test_deleted_records_are_skipped(broker, cli):
    topic = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, topic)
    confluent.produce(broker.bootstrap, topic, 0, [Record(None, b"%d" % i) for i in range(5)])
    client = confluent.admin(broker.bootstrap)
    deleted = client.delete_records([confluent.TopicPartition(topic, 0, 3)])
    [future] = deleted.values()
    future.result(30)
    assert cli.values(topic) == ["3", "4"]
    assert cli.values(topic, "--from", "1") == ["3", "4"]
    assert cli.values(topic, "--from", "+1") == ["4"]


def test_following_prints_what_comes_until_ctrl_c(cli, topic):
    cli.feed(b"before\n", "produce", topic).expect(0)
    with cli.start("consume", topic, "--follow") as consumer, cli.start("produce", topic) as producer:
        assert consumer.read(1) == ["before"]
        producer.type(b"typed")
        assert consumer.read(1) == ["typed"], "a line is sent when it is typed, not when stdin ends"
        producer.type(b"more", b"lines")
        assert sorted(consumer.read(2)) == ["lines", "more"]
        rest, stderr = producer.interrupt(status=INTERRUPTED)
        assert rest == [f"3 records written to {topic}"] and stderr == "corelane: interrupted\n"
        assert consumer.interrupt() == ([], "")


def test_a_reader_that_has_seen_enough_is_no_failure(cli, topic):
    cli.feed(b"".join(b"%d %s\n" % (i, b"x" * 500) for i in range(20_000)), "produce", topic, "-p", "0").expect(0)
    consumer = subprocess.Popen(
        [cli.binary, "consume", topic, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environment)
    assert consumer.stdout.readline().split()[0] == b"0"
    consumer.stdout.close()
    assert consumer.wait(60) == 0
    assert consumer.stderr.read() == b""


def test_much_goes_through(broker, cli, topic):
    lines = b"".join(b"%d\n" % i for i in range(300_000))
    done = cli.feed(lines, "produce", topic, "-p", "0", "-z", "lz4").expect(0)
    assert done.stdout == f"300000 records written to {topic}\n"
    assert cli.ok("consume", topic).encode() == lines


def test_nobody_has_to_read_stderr(broker, cli):
    topic = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, topic, **{"max.message.bytes": "1000"})
    lines = [b"a", b"x" * 5000, b"b"]
    arguments = ["-X", "batch.num.messages=1", "--no-idempotence"]
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        # Line 2 is told to a pipe that is closed; line 3 is sent all the same.
        done = subprocess.run(
            [cli.binary, "produce", topic, *arguments], input=b"\n".join(lines), stdout=subprocess.PIPE, stderr=theirs,
            timeout=TIMEOUT_S, check=False, env=cli.environment)
    finally:
        os.close(theirs)
    assert done.returncode == PARTIAL and done.stdout.decode() == f"2 records written to {topic}\n"
    assert [record.value for record in found(broker, topic, 0)] == [b"a", b"b"]


def test_a_partition_that_is_named_twice_is_read_once(cli, topic):
    cli.feed(b"a\nb\n", "produce", topic, "-p", "0").expect(0)
    assert cli.values(topic, "--partition", "0,0") == ["a", "b"]


def test_a_timestamp_of_zero_is_refused(broker, cli, topic):
    line = b'{"value": "a", "timestamp": 0}\n'
    done = cli.feed(line, "produce", topic, "-p", "0", "--input", "json").expect(USAGE)
    assert "line 1: a timestamp of 0 cannot be sent" in done.stderr
    assert found(broker, topic, 0) == []


def test_a_leader_that_does_not_answer_is_not_waited_for_for_ever(launch, binary):
    broker = launch(shards=1)
    cli = StreamCli(binary, broker.bootstrap)
    topic = unique_topic("flow")
    confluent.create_topic(broker.bootstrap, topic)
    lines = [b"%d %s" % (i, b"x" * 1000) for i in range(8000)]
    cli.feed(b"\n".join(lines), "produce", topic).expect(0)
    # With little room, so that most of it is still with the broker when that stands still.
    small = ["-X", "queued.max.messages.kbytes=64", "-X", "fetch.message.max.bytes=65536"]
    process = subprocess.Popen(
        [binary, "consume", topic, "--timeout", "2s", *small], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=cli.environment, bufsize=0)
    try:
        printed = os.read(process.stdout.fileno(), 1)
        broker.signal(signal.SIGSTOP)
        try:
            rest, told = process.communicate(timeout=TIMEOUT_S)
        finally:
            broker.signal(signal.SIGCONT)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == UNREACHABLE and b"no answer within 2s" in told, told
    # What had come before is printed whole.
    found_lines = (printed + rest).splitlines()
    assert 0 < len(found_lines) < len(lines) and found_lines == lines[:len(found_lines)]
