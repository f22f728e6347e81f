"""Kafka's VerifiableProducer and VerifiableConsumer, each in a process of its own that tells events as lines of JSON."""

import json
import os
import signal
import subprocess
import threading

from harness.broker import die_with_parent

TIMEOUT_S = 60.0


class Verifiable:
    def __init__(self, tools_dir, log_path, tool, *arguments):
        command = ["java", "-cp", os.path.join(tools_dir, "jars", "*"), f"org.apache.kafka.tools.{tool}", *arguments]
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, preexec_fn=die_with_parent)
        self.events = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            # What a kill has cut off has not been told.
            if line.endswith(b"}\n"):
                self.events.append(json.loads(line))

    def named(self, name):
        return [event for event in list(self.events) if event["name"] == name]

    def end(self, number):
        """Ends it by a signal, and waits for all that it told."""
        self.process.send_signal(number)
        self.process.wait(TIMEOUT_S)
        self.reader.join(TIMEOUT_S)

    def close(self):
        self.process.kill()


class Producer(Verifiable):
    def __init__(self, tools_dir, log_path, broker, topic, per_second, keys):
        super().__init__(
            tools_dir, log_path, "VerifiableProducer", "--bootstrap-server", broker.bootstrap, "--topic", topic,
            "--throughput", str(per_second), "--repeating-keys", str(keys))

    def acknowledged(self):
        """(partition, offset) to (key, value)."""
        sent = self.named("producer_send_success")
        return {(row["partition"], row["offset"]): (row["key"], row["value"]) for row in sent}


class Consumer(Verifiable):
    def __init__(self, tools_dir, log_path, broker, topic, group):
        super().__init__(
            tools_dir, log_path, "VerifiableConsumer", "--bootstrap-server", broker.bootstrap, "--topic", topic,
            "--group-id", group, "--session-timeout", "6000", "--reset-policy", "earliest", "--verbose")

    def consumed(self):
        """((partition, offset), (key, value)) in order."""
        rows = self.named("record_data")
        return [((row["partition"], row["offset"]), (row["key"], row["value"])) for row in rows]

    def committed(self):
        """What was consumed here before a commit of it succeeded here."""
        found, since = set(), []
        for event in list(self.events):
            if event["name"] == "record_data":
                since.append((event["partition"], event["offset"]))
            elif event["name"] == "offsets_committed" and event["success"]:
                ends = {row["partition"]: row["offset"] for row in event["offsets"]}
                done = {place for place in since if place[1] < ends.get(place[0], 0)}
                found |= done
                since = [place for place in since if place not in done]
        return found

    def stop(self):
        self.end(signal.SIGTERM)
        assert self.named("shutdown_complete")
