"""kill -9 of the broker under load, at random moments and in random settings, for as many rounds as one likes.

In each round `loadgen verify` sends and the broker is killed amid it, at times again in its recovery, and comes back
with another number of shards, other memory and other lengths of segments. Nothing that was acknowledged may be lost,
doubled or out of order then, nor later: what was verified in one round is read again in others. Beside it a topic is
compacted, and one keeps its last MiB only.

    tests/run --soak --clients --only soak [--rounds 1000] [--seed 7]
"""

import random
import time

import pytest

from harness import admin_port, confluent
from harness.loadgen import Loadgen
from harness.ports import free_port_block
from harness.records import COMPRESSIONS, unique_topic
from harness.soak import KeptRanges, NumberedLoad, await_progress
from harness.waiting import wait_until

PARTITIONS = 4
SIDE_PARTITIONS = 2
SHARDS_MAX = 3
MIB = 1 << 20
# What the first shard needs, and each further one.
MEMORY_MIB = (320, 256)
# From as short as they may be.
SEGMENT_BYTES = (MIB + 4096, 2 * MIB, 8 * MIB)
# A topic is verified for so many rounds and then deleted, so that the disk does not fill.
ROUNDS_PER_TOPIC = 10
VERIFY_S = 2
# What each producer beside must get acknowledged before the next kill.
PROGRESS = 100
EAGER = ["journal.bytes=48MiB", "disk.free.min=64MiB", "log.retention.check.interval.ms=200",
         "log.cleaner.backoff.ms=100", "scrub.bytes.per.second=16MiB"]
WRONG = ("lost", "duplicated", "out_of_order", "corrupted", "never_sent", "unread")

# Bounded by its rounds, each of which has deadlines.
pytestmark = pytest.mark.timeout(0)


class Soak:
    """A broker that is killed, and what is known of its topics."""

    def __init__(self, launch, loadgen, seed):
        self.random = random.Random(seed)
        self.loadgen = loadgen
        self.broker = launch.prepare()
        first = free_port_block(1 + SHARDS_MAX)
        self.broker.listen_arguments = [
            "--listen", f"127.0.0.1:{first}", "--shard-ports", str(first + 1), "--admin", "127.0.0.1:0"]
        self.kept = None
        self.kills = 0
        self.totals = dict.fromkeys(("sent", "acknowledged", "read", *WRONG), 0)

    def begin(self):
        self.choose_settings()
        self.broker.start()
        deleted, compacted = unique_topic("deleted"), unique_topic("compacted")
        confluent.create_topic(self.broker.bootstrap, deleted, SIDE_PARTITIONS, **{"retention.bytes": str(MIB)})
        confluent.create_topic(
            self.broker.bootstrap, compacted, SIDE_PARTITIONS,
            **{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "1000"})
        self.loads = [
            NumberedLoad(self.broker.bootstrap, deleted, SIDE_PARTITIONS, is_compacted=False),
            NumberedLoad(self.broker.bootstrap, compacted, SIDE_PARTITIONS, is_compacted=True),
        ]

    def choose_settings(self):
        """What the broker has from its next start on."""
        choose = self.random.choice
        self.broker.shards = choose(range(1, SHARDS_MAX + 1))
        base, each = MEMORY_MIB
        self.memory_mib = base + each * (self.broker.shards - 1) + self.random.randrange(256)
        self.broker.arguments = ["--shards", str(self.broker.shards), "--memory", str(self.memory_mib * MIB)]
        chosen = [f"log.segment.bytes={choose(SEGMENT_BYTES)}", f"journal.bypass.bytes={choose(['16KiB', '256KiB'])}"]
        for setting in EAGER + chosen:
            self.broker.arguments += ["--set", setting]

    def round(self):
        """One kill or more; returns what is to be said of it."""
        if self.kept is None:
            topic = unique_topic("kept")
            confluent.create_topic(self.broker.bootstrap, topic, PARTITIONS)
            self.kept = KeptRanges(topic, PARTITIONS)
        verify = self.start_verify()
        # It has found the broker, which it needs to once.
        wait_until(lambda: self.kept.has_grown(self.broker.bootstrap), "loadgen verify to begin")
        await_progress(self.loads, PROGRESS)
        how = self.crash_and_restart()
        verdict = self.finish_verify(verify)
        present = [load.check(self.broker.bootstrap) for load in self.loads]
        self.kept.extend(self.broker.bootstrap)
        self.check_again()
        status, health = admin_port.get(self.broker, "/healthz")
        assert status == 200, health
        self.broker.check_alive()
        counts = ", ".join(f"{name} {verdict[name]}" for name in ("sent", "acknowledged", "read", *WRONG[:3]))
        return f"{how}; {counts}; left of the deleted {present[0]}, of the compacted {present[1]}"

    def start_verify(self):
        flags = ["--topic", self.kept.topic, "--producers", 3, "--rate", self.random.choice(["2k", "20k"]),
                 "--batch", self.random.choice([1, 10, 50]), "--size", self.random.choice(["100..1000", "100..5000"]),
                 "--compression", self.random.choice(COMPRESSIONS), "--duration", f"{VERIFY_S}s"]
        return self.loadgen.start("verify", self.broker, *flags)

    def crash_and_restart(self):
        delay_s = self.random.uniform(0, VERIFY_S)
        time.sleep(delay_s)  # not to wait for something, but to kill anywhere
        is_clean = self.random.random() < 0.1
        if is_clean:
            assert self.broker.terminate() == 0, self.broker.log()
        else:
            self.broker.kill9()
            self.kills += 1
        in_recovery = self.random.choice([0, 0, 0, 1, 2])
        for _ in range(in_recovery):
            self.choose_settings()
            self.broker.start_and_kill(after_s=self.random.uniform(0.001, 0.3))
        self.kills += in_recovery
        self.choose_settings()
        began = time.monotonic()
        self.broker.restart()
        end = "stopped" if is_clean else "killed"
        again = f" and {in_recovery} times while it started" if in_recovery else ""
        return (f"{end} after {delay_s:.2f} s{again}, back in {time.monotonic() - began:.2f} s "
                f"with {self.broker.shards} shards and {self.memory_mib} MiB")

    def finish_verify(self, verify):
        verdict = self.loadgen.finish(verify)["verdict"]
        for name in self.totals:
            self.totals[name] += verdict[name]
        assert {name: verdict[name] for name in WRONG} == dict.fromkeys(WRONG, 0), verdict
        return verdict

    def check_again(self):
        """One of the earlier ranges; all of them before the topic is deleted."""
        ranges = self.kept.ranges
        if len(ranges) < ROUNDS_PER_TOPIC * PARTITIONS:
            self.kept.check(self.broker.bootstrap, [self.random.choice(ranges)])
            return
        self.kept.check(self.broker.bootstrap, ranges)
        confluent.delete_topic(self.broker.bootstrap, self.kept.topic)
        self.kept = None

    def end(self):
        for load in self.loads:
            load.stop()
            load.check(self.broker.bootstrap)
        if self.kept:
            self.kept.check(self.broker.bootstrap, self.kept.ranges)
        assert self.broker.terminate() == 0, self.broker.log()


def test_nothing_is_lost_through_random_crashes(launch, loadgen_binary, directory, soak_rounds, soak_seed, capsys):
    def say(line):
        with capsys.disabled():
            print(line, flush=True)

    soak = Soak(launch, Loadgen(loadgen_binary, directory), soak_seed)
    say(f"\n{soak_rounds} rounds with seed {soak_seed}")
    round_number = 0
    try:
        soak.begin()
        for round_number in range(1, soak_rounds + 1):
            say(f"round {round_number}: {soak.round()}")
        soak.end()
    except BaseException as failure:
        failure.add_note(f"in round {round_number} of seed {soak_seed}; {soak.totals}")
        raise
    totals = ", ".join(f"{name} {count}" for name, count in soak.totals.items())
    say(f"{soak.kills} kills in {soak_rounds} rounds: {totals}")
