"""What admin clients call, and that it is answered as docs/admin-calls.md says."""

import pytest
from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as ConfluentPartition
from confluent_kafka import admin as confluent_admin
from kafka import KafkaAdminClient, TopicPartition
from kafka import admin as kafka_admin
from kafka import errors as kafka_errors

from harness import admin_table, clients, confluent
from harness.records import unique_topic

TIMEOUT_S = 30.0
ANSWERED = "answered"

# Methods that ask a broker for nothing of this kind.
NO_CALLS = {
    "Java": {"close", "metrics", "registerMetricForSubscription", "unregisterMetricFromSubscription",
             "clientInstanceId"},
    "confluent-kafka": {"poll", "set_sasl_credentials"},
    "kafka-python": {"close", "get_broker_version_data", "wait_for_topics"},
}


@pytest.fixture
def topic(broker):
    name = unique_topic("calls")
    confluent.create_topic(broker.bootstrap, name, partitions=2)
    return name


@pytest.fixture
def leader(broker, topic):
    """The broker of the topic's first partition."""
    return confluent.admin(broker.bootstrap).list_topics(topic, TIMEOUT_S).topics[topic].partitions[0].leader


def public_methods(of):
    return {name for name in dir(of) if not name.startswith("_") and callable(getattr(of, name))}


def check(client, outcomes):
    """Each call came to what the table says."""
    told = admin_table.answers(client)
    assert outcomes == {name: told[name] for name in outcomes}


def test_every_call_of_the_java_client(broker, java, topic, leader):
    config = {"default.api.timeout.ms": "20000", "request.timeout.ms": "10000"}
    answer = java.request("admin_calls", broker.bootstrap, config, topic=topic, group=unique_topic("g"), broker=leader)
    told = admin_table.answers("Java")
    assert set(told) == set(answer["methods"]) - NO_CALLS["Java"]
    assert answer["outcomes"] == told


def test_calls_of_franz_go(broker, tools_dir, tmp_path, topic, leader):
    with clients.opened("franz-go", tools_dir, str(tmp_path)) as client:
        answer = client.request("admin_calls", broker.bootstrap, topic=topic, broker=str(leader))
    check("kadm", answer["outcomes"])


def confluent_outcome(future):
    """Of a future, or of the only one of a call's futures; of a result that has an error inside too."""
    try:
        result = next(iter(future.values())) if isinstance(future, dict) else future
        result = result.result(TIMEOUT_S) if hasattr(result, "result") else result
    except KafkaException as refused:
        return refused.args[0].name()
    errors = result.values() if isinstance(result, dict) else []
    return next((error.name() for error in errors if isinstance(error, KafkaError)), ANSWERED)


def test_calls_of_confluent_kafka(broker, topic):
    methods = public_methods(confluent_admin.AdminClient)
    assert set(admin_table.answers("confluent-kafka")) == methods - NO_CALLS["confluent-kafka"]
    client = confluent.admin(broker.bootstrap)
    acl = confluent_admin.AclBinding(
        confluent_admin.ResourceType.TOPIC, topic, confluent_admin.ResourcePatternType.LITERAL, "User:u", "*",
        confluent_admin.AclOperation.READ, confluent_admin.AclPermissionType.ALLOW)
    any_acl = confluent_admin.AclBindingFilter(
        confluent_admin.ResourceType.ANY, None, confluent_admin.ResourcePatternType.ANY, None, None,
        confluent_admin.AclOperation.ANY, confluent_admin.AclPermissionType.ANY)
    scram = confluent_admin.UserScramCredentialUpsertion(
        "u", confluent_admin.ScramCredentialInfo(confluent_admin.ScramMechanism.SCRAM_SHA_256, 4096), b"secret")
    partition = ConfluentPartition(topic, 0)
    outcomes = {
        "create_acls": client.create_acls([acl]),
        "delete_acls": client.delete_acls([any_acl]),
        "describe_user_scram_credentials": client.describe_user_scram_credentials(),
        "alter_user_scram_credentials": client.alter_user_scram_credentials([scram]),
        "elect_leaders": client.elect_leaders(ElectionType.PREFERRED, [partition]),
        "list_offsets": client.list_offsets({partition: confluent_admin.OffsetSpec.max_timestamp()}),
        "delete_records": client.delete_records([ConfluentPartition(topic, 0, 0)]),
        "describe_topics": client.describe_topics(TopicCollection([topic])),
        "describe_cluster": client.describe_cluster(),
        "list_consumer_groups": client.list_consumer_groups(),
    }
    check("confluent-kafka", {name: confluent_outcome(future) for name, future in outcomes.items()})
    # It does not look at the error of the response.
    assert client.describe_acls(any_acl).result(TIMEOUT_S) == []


def kafka_python_outcome(call):
    """Of what it returns or raises; of errors inside of what it returns too."""
    try:
        result = call()
    except kafka_errors.BrokerResponseError as refused:
        return type(refused).message
    values = result.values() if isinstance(result, dict) else []
    errors = [value for value in values if isinstance(value, type) and issubclass(value, kafka_errors.KafkaError)]
    return next((error.message for error in errors if error is not kafka_errors.NoError), ANSWERED)


def test_calls_of_kafka_python(broker, topic, leader):
    methods = public_methods(KafkaAdminClient)
    assert set(admin_table.answers("kafka-python")) == methods - NO_CALLS["kafka-python"]
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    pattern = kafka_admin.ResourcePattern(kafka_admin.ResourceType.TOPIC, topic)
    allow, read = kafka_admin.ACLPermissionType.ALLOW, kafka_admin.ACLOperation.READ
    acl = kafka_admin.ACL("User:u", "*", read, allow, pattern)
    partition = TopicPartition(topic, 0)
    calls = {
        "describe_acls": lambda: client.describe_acls(acl),
        "describe_log_dirs": client.describe_log_dirs,
        "alter_replica_log_dirs": lambda: client.alter_replica_log_dirs({(topic, 0, leader): "/somewhere/else"}),
        "alter_partition_reassignments": lambda: client.alter_partition_reassignments({partition: [leader]}),
        "list_partition_reassignments": client.list_partition_reassignments,
        "list_config_resources": client.list_config_resources,
        "describe_producers": lambda: client.describe_producers([partition]),
        "list_transactions": client.list_transactions,
        "describe_user_scram_credentials": client.describe_user_scram_credentials,
        "describe_features": client.describe_features,
        "describe_cluster": client.describe_cluster,
        "describe_metadata_quorum": client.describe_metadata_quorum,
    }
    try:
        check("kafka-python", {name: kafka_python_outcome(call) for name, call in calls.items()})
        # It takes for success that the partition needs no election, and it has refusals in a list of its own.
        client.elect_leaders(0, {topic: [0]})
        refused = client.create_acls([acl])["failed"]
        assert refused and "SecurityDisabled" in str(refused)
    finally:
        client.close()
