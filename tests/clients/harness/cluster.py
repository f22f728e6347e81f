"""Three brokers that are one cluster, and what they say of its partitions."""

import os

from harness.broker import Broker
from harness.waiting import wait_until
from harness.wire import messages
from harness.wire.connection import Closed, Connection

IDS = (1, 2, 3)
# Nodes differ in their number of cores.
SHARDS = {1: 1, 2: 2, 3: 1}
MEMORY_MIB = {1: 320, 2: 640}
SETTINGS = ["journal.bytes=48MiB", "disk.free.min=64MiB", "unstable.replication.enable=true"]
# A failover and what a busy machine adds to it.
PATIENCE_S = 60.0


class Cluster:
    """Nodes 1, 2 and 3, all of them voters, on a network of harness/network.py."""

    def __init__(self, binary, directory, network):
        self.network = network
        self.nodes = {}
        places = {node: network.addresses(node, SHARDS[node]) for node in IDS}
        voters = ",".join(f"{node}@{host}:{cluster}" for node, (host, _, _, cluster) in places.items())
        for node in IDS:
            host, port, shard_ports, cluster = places[node]
            flags = ["--node-id", str(node), "--cluster-listen", f"{host}:{cluster}", "--voters", voters]
            broker = Broker(binary, os.path.join(directory, f"node-{node}"), shards=SHARDS[node])
            broker.arguments = [*cores_of(node), "--memory", f"{MEMORY_MIB[SHARDS[node]]}MiB", *flags]
            for setting in SETTINGS:
                broker.arguments += ["--set", setting]
            listen = ["--listen", f"{host}:{port}", "--shard-ports", str(shard_ports), "--admin", f"{host}:0"]
            broker.listen_arguments = listen
            broker.address = f"{host}:{port}"
            broker.command_prefix = network.command(node)
            self.nodes[node] = broker

    @property
    def started(self):
        return [broker for broker in self.nodes.values() if broker.process is not None]

    @property
    def bootstrap(self):
        return ",".join(broker.address for broker in self.nodes.values())

    def start(self):
        """All at once: the first start waits for all voters."""
        for broker in self.nodes.values():
            broker.spawn()
        for broker in self.nodes.values():
            broker.await_ready()
        return self

    def kill_all(self):
        for broker in self.nodes.values():
            broker.kill9()

    def seen_by(self, node, topic):
        """Metadata as one node tells it; None if it does not answer, or does not know the topic."""
        try:
            with Connection(self.nodes[node].address) as connection:
                return messages.metadata(connection, topic, may_lack_leaders=True)
        except (OSError, Closed):
            return None

    def leader_of(self, topic, partition, asked=IDS):
        """The node that leads, by the first of those asked that answers; waits until there is one."""

        def leader():
            for node in asked:
                seen = self.seen_by(node, topic)
                if seen and seen.leaders.get(partition, -1) >= 0:
                    return seen.leaders[partition] // 1000
            return None

        return wait_until(leader, f"a leader of {topic}, partition {partition}", PATIENCE_S)

    def await_without(self, node, topic):
        """Until the others lead everything and say so."""
        others = [other for other in IDS if other != node]

        def is_so():
            views = [self.seen_by(other, topic) for other in others]
            return all(
                view and view.leaders and all(leader >= 0 and leader // 1000 != node for leader in view.leaders.values())
                for view in views)

        wait_until(is_so, f"others to lead what node {node} led", PATIENCE_S)

    def await_in_sync(self, topic):
        """Until every copy counts again, by every node."""

        def is_so():
            views = [self.seen_by(node, topic) for node in IDS]
            return all(
                view and view.leaders and all(leader >= 0 for leader in view.leaders.values())
                and all(len(members) == len(IDS) for members in view.in_sync.values()) for view in views)

        wait_until(is_so, f"all copies of {topic} to be in sync", PATIENCE_S)


def cores_of(node):
    """Nodes share the machine's CPUs as evenly as they can."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < SHARDS[node]:
        return ["--shards", str(SHARDS[node])]
    return ["--cpus", ",".join(str(allowed[(node + shard) % len(allowed)]) for shard in range(SHARDS[node]))]
