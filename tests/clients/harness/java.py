"""The Java client, through the driver in tests/clients/java."""

import base64
import json
import os
import queue
import subprocess
import threading

from harness.broker import collect_lines, die_with_parent
from harness.records import Record

ANSWER_TIMEOUT_S = 60


class JavaError(Exception):
    """The Java client threw; `name` is the exception's simple class name."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name


class JavaDriver:
    """One JVM that answers requests; starting one per request would cost a second each."""

    def __init__(self, tools_dir, log_path):
        self.process = start_driver(tools_dir, log_path, ["requests"])
        self.lines = queue.Queue()
        threading.Thread(target=collect_lines, args=(self.process.stdout, self.lines), daemon=True).start()
        self.log_path = log_path

    def close(self):
        self.process.stdin.close()
        self.process.wait(ANSWER_TIMEOUT_S)

    def request(self, operation, bootstrap, config=None, **fields):
        config = {"bootstrap.servers": bootstrap, **(config or {})}
        request = {"operation": operation, "config": config, **fields}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        try:
            line = self.lines.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty:
            self.process.kill()  # a late answer must not be taken for that of the next request
            raise AssertionError(f"no answer to {operation} in {ANSWER_TIMEOUT_S} s, see {self.log_path}") from None
        assert line is not None, f"the Java driver ended during {operation}, see {self.log_path}"
        answer = json.loads(line)
        if "error" in answer:
            raise JavaError(answer["error"], answer["message"])
        return answer

    def produce(self, bootstrap, topic, partition, records, config=None):
        """Results in order: {"offset", "timestamp_ms"} or {"error", "message"} of each record."""
        rows = [to_json(record) for record in records]
        request = self.request("produce", bootstrap, config, topic=topic, partition=partition, records=rows)
        return request["results"]

    def consume(self, bootstrap, topic, partition, config=None, **start):
        """(offset, Record) of everything from `offset=`, `time_ms=` or the beginning."""
        answer = self.request("consume", bootstrap, config, topic=topic, partition=partition, **start)
        return [(row["offset"], from_json(row)) for row in answer["records"]]


class JavaLoad:
    """`Driver load`: a producer in a process of its own; `lines` carries its acknowledgements."""

    def __init__(self, tools_dir, log_path, bootstrap, topic, partitions, name):
        self.process = start_driver(tools_dir, log_path, ["load", bootstrap, topic, str(partitions), name])

    def lines(self):
        for line in self.process.stdout:
            yield line.decode().strip()

    def stop(self):
        """Asks for the end; `lines` ends once everything outstanding is acknowledged."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


def start_driver(tools_dir, log_path, arguments):
    classpath = os.pathsep.join([os.path.join(tools_dir, "driver"), os.path.join(tools_dir, "jars", "*")])
    # Without the optimising compiler a short-lived JVM starts faster and leaves the cores to the broker.
    command = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classpath, "corelane.Driver"]
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            command + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            preexec_fn=die_with_parent)


def to_json(record):
    return {
        "key": encode(record.key),
        "value": encode(record.value),
        "headers": [[name, encode(value)] for name, value in record.headers],
        "timestamp_ms": record.timestamp_ms,
    }


def from_json(row):
    headers = tuple((name, decode(value)) for name, value in row["headers"])
    return Record(decode(row["key"]), decode(row["value"]), headers, row["timestamp_ms"])


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)
