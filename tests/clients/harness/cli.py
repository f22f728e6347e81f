"""The client half of the `corelane` command line as a function: exit status, output, JSON."""

import json
import os
import pty
import subprocess
from dataclasses import dataclass

from harness.broker import plain_environment

TIMEOUT_S = 60

# What docs/command-line.md promises to scripts.
OK, FAILED, USAGE, UNREACHABLE, NOT_FOUND, REFUSED, PARTIAL, NOT_AGREED = range(8)


@dataclass
class Done:
    """What came of a command."""

    command: str
    status: int
    stdout: str
    stderr: str

    def expect(self, status):
        assert self.status == status, f"{self.command} ended with {self.status}: {self.stdout}\n{self.stderr}"
        return self


class Cli:
    """Runs commands against one cluster."""

    def __init__(self, binary, bootstrap):
        self.binary = binary
        self.environment = {**plain_environment(), "CORELANE_BROKERS": bootstrap}

    def run(self, *arguments, stdin=subprocess.DEVNULL):
        """Runs a command; without a terminal, unless `stdin` is one."""
        command = [self.binary, *arguments]
        done = subprocess.run(
            command, stdin=stdin, capture_output=True, timeout=TIMEOUT_S, check=False, env=self.environment)
        return Done(" ".join(command), done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *arguments):
        """stdout of a command that must succeed."""
        return self.run(*arguments).expect(OK).stdout

    def json(self, *arguments, status=OK):
        """The JSON document that a command prints."""
        return json.loads(self.run(*arguments, "--output", "json").expect(status).stdout)

    def answer(self, typed, *arguments):
        """Runs a command on a terminal where somebody has typed this."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, typed.encode())
            return self.run(*arguments, stdin=theirs)
        finally:
            os.close(ours)
            os.close(theirs)
