"""corelane top: what it shows is what goes on; on a terminal, once, and as lines of JSON."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import termios
import threading

import pytest

from harness import confluent
from harness.cli import TIMEOUT_S, UNREACHABLE, USAGE
from harness.cli_stream import StreamCli
from harness.ports import free_port_block
from harness.records import unique_topic
from harness.waiting import wait_until

QUICKLY = ["--interval", "200ms"]


@pytest.fixture
def cli(broker, binary):
    return StreamCli(binary, broker.bootstrap)


@pytest.fixture
def topic(broker, cli):
    """Ten records in a topic of two partitions, of which the group of the same name has committed four."""
    name = unique_topic("top")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    cli.feed(b"a\n" * 10, "produce", name, "-p", "0").expect(0)
    cli.ok("group", "reset", name, "--topic", f"{name}:0", "--to", "4", "--yes")
    return name


def row(view, kind, key, name):
    return next(row for row in view[kind] if row[key] == name)


def test_one_look(broker, cli, topic):
    view = json.loads(cli.ok("top", "--once", "--output", "json", *QUICKLY))
    shown = row(view, "topics", "topic", topic)
    assert (shown["partitions"], shown["silent_partitions"], shown["records_per_second"]) == (2, 0, 0.0)
    group = row(view, "groups", "group", topic)
    assert (group["state"], group["members"], group["lag"], group["lag_per_second"]) == ("Empty", 0, 6, 0.0)
    assert view["broker"] is None and view["notes"] == []
    assert not any(row["topic"].startswith("__") for row in view["topics"])
    internal = json.loads(cli.ok("top", "--once", "--output", "json", "--internal", *QUICKLY))
    assert row(internal, "topics", "topic", "__consumer_offsets")["partitions"] > 0
    lines = cli.ok("top", "--once", *QUICKLY).splitlines()
    assert "records/s" in lines[0] and any(line.split()[:4] == [topic, "Empty", "0", "6"] for line in lines)


def test_records_and_requests_are_seen_as_they_come(broker, cli, topic):
    with cli.start("top", "--output", "json", "--admin", broker.admin, *QUICKLY) as top:
        top.read(1)
        cli.feed(b"a\n" * 1000, "produce", topic, "-p", "1").expect(0)
        seen, requests = 0, []
        while round(seen) < 1000 or not requests:
            (line,) = top.read(1)
            view = json.loads(line)
            seen += row(view, "topics", "topic", topic)["records_per_second"] * view["interval_s"]
            requests += [each for each in view["broker"]["latencies"] if each["api"] == "Produce"]
        assert round(seen) == 1000
        assert all(each["p50_ms"] <= each["p99_ms"] <= each["p999_ms"] for each in requests)
        node = view["broker"]
        assert node["is_ready"] and all(shard["is_up"] and shard["can_write"] for shard in node["shards"])
        assert {"requests", "undurable"} <= {budget["budget"] for budget in node["budgets"]}
        top.interrupt()


def test_an_admin_port_that_does_not_answer_is_a_note(cli, topic):
    nobody = f"127.0.0.1:{free_port_block(1)}"
    done = cli.run("top", "--once", "--output", "json", "--admin", nobody, *QUICKLY).expect(0)
    view = json.loads(done.stdout)
    assert view["broker"] is None and f"no metrics from http://{nobody}/metrics" in view["notes"][0]
    assert nobody in done.stderr


def test_it_says_why_it_cannot(cli, topic):
    assert "--once" in cli.run("top").expect(USAGE).stderr
    cli.run("top", "--interval", "1ms", "--once").expect(USAGE)
    nobody = f"127.0.0.1:{free_port_block(1)}"
    cli.run("top", "--once", "--brokers", nobody).expect(UNREACHABLE)


class Terminal:
    """A terminal of 120 by 40 on which a command runs. Only what changes is drawn: what is awaited comes whole if it
    is a word, and what stood in its place has no letter in common with it."""

    def __init__(self, ours, theirs, process):
        self.ours, self.theirs, self.process = ours, theirs, process
        self.drawn = bytearray()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        # A terminal whose other end is gone fails to be read.
        with contextlib.suppress(OSError):
            while piece := os.read(self.ours, 4096):
                self.drawn.extend(piece)

    def awaits(self, text):
        wait_until(lambda: text.encode() in self.drawn, f"{text} on the terminal")

    def forgets(self):
        """What was drawn so far does not count for `awaits`."""
        self.drawn.clear()

    def type(self, keys):
        os.write(self.ours, keys)

    def resize(self, rows, columns):
        """Has all of it drawn again."""
        termios.tcsetwinsize(self.theirs, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def ends_well(self):
        """It ends with 0, and leaves the terminal as it was: no raw mode, no alternate screen."""
        assert self.process.wait(TIMEOUT_S) == 0, self.process.stderr.read()
        assert self.modes() == self.modes_before
        # All that was written is read before our end of the terminal is the only one.
        wait_until(lambda: self.drawn.rfind(b"\x1b[?1049l") > self.drawn.rfind(b"\x1b[?1049h"), "the screen left")

    def modes(self):
        return termios.tcgetattr(self.theirs)[:4]


@contextlib.contextmanager
def on_a_terminal(cli, *arguments):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    modes_before = termios.tcgetattr(theirs)[:4]
    process = subprocess.Popen(
        [cli.binary, "top", *QUICKLY, *arguments], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
        env={**cli.environment, "TERM": "xterm"}, start_new_session=True)
    terminal = Terminal(ours, theirs, process)
    terminal.modes_before = modes_before
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        os.close(theirs)
        terminal.reader.join(TIMEOUT_S)
        os.close(ours)


def test_on_a_terminal_it_is_drawn_until_q(broker, cli, topic):
    with on_a_terminal(cli, "--admin", broker.admin) as terminal:
        for text in (topic, "latencies", "shards", "budgets", "1/5"):
            terminal.awaits(text)
        terminal.forgets()
        terminal.type(b"\t")
        # The border of the table that has the keys.
        terminal.awaits("┏")
        terminal.forgets()
        terminal.resize(10, 60)
        # There is room for one table only: the one that Tab went to.
        terminal.awaits("groups")
        terminal.type(b"q")
        terminal.ends_well()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_leave_the_terminal_as_it_was(cli, topic, number):
    with on_a_terminal(cli) as terminal:
        terminal.awaits(topic)
        assert terminal.modes() != terminal.modes_before
        # The second one must not end it before it has put things back.
        terminal.process.send_signal(number)
        terminal.process.send_signal(number)
        terminal.ends_well()


def test_a_broker_that_comes_back_is_seen_again(launch, binary):
    broker = launch(shards=1, fixed_ports=True)
    cli = StreamCli(binary, broker.bootstrap)
    topic = unique_topic("top")
    confluent.create_topic(broker.bootstrap, topic)
    with on_a_terminal(cli, "--timeout", "1s") as terminal:
        terminal.awaits(topic)
        broker.kill9()
        terminal.awaits("ago:")
        terminal.forgets()
        broker.restart()
        terminal.awaits("q:")
        terminal.type(b"q")
        terminal.ends_well()
