"""Stop, kill and start again; what a broker leaves on disk; what it refuses to start on."""

import json
import os
import signal
import socket
import subprocess

import pytest

from harness import confluent, disk
from harness.broker import StartFailed, elapsed_s, plain_environment
from harness.ports import free_port_block
from harness.records import Record, sample_records, unique_topic
from harness.wire import messages
from harness.wire.connection import Connection
from harness.waiting import wait_until

STOP_WITHIN_S = 10.0


def fill(broker, topic, partitions=3, count=300):
    """Produces a topic and returns what each partition must hold, offsets included."""
    confluent.create_topic(broker.bootstrap, topic, partitions)
    expected = {}
    for partition in range(partitions):
        records = sample_records(count + partition)
        confluent.produce(broker.bootstrap, topic, partition, records, **{"enable.idempotence": True})
        expected[partition] = list(enumerate(records))
    return expected


def check(broker, topic, expected):
    for partition, rows in expected.items():
        assert confluent.consume(broker.bootstrap, topic, partition) == rows
        assert confluent.watermarks(broker.bootstrap, topic, partition) == (0, len(rows))


def stop_cleanly(broker):
    took, code = elapsed_s(broker.terminate)
    assert code == 0, f"exit code {code} after SIGTERM\n{broker.log()}"
    assert took < STOP_WITHIN_S, f"a clean stop took {took:.1f} s"


@pytest.mark.parametrize("stop", [stop_cleanly, lambda broker: broker.kill9()], ids=["sigterm", "kill9"])
def test_everything_is_there_after_a_restart(launch, stop):
    broker = launch(fixed_ports=True)
    topics = [unique_topic("restart") for _ in range(3)]
    expected = {topic: fill(broker, topic) for topic in topics}
    for _ in range(3):  # what recovery itself writes must survive too
        stop(broker)
        broker.restart()
        for topic in topics:
            check(broker, topic, expected[topic])
    records = [Record(None, b"after the restart")]
    assert confluent.produce(broker.bootstrap, topics[0], 0, records) == [len(expected[topics[0]][0])]


def test_a_restart_with_clean_and_unclean_stops_mixed(launch):
    broker = launch(fixed_ports=True)
    topic = unique_topic("mixed")
    confluent.create_topic(broker.bootstrap, topic)
    expected = []
    for number, stop in enumerate([stop_cleanly, broker.kill9, stop_cleanly, broker.kill9, broker.kill9]):
        records = [Record(b"%d" % number, b"%d" % i) for i in range(100)]
        offsets = confluent.produce(broker.bootstrap, topic, 0, records)
        expected += zip(offsets, records)
        stop(broker) if stop is stop_cleanly else stop()
        broker.restart()
        assert confluent.consume(broker.bootstrap, topic, 0) == expected
    assert [offset for offset, _ in expected] == list(range(500))


def test_a_deleted_topic_stays_deleted(launch):
    broker = launch(fixed_ports=True)
    gone, kept = unique_topic("gone"), unique_topic("kept")
    fill(broker, gone)
    expected = fill(broker, kept)
    confluent.delete_topic(broker.bootstrap, gone)
    confluent.create_topic(broker.bootstrap, gone, partitions=3)
    broker.kill9()
    broker.restart()
    # Same name, other topic: what the journal still holds of the old one must not fill it (rule 5).
    check(broker, gone, {partition: [] for partition in range(3)})
    check(broker, kept, expected)


def test_interrupt_stops_as_cleanly_as_terminate(launch):
    broker = launch()
    broker.signal(signal.SIGINT)
    assert broker.process.wait(STOP_WITHIN_S) == 0


def test_stop_answers_what_is_parked(launch):
    broker = launch(shards=1)
    topic = unique_topic("parked")
    confluent.create_topic(broker.bootstrap, topic)
    with Connection(broker.bootstrap) as connection:
        body = messages.fetch_body(topic, 0, 0, max_wait_ms=300_000)
        sent = connection.send(messages.FETCH, messages.FETCH_VERSION, body)
        with Connection(broker.bootstrap) as other:
            messages.api_versions(other)  # the fetch is not parked for sure, but the broker is at work
        stop_cleanly(broker)
        correlation_id, reader = connection.receive()
        assert correlation_id == sent
        assert messages.read_fetch(reader) == (messages.NONE, 0, b"")


def test_a_second_signal_ends_it_at_once(launch):
    broker = launch(fixed_ports=True)
    topic = unique_topic("twice")
    expected = fill(broker, topic)
    broker.signal(signal.SIGTERM)
    broker.signal(signal.SIGTERM)
    took, _ = elapsed_s(lambda: broker.process.wait(STOP_WITHIN_S))
    assert took < 2.0, f"ended {took:.1f} s after the second signal"
    broker.restart()
    check(broker, topic, expected)


def test_a_second_broker_on_the_same_directory_is_refused(launch):
    broker = launch()
    second = launch.prepare()
    second.data_dir = broker.data_dir
    with pytest.raises(StartFailed) as refused:
        second.start()
    assert refused.value.exit_code not in (0, None)
    assert broker.data_dir in refused.value.log and "in use" in refused.value.log
    broker.check_alive()
    confluent.create_topic(broker.bootstrap, unique_topic("unharmed"))


@pytest.mark.parametrize("reuse_port", [False, True], ids=["plain", "reuse-port"])
@pytest.mark.parametrize("taken", ["listen", "shard"])
def test_a_port_in_use_is_refused_by_name(launch, taken, reuse_port):
    first = free_port_block(3)
    port = first if taken == "listen" else first + 2
    with socket.socket() as holder:
        if reuse_port:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        broker = launch.prepare()
        broker.listen_arguments = ["--listen", f"127.0.0.1:{first}", "--shard-ports", str(first + 1)]
        with pytest.raises(StartFailed) as refused:
            broker.start()
    assert refused.value.exit_code not in (0, None)
    assert str(port) in refused.value.log and "in use" in refused.value.log


def test_an_unknown_setting_is_refused_with_the_nearest_known_one(launch):
    broker = launch.prepare(settings=["mesage.max.bytes=1000"])
    with pytest.raises(StartFailed) as refused:
        broker.start()
    assert refused.value.exit_code not in (0, None)
    assert "mesage.max.bytes" in refused.value.log and "message.max.bytes" in refused.value.log


def test_a_wildcard_address_wants_an_advertised_host(launch):
    broker = launch.prepare()
    broker.listen_arguments = ["--listen", "0.0.0.0:0"]
    with pytest.raises(StartFailed) as refused:
        broker.start()
    assert refused.value.exit_code not in (0, None)
    assert "advertise-host" in refused.value.log


def test_ipv6(launch):
    broker = launch.prepare()
    broker.listen_arguments = ["--listen", "[::1]:0"]
    broker.start()
    topic = unique_topic("ipv6")
    confluent.create_topic(broker.bootstrap, topic)
    records = sample_records(10)
    confluent.produce(broker.bootstrap, topic, 0, records)
    assert confluent.consume(broker.bootstrap, topic, 0) == list(enumerate(records))


def test_the_first_start_is_ready_within_seconds(launch):
    took, _ = elapsed_s(launch)
    assert took < 10.0, f"ready only after {took:.1f} s"


def test_endpoints_file_says_what_the_ready_line_says(launch):
    broker = launch(fixed_ports=True)
    check_endpoints_file(broker)
    broker.kill9()
    broker.restart()
    check_endpoints_file(broker)


def check_endpoints_file(broker):
    """Every address of the ready line is in the file, and so is every address that metadata gives."""
    with open(os.path.join(broker.data_dir, "endpoints.json"), encoding="utf-8") as file:
        text = file.read()
    json.loads(text)
    brokers = confluent.admin(broker.bootstrap).list_topics(timeout=10).brokers.values()
    for address in [*broker.addresses, *(f"{row.host}:{row.port}" for row in brokers)]:
        assert f'"{address}"' in text, f"{address} is missing in {text}"


def test_stdout_carries_the_ready_line_only(launch):
    broker = launch()
    assert len(broker.addresses) >= 1
    stop_cleanly(broker)
    assert broker.lines.get(timeout=5) is None, "more than the ready line on stdout"


def test_config_names_each_value_and_its_source(binary, directory):
    command = [binary, "config", "--data-dir", directory, "--set", "message.max.bytes=2000000"]
    environment = {**plain_environment(), "CORELANE_NODE_ID": "7"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=True, cwd=directory, env=environment)
    assert "message.max.bytes" in done.stdout and "2000000" in done.stdout
    assert "CORELANE_NODE_ID" in done.stdout


def test_journal_files_are_opened_direct_and_synchronous(launch):
    broker = launch()
    fill(broker, unique_topic("flags"))
    journal = set(disk.journal_files(broker.data_dir))
    assert len({os.path.dirname(path) for path in journal}) == broker.shards
    wanted = os.O_DIRECT | os.O_DSYNC
    flags = {path: flags for path, flags in disk.open_files(broker.pid) if path in journal}
    writers = {path for path, found in flags.items() if found & os.O_ACCMODE != os.O_RDONLY}
    assert len({os.path.dirname(path) for path in writers}) == broker.shards, f"no open journal file in {flags}"
    lacking = {path: oct(flags[path]) for path in writers if flags[path] & wanted != wanted}
    assert not lacking, f"journal files without O_DIRECT|O_DSYNC: {lacking}"


def test_journal_files_have_no_unwritten_extents(launch):
    broker = launch()
    fill(broker, unique_topic("extents"))
    journal = disk.journal_files(broker.data_dir)
    assert journal
    for path in journal:
        found = disk.extents(path)
        unwritten = [extent for extent in found if disk.is_unwritten(extent[2])]
        assert not unwritten, f"{path} has unwritten extents (start, length, flags): {unwritten[:5]}"
        covered = sum(length for _, length, _ in found)
        assert covered >= os.path.getsize(path), f"{path} has holes: {covered} of {os.path.getsize(path)} bytes"


def test_deleting_a_topic_frees_its_space(launch):
    broker = launch()
    topic = unique_topic("space")
    confluent.create_topic(broker.bootstrap, topic, partitions=2)
    records = [Record(None, os.urandom(100_000)) for _ in range(200)]
    for partition in (0, 1):
        confluent.produce(broker.bootstrap, topic, partition, records)

    def used():
        return disk.allocated_bytes(disk.topic_directories(broker.data_dir, topic))

    wait_until(lambda: used() > 10_000_000, f"write-back of {topic}")
    free_before = free_bytes(broker)
    confluent.delete_topic(broker.bootstrap, topic)
    wait_until(lambda: used() == 0 and not disk.topic_directories(broker.data_dir, topic), "its files to go")

    def held():
        return [path for path, _ in disk.open_files(broker.pid) if f"/{topic}-" in path]

    wait_until(lambda: not held(), "its deleted files to be closed")
    wait_until(lambda: free_bytes(broker) > free_before, "the file system to have more free space")


def free_bytes(broker):
    found = os.statvfs(broker.data_dir)
    return found.f_bavail * found.f_frsize
