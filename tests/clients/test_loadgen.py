"""loadgen against the real broker. What is asserted does not depend on the machine's speed."""

import os

import pytest

from harness import confluent
from harness.broker import MEMORY_BYTES
from harness.loadgen import Loadgen
from harness.records import unique_topic
from harness.waiting import wait_until

PARTITIONS = 8
KILLS = 3
PROGRESS_BETWEEN_KILLS = 200
HOLD_S = 6
# What a process takes beside what it counts, as promised.
BEYOND_BUDGETS_BYTES = 128 << 20


@pytest.fixture
def loadgen(loadgen_binary, directory):
    return Loadgen(loadgen_binary, directory)


def ends(broker, topic):
    return sum(confluent.watermarks(broker.bootstrap, topic, partition)[1] for partition in range(PARTITIONS))


def test_everything_asked_for_is_sent_acknowledged_and_read(loadgen, launch):
    report = loadgen.run(
        "run", launch(), "--topic", unique_topic("run"), "--partitions", PARTITIONS, "--producers", 2, "--consumers", 2,
        "--rate", 2000, "--batch", 5, "--size", "200..2000", "--compression", "zstd", "--idempotence",
        "--warmup", "0s", "--duration", "3s", "--drain", "60s")
    total = report["total"]
    assert report["partial"] is None and report["errors"] == {}
    assert (total["offered_records"], total["acked_records"], total["consumed_records"]) == (6000, 6000, 6000)
    assert report["latency_ms"]["response"]["count"] == 1200
    assert report["latency_ms"]["end_to_end"]["count"] == 6000
    assert report["cluster"]["partitions"] == PARTITIONS and len(report["cluster"]["brokers"]) == 2
    # Both sides' settings, and a page that can be read anywhere.
    assert report["cluster"]["settings"]["log.segment.bytes"] and report["settings"]["compression"] == "zstd"
    page = os.path.join(loadgen.directory, "report-run", "report.html")
    with open(page, encoding="utf-8") as file:
        assert file.read().count("<svg") == 4


def test_consumers_share_partitions_through_a_group(loadgen, launch):
    broker, topic, group = launch(), unique_topic("shared"), unique_topic("group")
    flags = ["run", broker, "--topic", topic, "--partitions", PARTITIONS, "--consumers", 3, "--group", group,
             "--rate", 1000, "--batch", 5, "--warmup", "0s", "--duration", "2s", "--drain", "60s"]
    total = loadgen.run(*flags)["total"]
    assert (total["acked_records"], total["consumed_records"]) == (2000, 2000)
    # The group has come to the end of every partition, and the next run begins there.
    offsets = confluent.committed(broker.bootstrap, group, topic, range(PARTITIONS))
    assert offsets == [confluent.watermarks(broker.bootstrap, topic, at)[1] for at in range(PARTITIONS)]
    total = loadgen.run(*flags)["total"]
    assert (total["acked_records"], total["consumed_records"]) == (2000, 2000)


def test_nothing_is_lost_doubled_or_reordered_across_kill_9(loadgen, launch):
    broker = launch(fixed_ports=True)
    topic = unique_topic("verify")
    confluent.create_topic(broker.bootstrap, topic, partitions=PARTITIONS)
    verify = loadgen.start("verify", broker, "--topic", topic, "--producers", 3, "--rate", "20k", "--duration", "8s")
    for _ in range(KILLS):
        goal = ends(broker, topic) + PROGRESS_BETWEEN_KILLS
        wait_until(lambda: ends(broker, topic) >= goal, f"{goal} records", timeout_s=60)
        broker.kill9()
        broker.restart()
    report = loadgen.finish(verify)
    verdict = report["verdict"]
    assert report["partial"] is None
    wrong = ("lost", "duplicated", "out_of_order", "corrupted", "never_sent", "unread")
    assert {name: verdict[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert verdict["acknowledged"] == verdict["sent"] == verdict["read"]
    assert verdict["sent"] >= KILLS * PROGRESS_BETWEEN_KILLS and report["reconnects"] >= KILLS


def test_an_overload_is_held_back_and_starves_nobody(loadgen, launch):
    broker = launch()
    report = loadgen.run(
        "backpressure", broker, "--topic", unique_topic("overload"), "--partitions", PARTITIONS, "--producers", 4,
        "--consumers", 2, "--batch", 10, "--in-flight", 500, "--warmup", "0s", "--before", "2s", "--ramp", "1s",
        "--hold", f"{HOLD_S}s", "--after", "3s", "--drain", "60s", "--broker-admin", broker.admin)
    total, overload = report["total"], report["overload"]
    assert report["partial"] is None and report["errors"] == {}
    assert overload["peak_records_per_s"] == pytest.approx(3 * overload["capacity_records_per_s"])
    # Every request was acknowledged, or dropped by the client when the overload ended; none was refused or forgotten.
    assert total["offered_requests"] == total["acked_requests"] + total["dropped_requests"]
    assert total["failed_requests"] == total["unsent_requests"] == total["unanswered_requests"] == 0
    assert total["consumed_records"] == total["acked_records"]
    assert broker.peak_memory_bytes() <= MEMORY_BYTES + BEYOND_BUDGETS_BYTES
    # What the broker says of itself.
    side = overload["broker"]
    assert side["version"] and side["memory_limit_bytes"] == MEMORY_BYTES
    assert side["memory_bytes"] and side["paused_s_per_s"]
    assert side["budgets"].keys() >= {"requests", "undurable", "dirty", "fetches"}
    assert all(budget["limit_bytes"] and budget["used_bytes"] for budget in side["budgets"].values())
    # A connection that gets no answer while others do would wait for the end of the overload.
    assert overload["answer_gap_ms_max"] < HOLD_S * 1000
