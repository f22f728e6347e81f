"""Members that come in thousands, that never do what they should, or that send too much: Kafka's error codes, bounded
memory, and groups that go on without them."""

import contextlib

import pytest

from harness import confluent
from harness.descriptors import allow_descriptors
from harness.groups import Confluent, Member
from harness.records import sample_records, unique_topic
from harness.waiting import wait_until
from harness.wire import groups
from harness.wire.connection import Connection
from harness.wire.groups import RawMember

GROUP_MEMBERS_MAX = 2000
TOO_MANY = 2100
# GROUP_PENDING_MEMBERS_MAX in src/base/limits.rs, and some more.
IDS = 21_000
RECORDS = 20
# Bytes of one request that a small shard takes, and that it does not.
LONG, TOO_LONG = 2 << 20, 4 << 20
QUICK = ["group.initial.rebalance.delay.ms=300"]


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def filled_topic(broker):
    topic = unique_topic("hostile-groups")
    confluent.create_topic(broker.bootstrap, topic)
    confluent.produce(broker.bootstrap, topic, 0, sample_records(RECORDS))
    return topic


def raw_members(stack, broker, group, count, **options):
    address = groups.coordinator(broker, group)
    connections = [stack.enter_context(Connection(address)) for _ in range(count)]
    return [RawMember(connection, group, **options) for connection in connections]


def check_is_served(broker, topic, group):
    """An ordinary consumer joins the group, reads all that there is and commits it."""
    rows = Confluent().request("consume_group", broker.bootstrap, topic, group, RECORDS)["rows"]
    assert len(rows) == RECORDS
    assert confluent.committed(broker.bootstrap, group, topic, [0]) == [RECORDS]


def check_memory(broker):
    broker.check_alive()
    peak = broker.peak_memory_bytes()
    assert peak < broker.memory_bytes, f"{peak >> 20} MiB with --memory {broker.memory_bytes >> 20}MiB"


def await_empty(broker, group):
    """Waits until all members that do not heartbeat are forgotten."""
    with Connection(groups.coordinator(broker, group)) as connection:
        is_empty = lambda: groups.describe(connection, group)[1] in ("Empty", "Dead")
        wait_until(is_empty, "the silent to be forgotten", timeout_s=60)


def test_thousands_join_at_once(launch):
    allow_descriptors(TOO_MANY + 1000)
    settings = [f"group.max.size={GROUP_MEMBERS_MAX}", "max.connections=3000", "group.initial.rebalance.delay.ms=1000"]
    broker = launch(shards=1, memory_bytes=1 << 30, settings=settings)
    topic = filled_topic(broker)
    with contextlib.ExitStack() as stack:
        members = raw_members(stack, broker, "g", TOO_MANY, session_timeout_ms=20_000, rebalance_timeout_ms=20_000)
        joined = groups.join_all(members)
        errors = [answer.error for answer in joined]
        assert errors.count(groups.NONE) == GROUP_MEMBERS_MAX
        assert errors.count(groups.GROUP_MAX_SIZE_REACHED) == TOO_MANY - GROUP_MEMBERS_MAX
        both = [(m, answer) for m, answer in zip(members, joined, strict=True) if answer.error == groups.NONE]
        members, joined = [m for m, _ in both], [answer for _, answer in both]
        assert len({answer.generation for answer in joined}) == 1
        [leader] = {answer.leader for answer in joined}
        [seen] = [answer.members for answer in joined if answer.member_id == leader]
        assert sorted(seen) == sorted(member.member_id for member in members)
        shares = groups.sync_all(members, joined)
        assert shares == [(groups.NONE, member.member_id.encode()) for member in members]
        assert {member.heartbeat() for member in members} == {groups.NONE}
        # Others do not notice.
        check_is_served(broker, topic, "other")
        check_memory(broker)
    await_empty(broker, "g")
    check_is_served(broker, topic, "g")
    check_memory(broker)


def test_ids_that_nobody_joins_with(launch, stack):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    [flood, other] = raw_members(stack, broker, "g", 2)
    ids = []
    for _ in range(IDS // 500):
        for _ in range(500):
            flood.member_id = ""
            flood.send_join()
        ids += [flood.receive_join().member_id for _ in range(500)]
    assert len(set(ids)) == IDS
    flood.member_id = ids[0]
    flood.send_join()
    assert flood.receive_join().error == groups.UNKNOWN_MEMBER_ID, "the oldest is forgotten"
    flood.member_id = ids[-1]
    [joined] = groups.join_again([flood])
    assert joined.error == groups.NONE, "the newest is not"
    assert groups.sync_all([flood], [joined]) == [(groups.NONE, flood.member_id.encode())]
    check_memory(broker)
    # Whoever comes next waits for those who may still join, but no longer than their sessions.
    other.ask_for_id()
    other.send_join()
    wait_until(lambda: flood.heartbeat() == groups.REBALANCE_IN_PROGRESS, "the rebalance")
    [joined] = groups.join_again([flood])
    assert (joined.error, other.receive_join().error) == (groups.NONE, groups.NONE)
    stack.close()
    await_empty(broker, "g")
    check_is_served(broker, topic, "g")


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_a_member_that_never_syncs(launch, stack, who):
    broker = launch(settings=QUICK)
    members = raw_members(stack, broker, "g", 2, rebalance_timeout_ms=1000)
    joined = groups.join_all(members)
    leads = [answer.leader == answer.member_id for answer in joined]
    [idle] = [member for member, is_leader in zip(members, leads, strict=True) if is_leader == (who == "leader")]
    [good] = [member for member in members if member is not idle]
    [answer] = [answer for answer in joined if answer.member_id == good.member_id]
    good.send_sync([(name, name.encode()) for name in answer.members])
    error, share = good.receive_sync()
    if who == "leader":
        assert (error, share) == (groups.REBALANCE_IN_PROGRESS, b""), "nobody has handed in shares"
    else:
        assert (error, share) == (groups.NONE, good.member_id.encode())
        wait_until(lambda: good.heartbeat() == groups.REBALANCE_IN_PROGRESS, "the idle one to be given up")
    assert idle.heartbeat() == groups.UNKNOWN_MEMBER_ID
    [alone] = groups.join_again([good])
    assert (alone.error, alone.members) == (groups.NONE, [good.member_id])
    assert groups.sync_all([good], [alone]) == [(groups.NONE, good.member_id.encode())]


def test_metadata_that_memory_does_not_hold(launch, stack):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    # Each within a request, and together several times what groups may take (GROUP_STATE_PERCENT).
    members = raw_members(stack, broker, "g", 120, metadata=b"x" * 200_000)
    errors = [answer.error for answer in groups.join_all(members)]
    assert set(errors) == {groups.NONE, groups.GROUP_MAX_SIZE_REACHED}
    check_memory(broker)
    stack.close()
    await_empty(broker, "g")
    check_is_served(broker, topic, "g")


def test_a_silent_newcomer_does_not_keep_a_group_of_consumers(launch, stack):
    """It joins a group at work, and neither asks for its share nor heartbeats."""
    broker = launch(settings=QUICK)
    topic = unique_topic("hostile-groups")
    confluent.create_topic(broker.bootstrap, topic, partitions=4)
    members = [Member(broker.bootstrap, "g", topic) for _ in range(2)]

    def is_settled():
        for member in members:
            assert member.failure is None, member.failure
        return sorted(p for member in members for p in member.owned) == [0, 1, 2, 3]

    wait_until(is_settled, "both members to share", timeout_s=60)
    assignments = [member.assignments for member in members]
    [idle] = raw_members(stack, broker, "g", 1, rebalance_timeout_ms=1000)
    idle.ask_for_id()
    idle.send_join()
    assert idle.receive_join().error == groups.NONE
    # Once with it, and once without.
    shared_twice = lambda: all(m.assignments >= before + 2 for m, before in zip(members, assignments, strict=True))
    wait_until(lambda: shared_twice() and is_settled(), "the others to share all without it", timeout_s=60)
    assert idle.heartbeat() == groups.UNKNOWN_MEMBER_ID
    for partition in range(4):
        confluent.produce(broker.bootstrap, topic, partition, sample_records(RECORDS))
    everything = {(partition, offset) for partition in range(4) for offset in range(RECORDS)}
    wait_until(lambda: {row for member in members for row in member.rows} == everything, "all to be read", timeout_s=60)
    for member in members:
        member.stop()


def test_more_than_memory_holds_is_refused_by_name(launch, stack):
    broker = launch(settings=QUICK, fixed_ports=True)
    topic = filled_topic(broker)
    # A shard of 288 MiB takes JoinGroup and SyncGroup requests of some 2.9 MB.
    [member] = raw_members(stack, broker, "g", 1, metadata=b"x" * TOO_LONG)
    member.send_join()
    assert member.receive_join().error == groups.GROUP_MAX_SIZE_REACHED
    member.metadata = b"x" * 100
    [joined] = groups.join_all([member])
    assert joined.error == groups.NONE, "the connection goes on"
    member.send_sync([(member.member_id, b"y" * TOO_LONG)])
    assert member.receive_sync() == (groups.UNKNOWN_SERVER_ERROR, b"")
    assert member.heartbeat() == groups.NONE
    share = bytes(range(256)) * (LONG // 256)
    member.send_sync([(member.member_id, share)])
    assert member.receive_sync() == (groups.NONE, share)
    check_memory(broker)
    check_is_served(broker, topic, "other")
    broker.kill9()
    broker.restart()
    member.connection = stack.enter_context(Connection(groups.coordinator(broker, "g")))
    member.send_sync()
    assert member.receive_sync() == (groups.NONE, share), "it is as durable as a short one"


def test_a_large_group_with_long_names_and_much_to_say(launch, stack):
    """500 members share 1,000 partitions of a topic with the longest name, and remember what they had: some MB each way."""
    allow_descriptors(2000)
    broker = launch(shards=1, memory_bytes=1 << 30, settings=[*QUICK, "max.connections=3000"])
    topic = filled_topic(broker)
    name = "long" * 62
    metadata = groups.subscription(name) + bytes(4000)
    members = raw_members(
        stack, broker, "g", 500, metadata=metadata, session_timeout_ms=30_000, rebalance_timeout_ms=30_000)
    joined = groups.join_all(members)
    assert {answer.error for answer in joined} == {groups.NONE}
    [leader] = [at for at, answer in enumerate(joined) if answer.leader == answer.member_id]
    assert len(joined[leader].members) == 500
    share = lambda at: groups.assignment(name, [2 * at, 2 * at + 1]) + bytes(2000)
    shares = {member.member_id: share(at) for at, member in enumerate(members)}
    for at, member in enumerate(members):
        member.send_sync(shares.items() if at == leader else ())
    for member in members:
        assert member.receive_sync() == (groups.NONE, shares[member.member_id])
    check_memory(broker)
    check_is_served(broker, topic, "other")


def test_commits_that_are_refused_leave_the_others_alone(launch, stack):
    broker = launch(settings=QUICK)
    topic = filled_topic(broker)
    [member] = raw_members(stack, broker, "g", 1)
    good = (topic, 0, 7, "so far")
    # Nobody is a member yet.
    assert member.commit([
        (topic, 0, 5, "x" * 4097), ("no-such-topic", 0, 5, ""), (topic, 99, 5, ""), (topic, -1, 5, ""), good,
    ]) == [groups.OFFSET_METADATA_TOO_LARGE, *[groups.UNKNOWN_TOPIC_OR_PARTITION] * 3, groups.NONE]
    assert confluent.committed(broker.bootstrap, "g", topic, [0]) == [7]
    joined = groups.join_all([member])
    groups.sync_all([member], joined)
    assert member.commit([(topic, 0, 8, "x" * 4096)]) == [groups.NONE]
    id, generation = member.member_id, member.generation
    member.generation = generation - 1
    assert member.commit([good, good]) == [groups.ILLEGAL_GENERATION] * 2
    member.member_id, member.generation = "stranger", generation
    assert member.commit([good]) == [groups.UNKNOWN_MEMBER_ID]
    member.member_id, member.generation = "", -1
    assert member.commit([good]) == [groups.UNKNOWN_MEMBER_ID], "while there are members, only they commit"
    member.member_id, member.generation = id, generation
    assert member.heartbeat() == groups.NONE
    assert confluent.committed(broker.bootstrap, "g", topic, [0]) == [8]
