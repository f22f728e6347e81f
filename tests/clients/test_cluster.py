"""Three brokers and what happens to them under load: killed with -9, cut off one way. No record that was acknowledged by all in-sync copies is lost, none of an idempotent producer's is
doubled, and their order is kept."""

import os
import random

import pytest

from harness import confluent
from harness.cluster import IDS, PATIENCE_S
from harness.experiment import Experiment
from harness.load import ConfluentLoad, FranzLoad, JavaLoadWithLedger
from harness.loadgen import Loadgen
from harness.records import unique_topic
from harness.waiting import wait_until

PARTITIONS = 4
SEED = 7
ROUNDS, SOAK_ROUNDS = 2, 60
# What each producer must get acknowledged after each thing that is done to a node, and before the next one.
ACKNOWLEDGED = 40
REPLICATED = {"replication_factor": 3, "min.insync.replicas": "2"}
WRONG = ("lost", "duplicated", "out_of_order", "corrupted", "never_sent", "unread")

# Bounded by their rounds, each of which has deadlines.
pytestmark = pytest.mark.timeout(0)


@pytest.fixture
def rounds(pytestconfig):
    return SOAK_ROUNDS if pytestconfig.getoption("--soak") else ROUNDS


@pytest.fixture
def under_load(cluster, tools_dir, directory):
    """Starts the cluster and its producers: librdkafka with and without idempotence, Java's client, franz-go."""

    def begin():
        cluster.start()
        topic = unique_topic("replicated")
        confluent.create_topic(cluster.bootstrap, topic, PARTITIONS, **REPLICATED)
        cluster.await_in_sync(topic)
        where = (cluster.bootstrap, topic, PARTITIONS)
        java_log = os.path.join(directory, "java-load.log")
        producers = [
            ConfluentLoad("confluent-idempotent", *where, idempotent=True),
            ConfluentLoad("confluent-plain", *where, idempotent=False),
            JavaLoadWithLedger("java-idempotent", tools_dir, java_log, *where),
            FranzLoad("franz-go", tools_dir, directory, *where),
        ]
        experiment = Experiment(cluster.bootstrap, topic, PARTITIONS, producers)
        experiment.await_progress(ACKNOWLEDGED)
        return experiment

    return begin


def settle(cluster, experiment):
    """All is as it was, and what was promised is there."""
    cluster.await_in_sync(experiment.topic)
    experiment.await_progress(ACKNOWLEDGED)
    experiment.check()
    print(f"acknowledged {experiment.counts()}")


def test_leaders_are_killed_with_9(cluster, under_load, loadgen_binary, directory, rounds):
    randomness = random.Random(SEED)
    experiment = under_load()
    loadgen = Loadgen(loadgen_binary, directory)
    verified = unique_topic("verified")
    confluent.create_topic(cluster.bootstrap, verified, PARTITIONS, **REPLICATED)
    for _ in range(rounds):
        flags = ["--topic", verified, "--producers", 3, "--rate", "2k", "--duration", "5s"]
        verify = loadgen.start("verify", cluster, *flags)
        leader = cluster.leader_of(experiment.topic, randomness.randrange(PARTITIONS))
        cluster.nodes[leader].kill9()
        cluster.await_without(leader, experiment.topic)
        experiment.await_progress(ACKNOWLEDGED)
        experiment.check()
        cluster.nodes[leader].restart()
        settle(cluster, experiment)
        verdict = loadgen.finish(verify)["verdict"]
        assert {name: verdict[name] for name in WRONG} == dict.fromkeys(WRONG, 0), verdict
    experiment.end()


@pytest.mark.parametrize("direction", ["to", "from"])
def test_a_leader_whose_words_are_lost_one_way(cluster, under_load, direction):
    """To the other nodes, or from them; clients reach all nodes all the time."""
    if not cluster.network.can_cut:
        pytest.skip("there are no network namespaces here")
    experiment = under_load()
    leader = cluster.leader_of(experiment.topic, 0)
    others = [node for node in IDS if node != leader]
    ways = [(leader, node) if direction == "to" else (node, leader) for node in others]
    for way in ways:
        cluster.network.cut(*way)
    wait_until(
        lambda: cluster.leader_of(experiment.topic, 0, others) != leader, "another leader", PATIENCE_S)
    experiment.await_progress(ACKNOWLEDGED)
    for way in ways:
        cluster.network.heal(*way)
    settle(cluster, experiment)
    experiment.end()
