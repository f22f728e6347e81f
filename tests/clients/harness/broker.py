"""One broker process: started with flags, awaited by its ready line, killed and restarted on the same data."""

import ctypes
import json
import os
import queue
import signal
import subprocess
import threading
import time

from harness.ports import free_port_block

# What two shards need, and little more: what is not bounded shows soon.
MEMORY_BYTES = 640 << 20
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
PR_SET_PDEATHSIG = 1


class StartFailed(Exception):
    """The process ended, or said nothing, instead of becoming ready."""

    def __init__(self, why, exit_code, log):
        super().__init__(f"{why}\n--- broker log ---\n{log}")
        self.exit_code = exit_code
        self.log = log


class Broker:
    """`corelane serve` on a directory of its own. `flags` are passed on as they are."""

    def __init__(
        self, binary, directory, *, shards=2, memory_bytes=MEMORY_BYTES, fixed_ports=False, settings=(), flags=()
    ):
        self.binary = binary
        self.directory = directory
        self.data_dir = os.path.join(directory, "data")
        self.log_path = os.path.join(directory, "broker.log")
        self.shards = shards
        self.memory_bytes = memory_bytes
        self.arguments = ["--shards", str(shards), "--memory", str(memory_bytes)]
        for setting in settings:
            self.arguments += ["--set", setting]
        self.arguments += list(flags)
        self.listen_arguments = ["--listen", "127.0.0.1:0"]
        if fixed_ports:
            first = free_port_block(1 + shards)
            self.listen_arguments = ["--listen", f"127.0.0.1:{first}", "--shard-ports", str(first + 1)]
        self.listen_arguments += ["--admin", "127.0.0.1:0"]
        # What stands before the command.
        self.command_prefix = []
        self.process = None
        self.addresses = []
        self.log_start = 0
        os.makedirs(directory, exist_ok=True)

    @property
    def bootstrap(self):
        """HOST:PORT of the node, the first address of the ready line."""
        return self.addresses[0]

    @property
    def admin(self):
        """HOST:PORT of the admin port."""
        with open(os.path.join(self.data_dir, "endpoints.json"), encoding="utf-8") as file:
            return json.load(file)["admin"]

    @property
    def pid(self):
        return self.process.pid

    def start(self, timeout_s=READY_TIMEOUT_S):
        """Starts the process and waits for `corelane ready ADDRESS ...`."""
        self.spawn()
        self.await_ready(timeout_s)
        return self

    def start_and_kill(self, after_s):
        """Starts the process and kills it `after_s` later, ready or not."""
        self.spawn()
        time.sleep(after_s)
        self.kill9()

    def spawn(self):
        """Starts the process and does not wait."""
        command = [*self.command_prefix, self.binary, "serve", "--data-dir", self.data_dir, *self.listen_arguments, *self.arguments]
        with open(self.log_path, "ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=self.directory,
                env=plain_environment(), preexec_fn=die_with_parent)
        self.lines = queue.Queue()
        threading.Thread(target=collect_lines, args=(self.process.stdout, self.lines), daemon=True).start()

    def await_ready(self, timeout_s=READY_TIMEOUT_S):
        """Waits for the ready line of a process that was started."""
        try:
            line = self.lines.get(timeout=timeout_s)
        except queue.Empty:
            self.kill9()
            raise StartFailed(f"no ready line within {timeout_s} s", None, self.log_of_this_start()) from None
        if line is None:
            code = self.process.wait(STOP_TIMEOUT_S)
            raise StartFailed(f"ended with exit code {code} before it was ready", code, self.log_of_this_start())
        words = line.split()
        if words[:2] != ["corelane", "ready"] or len(words) < 3:
            self.kill9()
            raise StartFailed(f"stdout opens with {line!r} instead of the ready line", None, self.log_of_this_start())
        self.addresses = words[2:]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill9(self):
        """Ends the process as a crash would: nothing is flushed, nothing is said."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)

    def terminate(self, timeout_s=STOP_TIMEOUT_S):
        """Asks for a clean stop and returns the exit code; fails if the process does not end in time."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"still running {timeout_s} s after SIGTERM\n{self.log()}") from None

    def restart(self):
        """Starts again on the same data directory, and on the same ports if they are fixed."""
        assert not self.is_running(), "restart wants a stopped broker"
        return self.start()

    def check_alive(self):
        """Fails with the log if the process has ended or has panicked."""
        assert self.is_running(), f"the broker ended with {self.process.returncode}\n{self.log()}"
        assert "panicked at" not in self.log_of_this_start(), f"the broker panicked\n{self.log()}"

    def log(self, last_bytes=20_000):
        """The end of what the broker wrote to stderr."""
        with open(self.log_path, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log_path) - last_bytes))
            return log.read().decode(errors="replace")

    def log_of_this_start(self):
        """What this process wrote to stderr, without the command line that the harness puts before it."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def events(self, message):
        """Fields of the JSON log events with this message (needs `--set log.format=json`)."""
        found = []
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            for line in log:
                if line.startswith("{"):
                    event = json.loads(line)
                    fields = event.get("fields", event)
                    if fields.get("message") == message:
                        found.append(fields)
        return found

    def peak_memory_bytes(self):
        """The most resident memory that the process ever had."""
        return self._status_kib("VmHWM") * 1024

    def resident_memory_bytes(self):
        return self._status_kib("VmRSS") * 1024

    def _status_kib(self, field):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise AssertionError(f"no {field} in /proc/{self.pid}/status")


def plain_environment():
    """The environment without what would configure the broker: whoever runs the tests may have set that up."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CORELANE_")}


def die_with_parent():
    """Runs in the child: a test run that is itself killed leaves no broker behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def collect_lines(stream, lines):
    """Empties the process's stdout, so that it never blocks on a full pipe; None marks the end."""
    for line in stream:
        lines.put(line.decode(errors="replace").rstrip("\n"))
    lines.put(None)


def elapsed_s(action):
    """How long `action` took, and what it returned."""
    began = time.monotonic()
    value = action()
    return time.monotonic() - began, value
