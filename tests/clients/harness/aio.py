"""aiokafka, with the same requests and answers as the clients in other languages (harness/driver.py)."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, for_code

from harness.driver import DriverError
from harness.records import Record

TIMEOUT_S = 40
# Above the broker's limit, so that it is the broker that refuses.
MAX_REQUEST_BYTES = 10_000_000
# The answers to createTopics and deleteTopics carry error codes in rows; the library raises only some of them.
NO_ERROR = 0


class AioKafka:
    """One event loop per request: nothing of the client outlives it."""

    def request(self, operation, bootstrap, config=None, **fields):
        try:
            return asyncio.run(asyncio.wait_for(getattr(self, f"_{operation}")(bootstrap, **fields), TIMEOUT_S))
        except KafkaError as failure:
            raise DriverError(name_of(failure), str(failure)) from failure

    def produce(self, bootstrap, topic, partition, records, config):
        options = {"topic": topic, "partition": partition, "records": records, "options": config}
        return self.request("produce", bootstrap, **options)

    def consume(self, bootstrap, topic, partition, config=None, **start):
        options = {"topic": topic, "partition": partition, "options": config or {}, **start}
        return self.request("consume", bootstrap, **options)

    async def _produce(self, bootstrap, topic, partition, records, options):
        compression = options["compression"]
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_request_size=MAX_REQUEST_BYTES,
            compression_type=None if compression == "none" else compression,
            enable_idempotence=options["idempotence"] == "true")
        async with producer:
            futures = [
                await producer.send(
                    topic, r.value, r.key, partition, timestamp_ms=r.timestamp_ms, headers=list(r.headers))
                for r in records]
            sent = await asyncio.gather(*futures, return_exceptions=True)
        return [to_result(result) for result in sent]

    async def _consume(self, bootstrap, topic, partition, options, offset=None, time_ms=None):
        place = TopicPartition(topic, partition)
        found = []
        async with open_consumer(bootstrap, options) as consumer:
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            if time_ms is not None:
                offset = (await consumer.offsets_for_times({place: time_ms}))[place].offset
            if offset is None:
                await consumer.seek_to_beginning(place)
            else:
                consumer.seek(place, offset)
            while await consumer.position(place) < end:
                for message in (await consumer.getmany(place, timeout_ms=500)).get(place, []):
                    record = Record(message.key, message.value, tuple(message.headers), message.timestamp)
                    found.append((message.offset, record))
        return found

    async def _consume_group(self, bootstrap, topic, group, count):
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
            enable_auto_commit=False, partition_assignment_strategy=[RangePartitionAssignor])
        rows = []
        async with consumer:
            while len(rows) < count:
                message = await consumer.getone()
                rows.append([message.partition, message.offset])
            positions = {TopicPartition(topic, partition): offset + 1 for partition, offset in rows}
            await consumer.commit(positions)
        return {"rows": rows}

    async def _offsets(self, bootstrap, topic, partition, times_ms):
        place = TopicPartition(topic, partition)
        async with open_consumer(bootstrap, {}) as consumer:
            consumer.assign([place])
            by_time = [(await consumer.offsets_for_times({place: time}))[place] for time in times_ms]
            return {
                "beginning": (await consumer.beginning_offsets([place]))[place],
                "end": (await consumer.end_offsets([place]))[place],
                "by_time": [None if found is None else [found.offset, found.timestamp] for found in by_time],
            }

    async def _create_topic(self, bootstrap, topic, partitions, topic_config=None):
        async with open_admin(bootstrap) as admin:
            answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=topic_config)])
            raise_errors(row[1] for row in answer.topic_errors)
            return {"partitions": partitions}

    async def _delete_topic(self, bootstrap, topic):
        async with open_admin(bootstrap) as admin:
            answer = await admin.delete_topics([topic])
            raise_errors(row[1] for row in answer.topic_error_codes)
            return {}

    async def _describe_topic(self, bootstrap, topic):
        async with open_admin(bootstrap) as admin:
            [found] = await admin.describe_topics([topic])
            raise_errors([found["error_code"]])
            partitions = sorted(found["partitions"], key=lambda row: row["partition"])
            return {"leaders": [row["leader"] for row in partitions]}

    async def _describe_cluster(self, bootstrap):
        async with open_admin(bootstrap) as admin:
            found = await admin.describe_cluster()
            nodes = {str(node["node_id"]): f"{node['host']}:{node['port']}" for node in found["brokers"]}
            return {"cluster_id": found["cluster_id"], "controller": found["controller_id"], "nodes": nodes}

    async def _describe_configs(self, bootstrap, topic=None, broker=None):
        kind, name = (ConfigResourceType.TOPIC, topic) if topic else (ConfigResourceType.BROKER, broker)
        async with open_admin(bootstrap) as admin:
            answers = await admin.describe_configs([ConfigResource(kind, name)])
            [resource] = [row for answer in answers for row in answer.resources]
            raise_errors([resource[0]])
            return {"configs": {entry[0]: entry[1] for entry in resource[4]}}

    async def _alter_configs(self, bootstrap, topic, topic_config):
        """Leaves the topic with these configs only: the library has no incremental way."""
        async with open_admin(bootstrap) as admin:
            [answer] = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, topic_config)])
            raise_errors(row[0] for row in answer.resources)
            return {}

    async def _create_partitions(self, bootstrap, topic, partitions):
        async with open_admin(bootstrap) as admin:
            await admin.create_partitions({topic: NewPartitions(partitions)})
            return {}

    async def _delete_records(self, bootstrap, topic, partition, offset):
        async with open_admin(bootstrap) as admin:
            await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(offset)})
            return {}


def open_consumer(bootstrap, options):
    """A consumer without a group, which aiokafka allows."""
    limits = {}
    if "max.bytes" in options:
        limits = {"fetch_max_bytes": int(options["max.bytes"]), "max_partition_fetch_bytes": int(options["max.bytes"])}
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="none", check_crcs=True, **limits)


@contextlib.asynccontextmanager
async def open_admin(bootstrap):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def to_result(sent):
    if isinstance(sent, KafkaError):
        return {"error": name_of(sent), "message": str(sent)}
    if isinstance(sent, BaseException):
        raise sent
    return {"offset": sent.offset, "timestamp_ms": sent.timestamp}


def raise_errors(codes):
    for code in codes:
        if code != NO_ERROR:
            raise for_code(code)


def name_of(failure):
    """Kafka's name of an error where the library has it."""
    return getattr(failure, "message", None) or type(failure).__name__
