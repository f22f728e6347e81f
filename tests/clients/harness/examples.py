"""The consumers of docs/examples/consuming as processes, whose work is a line on stdout."""

import dataclasses
import fcntl
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time

from harness.broker import collect_lines, die_with_parent

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DIRECTORY = os.path.join(ROOT, "docs", "examples", "consuming")
FILES = {
    "python": {
        "before": "commit_before_work.py", "after": "commit_after_work.py", "workers": "ordered_workers.py"},
    "java": {"before": "CommitBeforeWork.java", "after": "CommitAfterWork.java", "workers": "OrderedWorkers.java"},
}
# Records that a crash may cost: BATCH_RECORDS of the first two, WINDOW_RECORDS of the third.
BOUNDS = {"before": 10, "after": 10, "workers": 100}
# One page: a process that writes longer lines waits in the middle of each until we take it.
PIPE_BYTES = 4096
LINE_BYTES_MIN = 3 * PIPE_BYTES
TIMEOUT_S = 60.0


@dataclasses.dataclass(frozen=True, order=True)
class Work:
    """A record that was worked on."""

    partition: int
    offset: int
    key: str
    sequence: int

    @staticmethod
    def parse(line):
        partition, offset, key, value = line.split(" ")
        return Work(int(partition), int(offset), key, int(value.split(":")[0]))

    @property
    def place(self):
        return self.partition, self.offset


def command(tools_dir, language, way, bootstrap, topic, group):
    file = os.path.join(DIRECTORY, FILES[language][way])
    java = ["java", "-cp", os.path.join(tools_dir, "jars", "*")]
    return [*([sys.executable] if language == "python" else java), file, bootstrap, topic, group]


class Stepped:
    """A consumer that gets no further than what the test takes from it. Its lines are longer than the pipe, so
    between two of them it is in the middle of the work on one record (LINE_BYTES_MIN)."""

    def __init__(self, command, log_path):
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=writer, stderr=log, preexec_fn=die_with_parent)
        os.close(writer)
        self.log_path = log_path
        self.buffer = b""

    def close(self):
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        os.close(self.reader)

    def take(self, count):
        """The next `count` records that are worked on, to their end."""
        found = []
        while len(found) < count:
            self._read_until(lambda: b"\n" in self.buffer)
            line, self.buffer = self.buffer.split(b"\n", 1)
            found.append(Work.parse(line.decode()))
        return found

    def await_next(self):
        """Waits until the work on the next record has begun; it cannot end. Returns partition and offset."""
        self._read_until(lambda: self.buffer.count(b" ") >= 2)
        assert b"\n" not in self.buffer, "lines must be longer than the pipe"
        partition, offset = self.buffer.split(b" ")[:2]
        return int(partition), int(offset)

    def kill9(self):
        """Ends the process as a crash would, in the middle of its work on the record that is returned."""
        place = self.await_next()
        self.process.kill()
        assert self._finish() == [], "nothing ends after the kill"
        return place

    def stop(self):
        """Asks for a clean stop; what was still worked on."""
        self.process.send_signal(signal.SIGTERM)
        found = self._finish()
        assert self.process.returncode in (0, 128 + signal.SIGTERM), self._log()
        assert self.buffer == b"", "a record was left in the middle"
        return found

    def _finish(self):
        found = []
        while self._read():
            while b"\n" in self.buffer:
                found += self.take(1)
        self.process.wait(TIMEOUT_S)
        return found

    def _read_until(self, condition):
        while not condition():
            assert self._read(), f"ended with {self.process.wait(TIMEOUT_S)}\n{self._log()}"

    def _read(self):
        ready, _, _ = select.select([self.reader], [], [], TIMEOUT_S)
        assert ready, f"no work for {TIMEOUT_S} s\n{self._log()}"
        piece = os.read(self.reader, PIPE_BYTES)
        self.buffer += piece
        return len(piece) > 0

    def _log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-5000:]


class Supervised:
    """A consumer that works as fast as it can, and is started again whenever it ends by itself."""

    def __init__(self, command, log_path):
        self.command = command
        self.log_path = log_path
        # What each process has worked on, in its order.
        self.lives = []
        # Ends that nobody asked for, kill -9 by us included.
        self.crashes = 0
        self.is_stopping = False
        self.lock = threading.Lock()
        self._start()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def _start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                preexec_fn=die_with_parent)
        self.lines = queue.Queue()
        self.lives.append([])
        threading.Thread(target=collect_lines, args=(self.process.stdout, self.lines), daemon=True).start()

    def _watch(self):
        while True:
            line = self.lines.get()
            if line is not None:
                # What a kill has cut off was not done.
                if line.endswith("."):
                    self.lives[-1].append(Work.parse(line[:-1]))
                continue
            code = self.process.wait(TIMEOUT_S)
            if code not in (0, -signal.SIGTERM):
                self.crashes += 1
            # A supervisor does not start a failing process in a tight loop.
            time.sleep(0.2)
            with self.lock:
                if self.is_stopping:
                    return
                self._start()

    def work(self):
        return [work for life in self.lives for work in list(life)]

    def restart(self, number):
        """Ends the process by a signal; the watcher starts the next one."""
        lives = len(self.lives)
        self.process.send_signal(number)
        return lambda: len(self.lives) > lives

    def stop(self):
        with self.lock:
            self.is_stopping = True
        self.process.send_signal(signal.SIGTERM)
        self.watcher.join(TIMEOUT_S)
        assert not self.watcher.is_alive(), "it does not stop"

    def close(self):
        with self.lock:
            self.is_stopping = True
        self.process.kill()
