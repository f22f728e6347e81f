"""What producers were promised, and whether a log keeps it.

Every record's value is NAME:PARTITION:SEQUENCE; each producer counts its sequence up from 0 in every partition.
"""

import threading


class Ledger:
    """Acknowledgements of one producer, from whatever thread it runs on."""

    def __init__(self, name, idempotent):
        self.name = name
        self.idempotent = idempotent
        self.lock = threading.Lock()
        # (partition, sequence) -> offset, or None: librdkafka knows no offset when it learns of a success from the
        # refusal of its own duplicate (DUPLICATE_SEQUENCE_NUMBER).
        self.acknowledged = {}
        self.failures = []

    def acknowledge(self, partition, sequence, offset):
        with self.lock:
            self.acknowledged[partition, sequence] = offset

    def fail(self, what):
        with self.lock:
            self.failures.append(what)

    def count(self):
        with self.lock:
            return len(self.acknowledged)

    def snapshot(self):
        with self.lock:
            return dict(self.acknowledged)


def value_of(name, partition, sequence):
    return f"{name}:{partition}:{sequence}".encode()


class LogView:
    """What a consumer has read of each partition so far: values by offset."""

    def __init__(self, partitions):
        self.values = {partition: [] for partition in range(partitions)}

    def extend(self, partition, rows):
        """Appends (offset, value) rows; offsets must go on without a gap."""
        values = self.values[partition]
        for offset, value in rows:
            assert offset == len(values), f"partition {partition}: offset {offset} follows {len(values) - 1}"
            values.append(value)

    def end(self, partition):
        return len(self.values[partition])

    def check(self, ledger, acknowledged):
        """Fails unless the log keeps what `acknowledged`, a snapshot of the ledger, promises."""
        for partition, values in self.values.items():
            own = [
                (int(value.rsplit(b":", 1)[1]), offset)
                for offset, value in enumerate(values)
                if value.startswith(f"{ledger.name}:".encode())
            ]
            for sequence, offset in own:
                assert values[offset] == value_of(ledger.name, partition, sequence), "a record in a foreign partition"
            place = f"{ledger.name}, partition {partition}"
            check_nothing_lost(place, own, partition, acknowledged)
            if ledger.idempotent:
                check_exactly_once(place, own, partition, acknowledged)
            else:
                check_first_occurrences_in_order(place, own)


def check_nothing_lost(place, own, partition, acknowledged):
    present = {sequence for sequence, _ in own}
    lost = sorted(seq for part, seq in acknowledged if part == partition and seq not in present)
    assert not lost, f"{place}: lost {len(lost)} acknowledged records, first {lost[:5]}"


def check_exactly_once(place, own, partition, acknowledged):
    """Sequences are 0, 1, 2 ... without repetition or gap, each at the offset that was acknowledged."""
    sequences = [sequence for sequence, _ in own]
    wrong = next((i for i, sequence in enumerate(sequences) if sequence != i), None)
    assert wrong is None, f"{place}: {wrong} wanted, found {sequences[max(0, wrong - 3) : wrong + 4]}"
    for sequence, offset in own:
        promised = acknowledged.get((partition, sequence))
        assert promised in (None, offset), f"{place}: {sequence} acknowledged at {promised}, is at {offset}"


def check_first_occurrences_in_order(place, own):
    """Retries may repeat what was written, but never let a later record overtake an earlier one."""
    expected = 0
    for sequence, _ in own:
        assert sequence <= expected, f"{place}: {sequence} before {expected}"
        expected = max(expected, sequence + 1)
