"""What is not there yet is refused at once and for good, where a client would otherwise wait for it."""

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from harness import confluent
from harness.records import Record, unique_topic

PRODUCER_PERFORMANCE = "org.apache.kafka.tools.ProducerPerformance"


@pytest.fixture
def topic(broker):
    name = unique_topic("refusals")
    confluent.create_topic(broker.bootstrap, name)
    return name


def test_librdkafka_is_refused_a_transactional_id(broker, topic):
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic, "log_level": 0})
    with pytest.raises(KafkaException) as failure:
        producer.init_transactions(confluent.TIMEOUT_S)
    error = failure.value.args[0]
    assert (error.code(), error.fatal()) == (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, True)


def test_java_is_refused_a_transactional_id(broker, java, topic):
    load = ["--topic", topic, "--num-records", 1, "--record-size", 10, "--throughput", -1]
    place = ["--bootstrap-server", broker.bootstrap]
    answer = java.try_tool(PRODUCER_PERFORMANCE, *place, *load, "--transactional-id", topic)
    assert answer["exit_code"] == 1 and "TransactionalIdAuthorization" in answer["stderr"], answer


def test_a_consumer_with_a_group_id_reads_what_it_is_assigned(broker, topic):
    """It looks for a coordinator in the background, and must not be told that it may not read."""
    records = [Record(None, b"%d" % i) for i in range(10)]
    confluent.produce(broker.bootstrap, topic, 0, records)
    with confluent.open_consumer(broker.bootstrap, **{"group.id": topic}) as consumer:
        confluent.read_to(consumer, topic, 0, 0, 10)
        consumer.seek(confluent.TopicPartition(topic, 0, 0))
        again = consumer.consume(10, timeout=confluent.TIMEOUT_S)  # by now the answers are there
        assert [message.error() for message in again] == [None] * 10
