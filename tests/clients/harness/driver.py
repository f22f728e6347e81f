"""A client in another language, behind a pipe: one JSON request per line in, one JSON answer per line out."""

import base64
import json
import queue
import subprocess
import threading

from harness.broker import collect_lines, die_with_parent
from harness.records import Record

ANSWER_TIMEOUT_S = 60


class DriverError(Exception):
    """The client failed; `name` is Kafka's or the client's name of the error."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name


class Driver:
    """One process that answers requests: starting one per request would cost up to a second each."""

    def __init__(self, command, log_path, environment=None):
        self.process = start(command, log_path, environment)
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
        assert line is not None, f"the driver ended during {operation}, see {self.log_path}"
        answer = json.loads(line)
        if "error" in answer:
            raise DriverError(answer["error"], answer["message"])
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


def start(command, log_path, environment=None):
    with open(log_path, "ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment,
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
