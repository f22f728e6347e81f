"""Producers with ledgers, and a reader that follows the log through whatever is done to brokers."""

from harness import confluent
from harness.ledger import LogView
from harness.waiting import wait_until


class Experiment:
    """What was acknowledged is to be there, in order, and once where the producer is idempotent."""

    def __init__(self, bootstrap, topic, partitions, producers):
        self.bootstrap = bootstrap
        self.topic = topic
        self.producers = producers
        self.view = LogView(partitions)

    def await_progress(self, acknowledgements, timeout_s=60):
        """Every producer gets on: none is stuck on an error or on a dead connection."""
        goals = [(p.ledger, p.ledger.count() + acknowledgements) for p in self.producers]
        for ledger, goal in goals:
            what = f"{ledger.name} to have {goal} acknowledgements"
            wait_until(lambda: ledger.count() >= goal or ledger.failures, what, timeout_s)
            assert not ledger.failures, ledger.failures[:3]

    def check(self):
        """Whatever was acknowledged before now is in the log now; reads on from where the last check ended."""
        promised = [(p.ledger, p.ledger.snapshot()) for p in self.producers]
        with confluent.open_consumer(self.bootstrap) as consumer:
            for partition in self.view.values:
                start = self.view.end(partition)
                _, end = confluent.query_watermarks(consumer, self.topic, partition)
                assert end >= start, f"partition {partition} ended at {start}, and now at {end}"
                rows = confluent.read_to(consumer, self.topic, partition, start, end)
                self.view.extend(partition, [(m.offset(), m.value()) for m in rows])
        for ledger, acknowledged in promised:
            self.view.check(ledger, acknowledged)

    def end(self):
        """Producers stop, with everything acknowledged; and what was read meanwhile is what is read again."""
        for producer in self.producers:
            producer.stop()
            assert not producer.ledger.failures, producer.ledger.failures[:3]
        self.check()
        for partition, values in self.view.values.items():
            again = confluent.consume(self.bootstrap, self.topic, partition)
            assert [record.value for _, record in again] == values

    def counts(self):
        return ", ".join(f"{p.ledger.name} {p.ledger.count()}" for p in self.producers)
