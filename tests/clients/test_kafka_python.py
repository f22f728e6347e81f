"""kafka-python: a client with a codec of its own."""

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from harness import confluent
from harness.records import BASE_TIMESTAMP_MS, COMPRESSIONS, unique_topic
from harness.wire import stored


@pytest.mark.parametrize("idempotence", [False, True], ids=["plain", "idempotent"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_produce_and_consume(broker, compression, idempotence):
    topic = unique_topic("kafka-python")
    confluent.create_topic(broker.bootstrap, topic)
    kind = None if compression == "none" else compression
    producer = KafkaProducer(
        bootstrap_servers=broker.bootstrap, compression_type=kind, acks="all", linger_ms=20,
        enable_idempotence=idempotence)
    headers = [("h", b"1"), ("h", b"2")]
    sent = [
        producer.send(topic, b"value %d" % i, b"key", headers, 0, BASE_TIMESTAMP_MS + i) for i in range(200)
    ]
    assert [future.get(timeout=20).offset for future in sent] == list(range(200))
    producer.close()

    with_timeout = {"consumer_timeout_ms": 20_000, "auto_offset_reset": "earliest"}
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, **with_timeout)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    found = [record for _, record in zip(range(200), consumer)]
    assert [(r.offset, r.key, r.value, r.timestamp) for r in found] == [
        (i, b"key", b"value %d" % i, BASE_TIMESTAMP_MS + i) for i in range(200)
    ]
    assert all(list(record.headers) == headers for record in found)
    # A batch that compression would make longer is sent as it is.
    assert compression in stored.compressions(broker.bootstrap, topic, 0)
    by_time = consumer.offsets_for_times({partition: BASE_TIMESTAMP_MS + 150})
    assert by_time[partition].offset == 150
    consumer.close()
