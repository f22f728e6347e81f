"""kafka-python, with the same requests and answers as the clients in other languages (harness/driver.py)."""

import contextlib
import re
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError, for_code
from kafka.structs import OffsetAndMetadata

from harness.driver import DriverError
from harness.records import Record

TIMEOUT_S = 40
# Above the broker's limit, so that it is the broker that refuses.
MAX_REQUEST_BYTES = 10_000_000


class KafkaPython:
    """Clients live for one request."""

    def request(self, operation, bootstrap, config=None, **fields):
        try:
            return getattr(self, f"_{operation}")(bootstrap, **fields)
        except KafkaError as failure:
            raise DriverError(name_of(failure), str(failure)) from failure

    def produce(self, bootstrap, topic, partition, records, config):
        compression = None if config["compression"] == "none" else config["compression"]
        producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", linger_ms=20, compression_type=compression,
            enable_idempotence=config["idempotence"] == "true", max_request_size=MAX_REQUEST_BYTES)
        with contextlib.closing(producer):
            sent = [
                producer.send(topic, r.value, r.key, list(r.headers), partition, r.timestamp_ms) for r in records]
            return [to_result(future) for future in sent]

    def consume(self, bootstrap, topic, partition, config=None, offset=None, time_ms=None):
        place = TopicPartition(topic, partition)
        found = []
        with open_consumer(bootstrap, config or {}) as consumer:
            consumer.assign([place])
            end = consumer.end_offsets([place])[place]
            if time_ms is not None:
                offset = consumer.offsets_for_times({place: time_ms})[place].offset
            if offset is None:
                consumer.seek_to_beginning(place)
            else:
                consumer.seek(place, offset)
            deadline = time.monotonic() + TIMEOUT_S
            while consumer.position(place) < end:
                assert time.monotonic() < deadline, f"stuck at {consumer.position(place)} of {end}"
                for message in consumer.poll(500).get(place, []):
                    record = Record(message.key, message.value, tuple(message.headers), message.timestamp)
                    found.append((message.offset, record))
        return found

    def _consume_group(self, bootstrap, topic, group, count):
        consumer = KafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
            enable_auto_commit=False, partition_assignment_strategy=[RangePartitionAssignor])
        rows = []
        deadline = time.monotonic() + TIMEOUT_S
        with contextlib.closing(consumer):
            while len(rows) < count:
                assert time.monotonic() < deadline, f"stuck after {len(rows)} of {count}"
                for messages in consumer.poll(500, max_records=count - len(rows)).values():
                    rows.extend([message.partition, message.offset] for message in messages)
            ends = {TopicPartition(topic, partition): offset + 1 for partition, offset in rows}
            consumer.commit({place: OffsetAndMetadata(end, "so far", -1) for place, end in ends.items()})
        return {"rows": rows}

    def _offsets(self, bootstrap, topic, partition, times_ms):
        place = TopicPartition(topic, partition)
        with open_consumer(bootstrap, {}) as consumer:
            by_time = [consumer.offsets_for_times({place: at})[place] for at in times_ms]
            return {
                "beginning": consumer.beginning_offsets([place])[place],
                "end": consumer.end_offsets([place])[place],
                "by_time": [None if found is None else [found.offset, found.timestamp] for found in by_time],
            }

    def _create_topic(self, bootstrap, topic, partitions):
        with open_admin(bootstrap) as admin:
            admin.create_topics({topic: {"num_partitions": partitions}})
            return {"partitions": partitions}

    def _delete_topic(self, bootstrap, topic):
        with open_admin(bootstrap) as admin:
            admin.delete_topics([topic])
            return {}

    def _describe_topic(self, bootstrap, topic):
        with open_admin(bootstrap) as admin:
            [found] = admin.describe_topics([topic])
            partitions = sorted(found["partitions"], key=lambda row: row["partition_index"])
            return {"leaders": [row["leader_id"] for row in partitions]}

    def _describe_cluster(self, bootstrap):
        with open_admin(bootstrap) as admin:
            found = admin.describe_cluster()
            nodes = {str(row["broker_id"]): f"{row['host']}:{row['port']}" for row in found["brokers"]}
            return {"cluster_id": found["cluster_id"], "controller": found["controller_id"], "nodes": nodes}

    def _describe_configs(self, bootstrap, topic=None, broker=None):
        kind, name = (ConfigResourceType.TOPIC, topic) if topic else (ConfigResourceType.BROKER, broker)
        with open_admin(bootstrap) as admin:
            answer = admin.describe_configs([ConfigResource(kind, name)], config_filter="all")
            entries = answer["topic" if topic else "broker"][name]
            return {"configs": {key: entry["value"] for key, entry in entries.items()}}

    def _alter_configs(self, bootstrap, topic, topic_config):
        with open_admin(bootstrap) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic, topic_config)
            outcome = admin.alter_configs([resource], raise_on_unknown=False)["topic"][topic]
            if outcome != "OK":  # it tells errors as text: "[Error 40] InvalidConfigurationError: ..."
                raise for_code(int(re.match(r"\[Error (\d+)\]", outcome).group(1)))(outcome)
            return {}

    def _create_partitions(self, bootstrap, topic, partitions):
        with open_admin(bootstrap) as admin:
            admin.create_partitions({topic: partitions})
            return {}

    def _delete_records(self, bootstrap, topic, partition, offset):
        with open_admin(bootstrap) as admin:
            admin.delete_records({TopicPartition(topic, partition): offset})
            return {}


def open_consumer(bootstrap, config):
    limits = {}
    if "max.bytes" in config:
        limits = {"fetch_max_bytes": int(config["max.bytes"]), "max_partition_fetch_bytes": int(config["max.bytes"])}
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="none", check_crcs=True, **limits)
    return contextlib.closing(consumer)


def open_admin(bootstrap):
    return contextlib.closing(KafkaAdminClient(bootstrap_servers=bootstrap))


def to_result(future):
    try:
        sent = future.get(timeout=TIMEOUT_S)
    except KafkaError as failure:
        return {"error": name_of(failure), "message": str(failure)}
    return {"offset": sent.offset, "timestamp_ms": sent.timestamp}


def name_of(failure):
    """Kafka's name of an error where the library has it."""
    return getattr(failure, "message", None) or type(failure).__name__
