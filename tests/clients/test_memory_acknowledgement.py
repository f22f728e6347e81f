"""Topics that acknowledge from memory: on purpose only, and a crash costs them no more than the end of their log."""

import pytest
from confluent_kafka import KafkaException

from harness import confluent
from harness.records import Record, unique_topic
from harness.waiting import wait_until

ALLOWED = ["memory.acknowledgement.enable=true"]
ON_PURPOSE = {"flush.messages": "1000000"}
WARNING = "acknowledged from memory"


def numbered(first, count):
    return [Record(None, b"%d" % n) for n in range(first, first + count)]


def values(broker, topic):
    return [int(record.value) for _, record in confluent.consume(broker.bootstrap, topic, 0)]


def end(broker, topic):
    return confluent.watermarks(broker.bootstrap, topic, 0)[1]


def test_it_is_refused_by_name_where_the_broker_does_not_allow_it(launch):
    broker = launch()
    with pytest.raises(KafkaException, match="memory.acknowledgement.enable"):
        confluent.create_topic(broker.bootstrap, unique_topic("memory"), **ON_PURPOSE)
    confluent.create_topic(broker.bootstrap, unique_topic("memory"), **{"flush.messages": "1", "flush.ms": str(2**63 - 1)})
    assert WARNING not in broker.log()


def test_a_crash_loses_an_end_and_nothing_else(launch):
    broker = launch(settings=ALLOWED, fixed_ports=True)
    topic = unique_topic("memory")
    confluent.create_topic(broker.bootstrap, topic, **ON_PURPOSE)
    assert WARNING in broker.log()
    kept = 0
    for _ in range(3):
        options = {"linger.ms": 0, "batch.num.messages": 10, "enable.idempotence": True}
        confluent.produce(broker.bootstrap, topic, 0, numbered(kept, 500), **options)
        broker.kill9()
        broker.restart()
        found = values(broker, topic)
        assert found == list(range(len(found))) and len(found) >= kept, "in order, each once, nothing missing before it"
        kept = len(found)


def test_everything_is_synced_soon_and_again_at_once_without_the_switch(launch):
    broker = launch(settings=ALLOWED, fixed_ports=True)
    topic = unique_topic("memory")
    confluent.create_topic(broker.bootstrap, topic, **ON_PURPOSE)
    confluent.produce(broker.bootstrap, topic, 0, numbered(0, 100))
    wait_until(lambda: end(broker, topic) == 100, "consumers to see what is synced")
    assert broker.terminate() == 0, broker.log()

    broker.arguments.remove(ALLOWED[0])
    broker.arguments.remove("--set")
    broker.restart()
    assert WARNING not in broker.log_of_this_start()
    confluent.produce(broker.bootstrap, topic, 0, numbered(100, 100))
    broker.kill9()
    broker.restart()
    assert values(broker, topic) == list(range(200))
