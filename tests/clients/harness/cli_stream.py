"""Commands of the command line that read stdin or go on printing: bytes in, bytes out, signals."""

import json
import queue
import signal
import subprocess
import threading

from harness.cli import OK, TIMEOUT_S, Cli, Done

INTERRUPTED = 130


class StreamCli(Cli):
    """Runs `corelane produce` and `corelane consume` against one cluster."""

    def feed(self, stdin, *arguments):
        """Runs a command with these bytes as stdin."""
        command = [self.binary, *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False, env=self.environment)
        return Done(" ".join(command), done.returncode, done.stdout.decode(), done.stderr.decode())

    def records(self, topic, *arguments):
        """What `consume --output json` prints, without what differs from run to run."""
        lines = self.ok("consume", topic, "--output", "json", *arguments).splitlines()
        return [json.loads(line) for line in lines]

    def values(self, topic, *arguments):
        """The lines that `consume` prints."""
        return self.ok("consume", topic, *arguments).splitlines()

    def start(self, *arguments):
        """A command that goes on until it is ended."""
        return Running([self.binary, *arguments], self.environment)


class Running:
    """A process that is fed and read line by line."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.decode().rstrip("\n"))

    def type(self, *lines):
        self.process.stdin.write(b"".join(line + b"\n" for line in lines))
        self.process.stdin.flush()

    def read(self, count):
        """The next lines of stdout."""
        return [self.lines.get(timeout=TIMEOUT_S) for _ in range(count)]

    def interrupt(self, status=OK):
        """Ctrl-C; returns what was still printed, and stderr."""
        self.process.send_signal(signal.SIGINT)
        found = self.process.wait(TIMEOUT_S)
        stderr = self.process.stderr.read().decode()
        assert found == status, f"ended with {found}: {stderr}"
        self.reader.join(TIMEOUT_S)
        rest = []
        while not self.lines.empty():
            rest.append(self.lines.get())
        return rest, stderr
