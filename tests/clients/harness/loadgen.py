"""Runs loadgen and reads what it reports."""

import json
import os
import subprocess


class Loadgen:
    """The binary, with its reports below a test's directory."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = directory

    def run(self, command, broker, *flags):
        """Runs a command to its end and returns its report; fails with its output unless it succeeds."""
        return self.finish(self.start(command, broker, *flags))

    def start(self, command, broker, *flags):
        """Starts a command against a broker, with a report."""
        arguments = [self.binary, command, "--brokers", broker.bootstrap, "--report", self._report_of(command)]
        return command, subprocess.Popen(
            [*arguments, *map(str, flags)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, started, timeout_s=120):
        """Waits for a started command and returns its report."""
        command, process = started
        try:
            output, _ = process.communicate(timeout=timeout_s)
        finally:
            process.kill()
        assert process.returncode == 0, output.decode(errors="replace")
        name = "verify.json" if command == "verify" else "report.json"
        with open(os.path.join(self._report_of(command), name), encoding="utf-8") as file:
            return json.load(file)

    def _report_of(self, command):
        return os.path.join(self.directory, f"report-{command}")
