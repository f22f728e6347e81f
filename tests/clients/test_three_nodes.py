"""The quick-start of README.md with three nodes, run as it stands there."""

import contextlib
import os
import re
import signal
import subprocess

from harness.broker import die_with_parent, plain_environment
from harness.ports import free_port_block

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "docs", "examples", "three-nodes")
PORTS = 12
TIMEOUT_S = 100


def run(*flags):
    """Exit code and output; whatever becomes of the script, its brokers end with it."""
    process = subprocess.Popen(
        [SCRIPT, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=plain_environment(), start_new_session=True, preexec_fn=die_with_parent)
    try:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


def test_the_tour_of_three_nodes(binary, directory):
    flags = ["--corelane", binary, "--directory", directory, "--port", str(free_port_block(PORTS)), "--once"]
    for records, times in (("5000", 1), ("5000", 2)):  # again on the same data
        code, output = run(*flags, "--records", records)
        assert code == 0, output
        assert re.search(r"node [123] is killed", output), output
        assert f"{records} different records of {records}, each {times} time(s)" in output, output


def test_what_it_cannot_use_it_says():
    code, output = run("--nodes", "4")
    assert code == 2 and "unknown argument '--nodes'" in output
