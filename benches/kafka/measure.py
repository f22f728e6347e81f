"""One round of one point: capacities, then latencies, each subject on a broker of its own."""

import json
import os
import subprocess

import brokers

LOAD_CPU = "1"
# Pairs that are compared at a common rate: half the capacity of the slower one.
PAIRS = (("kafka", "corelane"), ("kafka-sync", "corelane"))


class Failed(Exception):
    """A measurement that did not do what it was asked for."""


class Bench:
    """`lengths` says how long each part takes; reports go to `reports`/POINT/round-N/MEASUREMENT."""

    def __init__(self, binaries, jars, directory, reports, lengths):
        self.loadgen = os.path.join(binaries, "loadgen")
        self.directory = directory
        self.reports = reports
        self.lengths = lengths
        self.subjects = {kind.name: kind(binaries, jars) for kind in brokers.SUBJECTS}

    def round(self, point, number):
        """Measures all subjects, another one first in each round."""
        names = list(self.subjects)
        names = names[number % len(names):] + names[:number % len(names)]
        capacities = {name: self.capacity(point, number, name) for name in names}
        for pair in PAIRS:
            rate = min(capacities[name] for name in pair) / 2
            for name in sorted(pair, key=names.index):
                self.latency(point, number, name, "-".join(pair), rate)

    def capacity(self, point, number, name):
        """Records a second that the broker takes with all connections busy."""
        directory = self.report_directory(point, number, f"capacity-{name}")
        with brokers.running(self.subjects[name], self.directory) as broker:
            self.warm_up(point, name, broker.address)
            self.load(point, broker.address, self.lengths.capacity, directory, ["--closed"])
        achieved = read(directory)["rates"]["achieved_records_per_s"]
        print(f"   {name}: {achieved:,.0f} records/s", flush=True)
        return achieved

    def latency(self, point, number, name, pair, records_per_s):
        directory = self.report_directory(point, number, f"latency-{pair}-{name}")
        with brokers.running(self.subjects[name], self.directory) as broker:
            self.warm_up(point, name, broker.address)
            self.load(point, broker.address, self.lengths.latency, directory, ["--rate", f"{records_per_s:.1f}"])
        response = read(directory)["latency_ms"]["response"]
        print(f"   {name} at {records_per_s:,.0f} records/s: p50 {response['p50']:.2f} p99 {response['p99']:.2f} "
              f"p99.9 {response['p999']:.2f} ms", flush=True)

    def warm_up(self, point, name, address):
        """Lets a JVM compile what the measurement will use."""
        if self.subjects[name].needs_warm_jvm:
            self.load(point, address, self.lengths.jvm_warmup, None, ["--closed"])

    def load(self, point, address, seconds, directory, more):
        command = ["taskset", "-c", LOAD_CPU, self.loadgen, "run", "--brokers", address, *point.flags,
                   "--warmup", f"{self.lengths.warmup}s", "--duration", f"{seconds}s", *more]
        if directory is not None:
            command += ["--report", directory]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")

    def report_directory(self, point, number, measurement):
        return os.path.join(self.reports, point.name, f"round-{number + 1}", measurement)


def read(directory):
    with open(os.path.join(directory, "report.json"), encoding="utf-8") as file:
        return json.load(file)
