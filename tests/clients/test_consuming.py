"""docs/consuming.md, proved: the very files that it shows are run, killed in the middle of their work, and run again."""

import collections
import contextlib
import os

import pytest

from harness import confluent, examples
from harness.examples import BOUNDS, LINE_BYTES_MIN, Stepped, Work
from harness.records import unique_topic
from harness.waiting import wait_until

PARTITIONS = 3
KEYS = 7
PER_KEY = 30
TOTAL = KEYS * PER_KEY
# Where the first life ends: in the middle of the record behind these.
FIRST_LIFE = 25
QUICK = ["group.initial.rebalance.delay.ms=300"]
# As Java's clients place keys; librdkafka has another way unless it is told.
PARTITIONER = {"partitioner": "murmur2_random"}

pytestmark = pytest.mark.parametrize("language", sorted(examples.FILES))


@pytest.fixture
def setting(launch, tools_dir, directory, language):
    with contextlib.ExitStack() as stack:
        yield Setting(launch(settings=QUICK), tools_dir, directory, language, stack)


class Setting:
    """A topic with records of several keys, and consumers of it."""

    def __init__(self, broker, tools_dir, directory, language, stack):
        self.broker, self.tools_dir, self.language, self.stack = broker, tools_dir, language, stack
        self.log_path = os.path.join(directory, "consumer.log")
        self.topic = unique_topic("consuming")
        confluent.create_topic(broker.bootstrap, self.topic, partitions=PARTITIONS)
        self.everything = produce_by_key(broker, self.topic)

    def start(self, way):
        arguments = self.language, way, self.broker.bootstrap, self.topic, "g"
        consumer = Stepped(examples.command(self.tools_dir, *arguments), self.log_path)
        self.stack.callback(consumer.close)
        return consumer

    def positions(self):
        found = confluent.committed(self.broker.bootstrap, "g", self.topic, range(PARTITIONS))
        return {partition: max(offset, 0) for partition, offset in enumerate(found)}

    def is_committed(self, work):
        return work.offset < self.positions()[work.partition]


def produce_by_key(broker, topic):
    """Everything that is in the topic: of each key its records in order, all keys in turns."""
    producer = confluent.Producer({
        "bootstrap.servers": broker.bootstrap, "enable.idempotence": True, **PARTITIONER, **confluent.QUIET})
    found = []

    def delivered(key, sequence):
        def note(error, message):
            assert error is None, error
            found.append(Work(message.partition(), message.offset(), key, sequence))
        return note

    padding = "." * LINE_BYTES_MIN
    for sequence in range(PER_KEY):
        for key in (f"key-{number}" for number in range(KEYS)):
            producer.produce(topic, f"{sequence}:{padding}", key, on_delivery=delivered(key, sequence))
    assert producer.flush(confluent.TIMEOUT_S) == 0
    return set(found)


def check_order(works):
    """Of each key one partition, and its records in the order in which they were sent, none left out within."""
    by_key = collections.defaultdict(list)
    for work in works:
        by_key[work.key].append(work)
    for key, rows in by_key.items():
        assert len({row.partition for row in rows}) == 1, f"{key} has one partition"
        sequences = [row.sequence for row in rows]
        assert sequences == list(range(sequences[0], sequences[0] + len(rows))), f"{key} is out of order"


def has_passed(done, place):
    return any(work.partition == place[0] and work.offset > place[1] for work in done)


def without_gap(done):
    """How far each partition is done."""
    places = {work.place for work in done}
    ends = range(TOTAL)
    return {p: next(offset for offset in ends if (p, offset) not in places) for p in range(PARTITIONS)}


def test_commit_before_work_loses_and_never_repeats(setting):
    first = setting.start("before")
    done = first.take(FIRST_LIFE)
    cut_off = first.kill9()
    positions = setting.positions()
    lost = {work for work in setting.everything if work.offset < positions[work.partition]} - set(done)
    assert cut_off in {work.place for work in lost}, "the record that it was at is lost"
    assert len(lost) <= BOUNDS["before"], "no more than a batch"

    second = setting.start("before")
    rest = second.take(TOTAL - len(done) - len(lost))
    assert second.stop() == []
    works = collections.Counter(done + rest)
    assert set(works.values()) == {1}, "nothing is worked on twice"
    assert set(works) == setting.everything - lost, "and what was lost is what was committed and not done"
    check_order(rest)


def test_commit_after_work_repeats_and_never_loses(setting):
    first = setting.start("after")
    done = first.take(FIRST_LIFE)
    # A batch must not end just here, or nothing that was done to its end would be repeated.
    while first.await_next() and all(setting.is_committed(work) for work in done):
        done += first.take(1)
    cut_off = first.kill9()
    again = {work for work in done if not setting.is_committed(work)}
    assert 0 < len(again) < BOUNDS["after"], "less than a batch, with the one that it was at"

    second = setting.start("after")
    rest = second.take(TOTAL - len(done) + len(again))
    assert second.stop() == []
    assert set(done) | set(rest) == setting.everything, "nothing is lost"
    assert set(done) & set(rest) == again, "and what is repeated is what was done and not committed"
    assert cut_off in {work.place for work in rest}, "the record that it was at is done again"
    assert set(collections.Counter(rest).values()) == {1}
    check_order(done)
    check_order(rest)


def test_ordered_workers_repeat_a_bounded_number_and_keep_the_order_of_keys(setting):
    first = setting.start("workers")
    done = first.take(FIRST_LIFE)
    # Something behind the record that it is at must be done, or there would be no gap that a commit could skip.
    while not has_passed(done, first.await_next()):
        done += first.take(1)
    positions = without_gap(done)
    wait_until(lambda: setting.positions() == positions, "all that is done without a gap to be committed")
    cut_off = first.kill9()
    assert setting.positions() == positions, "and nothing behind it"
    again = {work for work in done if work.offset >= positions[work.partition]}
    assert 0 < len(again) < BOUNDS["workers"]

    second = setting.start("workers")
    rest = second.take(TOTAL - len(done) + len(again))
    assert second.stop() == []
    assert set(done) | set(rest) == setting.everything, "nothing is lost"
    assert set(done) & set(rest) == again, "and what is repeated is what was done and not committed"
    assert cut_off in {work.place for work in rest}, "the record that it was at is done again"
    behind = {work for work in setting.everything if work.offset >= positions[work.partition]}
    assert collections.Counter(rest) == collections.Counter(behind), "each partition goes on where it was committed"
    check_order(done)
    check_order(rest)


@pytest.mark.parametrize("way", sorted(BOUNDS))
def test_a_clean_stop_loses_and_repeats_nothing(setting, way):
    first = setting.start(way)
    done = first.take(FIRST_LIFE)
    done += first.stop()
    second = setting.start(way)
    rest = second.take(TOTAL - len(done))
    assert second.stop() == []
    assert collections.Counter(done + rest) == collections.Counter(setting.everything)
    check_order(done)
    check_order(rest)
