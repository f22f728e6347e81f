"""Producers that go on through crashes of the broker, each writing its acknowledgements into a ledger."""

import contextlib
import threading

from confluent_kafka import Producer

from harness import clients
from harness.confluent import QUIET
from harness.driver import DriverError
from harness.java import JavaLoad
from harness.ledger import Ledger, value_of
from harness.records import Record

STOP_TIMEOUT_S = 60
# Bounds the records that wait while the broker is away.
MAX_UNACKNOWLEDGED = 2_000
# Records of one call of a client that is driven through a pipe.
RECORDS_PER_CALL = 20
# Clients that come back fast, and never give a record up: a failure is then the broker's fault.
PATIENT = {
    "message.timeout.ms": 600_000,
    "socket.timeout.ms": 5_000,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 200,
    "linger.ms": 1,
    "acks": "all",
}


class ConfluentLoad:
    """librdkafka on a thread of its own."""

    def __init__(self, name, bootstrap, topic, partitions, idempotent):
        self.ledger = Ledger(name, idempotent)
        self.topic = topic
        self.partitions = partitions
        # Without idempotence only one request in flight keeps retries from overtaking.
        in_flight = 5 if idempotent else 1
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": idempotent,
            "max.in.flight.requests.per.connection": in_flight, **QUIET, **PATIENT})
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self):
        sequence = 0
        while not self.stopping.is_set():
            if len(self.producer) >= MAX_UNACKNOWLEDGED:
                self.producer.poll(0.05)
                continue
            for partition in range(self.partitions):
                self._send(partition, sequence)
            sequence += 1
            self.producer.poll(0.001)
        left = self.producer.flush(STOP_TIMEOUT_S)
        if left:
            self.ledger.fail(f"{left} records neither acknowledged nor failed")

    def _send(self, partition, sequence):
        def delivered(error, message):
            if error:
                self.ledger.fail(f"partition {partition}, sequence {sequence}: {error}")
            else:
                self.ledger.acknowledge(partition, sequence, message.offset())

        value = value_of(self.ledger.name, partition, sequence)
        self.producer.produce(self.topic, value, partition=partition, on_delivery=delivered)

    def stop(self):
        self.stopping.set()
        self.thread.join(STOP_TIMEOUT_S + 10)
        assert not self.thread.is_alive(), f"{self.ledger.name} does not end"


class JavaLoadWithLedger:
    """The Java client, idempotent by its defaults, in a process of its own."""

    def __init__(self, name, tools_dir, log_path, bootstrap, topic, partitions):
        self.ledger = Ledger(name, idempotent=True)
        self.load = JavaLoad(tools_dir, log_path, bootstrap, topic, partitions, name)
        self.thread = threading.Thread(target=self._collect, name=name, daemon=True)
        self.thread.start()

    def _collect(self):
        last = None
        for line in self.load.lines():
            last = line
            if line.startswith("error"):
                self.ledger.fail(line)
            elif line != "done":
                partition, sequence, offset = map(int, line.split())
                self.ledger.acknowledge(partition, sequence, offset)
        if last != "done":
            self.ledger.fail("the Java producer ended before it was asked to")

    def stop(self):
        self.load.stop()
        self.thread.join(STOP_TIMEOUT_S + 10)
        assert not self.thread.is_alive(), f"{self.ledger.name} does not end"


class FranzLoad:
    """franz-go, idempotent by its defaults: a client for some records of one partition, and then another."""

    def __init__(self, name, tools_dir, log_directory, bootstrap, topic, partitions):
        self.ledger = Ledger(name, idempotent=True)
        self.where = bootstrap, topic
        self.partitions = partitions
        self.stopping = threading.Event()
        self.stack = contextlib.ExitStack()
        self.client = self.stack.enter_context(clients.opened("franz-go", tools_dir, log_directory))
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self):
        sequence = 0
        try:
            while not self.stopping.is_set():
                for partition in range(self.partitions):
                    self._send(partition, range(sequence, sequence + RECORDS_PER_CALL))
                sequence += RECORDS_PER_CALL
        except (DriverError, AssertionError) as failure:
            self.ledger.fail(str(failure))

    def _send(self, partition, sequences):
        bootstrap, topic = self.where
        records = [Record(None, value_of(self.ledger.name, partition, sequence)) for sequence in sequences]
        results = self.client.produce(bootstrap, topic, partition, records, clients.config(idempotent=True))
        for sequence, result in zip(sequences, results):
            if "error" in result:
                self.ledger.fail(f"partition {partition}, sequence {sequence}: {result}")
            else:
                self.ledger.acknowledge(partition, sequence, result["offset"])

    def stop(self):
        self.stopping.set()
        self.thread.join(STOP_TIMEOUT_S + 10)
        assert not self.thread.is_alive(), f"{self.ledger.name} does not end"
        self.stack.close()
