"""What is compared: partitions, batches, with or without consumers."""

from dataclasses import dataclass

RECORD_SIZE = "1KiB"
# Records of each request.
BATCHES = {"small": 1, "large": 64}
KINDS = ("produce", "end-to-end")
PRODUCERS = 8
CONSUMERS = 2
# Requests outstanding on each connection: enough that no broker waits for load where capacity is measured, and that
# none is limited by it where latency is.
IN_FLIGHT = 32


@dataclass(frozen=True)
class Point:
    partitions: int
    batch: str
    kind: str

    @property
    def name(self):
        return f"{self.kind}-{self.partitions}-{self.batch}"

    @property
    def title(self):
        records = BATCHES[self.batch]
        return f"{self.kind}, {counted(self.partitions, 'partition')}, {counted(records, 'record')} a request"

    @staticmethod
    def named(name):
        kind, partitions, batch = name.rsplit("-", 2)
        return Point(int(partitions), batch, kind)

    @property
    def flags(self):
        """What all measurements of the point have in common."""
        flags = ["--topic", "bench", "--partitions", self.partitions, "--size", RECORD_SIZE,
                 "--batch", BATCHES[self.batch], "--producers", PRODUCERS, "--in-flight", IN_FLIGHT,
                 "--acks", "all", "--cpus", 1]
        if self.kind == "end-to-end":
            flags += ["--consumers", CONSUMERS]
        return [str(flag) for flag in flags]


@dataclass(frozen=True)
class Lengths:
    """Seconds of each part of a measurement."""

    jvm_warmup: int
    warmup: int
    capacity: int
    latency: int

    @staticmethod
    def full():
        return Lengths(jvm_warmup=12, warmup=3, capacity=10, latency=20)

    @staticmethod
    def quick():
        return Lengths(jvm_warmup=8, warmup=2, capacity=5, latency=8)


def points(partitions, batches, kinds):
    """The points of comma-separated lists, those of one number of partitions together."""
    return [
        Point(int(count), one_of(batch, BATCHES), one_of(kind, KINDS))
        for count in partitions.split(",")
        for batch in batches.split(",")
        for kind in kinds.split(",")
    ]


def counted(count, name):
    return f"{count} {name}{'s' * (count != 1)}"


def one_of(name, names):
    if name not in names:
        raise SystemExit(f"benches/kafka/run: `{name}` is none of {', '.join(names)}")
    return name
