"""Requests of group members, in the last versions without flexible fields."""

import dataclasses

from harness.waiting import wait_until
from harness.wire.codec import Writer
from harness.wire.connection import Connection

OFFSET_COMMIT, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP, DESCRIBE_GROUPS = 8, 10, 11, 12, 13, 14, 15
OFFSET_COMMIT_VERSION, FIND_COORDINATOR_VERSION, JOIN_GROUP_VERSION = 7, 2, 5
HEARTBEAT_VERSION, LEAVE_GROUP_VERSION, SYNC_GROUP_VERSION, DESCRIBE_GROUPS_VERSION = 3, 3, 3, 0

UNKNOWN_SERVER_ERROR = -1
NONE, UNKNOWN_TOPIC_OR_PARTITION, OFFSET_METADATA_TOO_LARGE, NOT_COORDINATOR = 0, 3, 12, 16
ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS = 22, 25, 27
MEMBER_ID_REQUIRED, GROUP_MAX_SIZE_REACHED = 79, 81

# What `group.min.session.timeout.ms` allows.
SESSION_TIMEOUT_MS = 6000


def coordinator(broker, group):
    """HOST:PORT of the group's coordinator, once it serves the group."""

    def find():
        with Connection(broker.bootstrap) as connection:
            body = Writer().string(group).int8(0)
            reader = connection.request(FIND_COORDINATOR, FIND_COORDINATOR_VERSION, bytes(body.data))
            reader.int32()  # throttle
            error, _, _, host, port = (
                reader.int16(), reader.string(), reader.int32(), reader.string(), reader.int32())
        return error == NONE and f"{host}:{port}"

    address = wait_until(find, "a coordinator")
    with Connection(address) as connection:
        wait_until(lambda: describe(connection, group)[0] == NONE, "the group to be served")
    return address


def describe(connection, group):
    """(error, state) of a group."""
    body = Writer().array([group], lambda w, g: w.string(g))
    reader = connection.request(DESCRIBE_GROUPS, DESCRIBE_GROUPS_VERSION, bytes(body.data))
    assert reader.int32() == 1
    error, name, state = reader.int16(), reader.string(), reader.string()
    assert name == group
    return error, state


@dataclasses.dataclass
class Joined:
    """`members`: ids of all members, if this one is the leader."""

    error: int
    generation: int
    leader: str
    member_id: str
    members: list


class RawMember:
    """A member that does only what it is told to, on a connection of its own."""

    def __init__(
        self, connection, group, session_timeout_ms=SESSION_TIMEOUT_MS, rebalance_timeout_ms=SESSION_TIMEOUT_MS,
        metadata=None
    ):
        self.connection = connection
        self.group = group
        self.session_timeout_ms = session_timeout_ms
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.metadata = subscription("nothing") if metadata is None else metadata
        self.member_id = ""
        self.generation = -1

    def send_join(self):
        body = Writer().string(self.group).int32(self.session_timeout_ms).int32(self.rebalance_timeout_ms)
        body.string(self.member_id).string(None).string("consumer")
        body.array([("range", self.metadata)], lambda w, protocol: w.string(protocol[0]).bytes(protocol[1]))
        self.connection.send(JOIN_GROUP, JOIN_GROUP_VERSION, bytes(body.data))

    def receive_join(self):
        _, reader = self.connection.receive()
        reader.int32()  # throttle
        error, generation, _, leader, member_id = (
            reader.int16(), reader.int32(), reader.string(), reader.string(), reader.string())
        members = [row[0] for row in reader.array(lambda r: (r.string(), r.string(), r.bytes()))]
        if error in (NONE, MEMBER_ID_REQUIRED):
            self.member_id, self.generation = member_id, generation
        return Joined(error, generation, leader, member_id, members)

    def ask_for_id(self):
        self.send_join()
        joined = self.receive_join()
        assert joined.error == MEMBER_ID_REQUIRED, joined
        return joined.member_id

    def send_sync(self, shares=()):
        """`shares`: (member id, bytes) of all members, from the leader."""
        body = Writer().string(self.group).int32(self.generation).string(self.member_id).string(None)
        body.array(list(shares), lambda w, share: w.string(share[0]).bytes(share[1]))
        self.connection.send(SYNC_GROUP, SYNC_GROUP_VERSION, bytes(body.data))

    def receive_sync(self):
        """(error, share)"""
        _, reader = self.connection.receive()
        reader.int32()  # throttle
        return reader.int16(), reader.bytes()

    def heartbeat(self):
        body = Writer().string(self.group).int32(self.generation).string(self.member_id).string(None)
        reader = self.connection.request(HEARTBEAT, HEARTBEAT_VERSION, bytes(body.data))
        reader.int32()  # throttle
        return reader.int16()

    def commit(self, offsets):
        """The error of each of (topic, partition, offset, metadata)."""

        def write(writer, row):
            topic, partition, offset, metadata = row
            writer.string(topic).int32(1).int32(partition).int64(offset).int32(-1).string(metadata)

        body = Writer().string(self.group).int32(self.generation).string(self.member_id).string(None)
        body.array(offsets, write)
        reader = self.connection.request(OFFSET_COMMIT, OFFSET_COMMIT_VERSION, bytes(body.data))
        reader.int32()  # throttle
        topics = reader.array(lambda r: (r.string(), r.array(lambda p: (p.int32(), p.int16()))))
        return [error for _, partitions in topics for _, error in partitions]


def subscription(topic):
    """ConsumerProtocolSubscription, version 0."""
    return bytes(Writer().int16(0).array([topic], lambda w, name: w.string(name)).bytes(None).data)


def assignment(topic, partitions):
    """ConsumerProtocolAssignment, version 0."""
    rows = Writer().int16(0).array([topic], lambda w, name: w.string(name).array(partitions, lambda x, p: x.int32(p)))
    return bytes(rows.bytes(None).data)


def join_all(members):
    """Has members join at the same time; their answers in the same order."""
    for member in members:
        member.ask_for_id()
    return join_again(members)


def join_again(members):
    for member in members:
        member.send_join()
    return [member.receive_join() for member in members]


def sync_all(members, joined):
    """Has all ask for their shares, which are their ids; what each was given."""
    for member, answer in zip(members, joined, strict=True):
        is_leader = answer.leader == member.member_id
        member.send_sync([(name, name.encode()) for name in answer.members] if is_leader else ())
    return [member.receive_sync() for member in members]
