"""Changes to topics that exist, asked for by kafka-python, aiokafka, franz-go and kafkajs."""

import pytest

from harness import clients, confluent
from harness.driver import DriverError
from harness.records import sample_records, unique_topic


@pytest.fixture
def topic(broker):
    name = unique_topic("admin")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    return name


def configs(client, broker, topic):
    return client.request("describe_configs", broker.bootstrap, topic=topic)["configs"]


def test_configs_are_altered(broker, client, topic):
    changes = {"retention.ms": "123456789", "max.message.bytes": "50000"}
    client.request("alter_configs", broker.bootstrap, topic=topic, topic_config=changes)
    found = configs(client, broker, topic)
    assert {name: found[name] for name in changes} == changes


@pytest.mark.parametrize("wrong", [{"retention.ms": "soon"}, {"no.such.config": "1"}], ids=["value", "name"])
def test_wrong_configs_are_refused_and_change_nothing(broker, client, topic, wrong):
    before = configs(client, broker, topic)
    with pytest.raises(DriverError, match="INVALID_CONFIG"):
        client.request("alter_configs", broker.bootstrap, topic=topic, topic_config=wrong)
    assert configs(client, broker, topic) == before


def test_partitions_are_added_and_used(broker, client, topic):
    client.request("create_partitions", broker.bootstrap, topic=topic, partitions=5)
    assert len(client.request("describe_topic", broker.bootstrap, topic=topic)["leaders"]) == 5
    record = sample_records(1)
    [result] = client.produce(broker.bootstrap, topic, 4, record, clients.config())
    assert result.get("offset") == 0, result
    assert client.consume(broker.bootstrap, topic, 4) == [(0, record[0])]


@pytest.mark.parametrize("partitions", [1, 2])
def test_partitions_are_never_taken_away(broker, client, topic, partitions):
    with pytest.raises(DriverError, match="INVALID_PARTITIONS"):
        client.request("create_partitions", broker.bootstrap, topic=topic, partitions=partitions)
    assert len(client.request("describe_topic", broker.bootstrap, topic=topic)["leaders"]) == 2
