"""The network between the nodes of a cluster: a namespace for each of them, joined by a bridge, where the machine allows
that; else the loopback device, on which nothing can be cut.

The namespaces belong to processes of ours and go with them, whatever becomes of the tests: nothing is left on the machine.
"""

import contextlib
import ctypes
import os
import subprocess

from harness.broker import die_with_parent
from harness.ports import free_port_block
from harness.waiting import wait_until

CLONE_NEWNET = 0x40000000
# 198.18.0.0/15 is set aside for tests of networks (RFC 2544).
SUBNET = "198.18.0"
CLIENTS = 254
# Nobody's: frames that are sent there arrive nowhere.
NOBODY = "02:00:00:00:de:ad"
PORT, CLUSTER_PORT = 9092, 9191


class Namespaces:
    """`node` N has the address 198.18.0.N in a namespace of its own; this process and its children have .254."""

    can_cut = True

    def __init__(self, nodes, stack):
        self.holders = {}
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "name", "hub", "type", "bridge")
        run("ip", "address", "add", f"{SUBNET}.{CLIENTS}/24", "dev", "hub")
        run("ip", "link", "set", "hub", "up")
        for node in nodes:
            self.holders[node] = stack.enter_context(holder())
            pid = str(self.holders[node].pid)
            run("ip", "link", "add", f"node{node}", "type", "veth", "peer", "name", "eth0", "netns", pid)
            run("ip", "link", "set", f"node{node}", "master", "hub", "up")
            self.run_in(node, "ip", "link", "set", "lo", "up")
            self.run_in(node, "ip", "address", "add", f"{SUBNET}.{node}/24", "dev", "eth0")
            self.run_in(node, "ip", "link", "set", "eth0", "up")

    def command(self, node):
        """What stands before a command to run it where the node is."""
        return ["nsenter", f"--net=/proc/{self.holders[node].pid}/ns/net", "--"]

    def run_in(self, node, *command):
        run(*self.command(node), *command)

    def addresses(self, node, shards):
        """Host, port of clients, first port of shards, cluster port."""
        return f"{SUBNET}.{node}", PORT, PORT + 1, CLUSTER_PORT

    def cut(self, source, target):
        """What the one node sends to the other is lost from now on; the other way is open."""
        place = ["to", f"{SUBNET}.{target}", "lladdr", NOBODY, "nud", "permanent", "dev", "eth0"]
        self.run_in(source, "ip", "neighbour", "replace", *place)

    def heal(self, source, target):
        self.run_in(source, "ip", "neighbour", "delete", "to", f"{SUBNET}.{target}", "dev", "eth0")


class Loopback:
    """All nodes at 127.0.0.1, with ports of their own."""

    can_cut = False

    def command(self, node):
        return []

    def addresses(self, node, shards):
        first = free_port_block(2 + shards)
        return "127.0.0.1", first, first + 2, first + 1


@contextlib.contextmanager
def opened(nodes):
    """The network of these nodes. Meanwhile whatever this thread starts, clients too, is on it."""
    try:
        own = own_namespace()
        enter_new_namespace()
    except OSError:
        yield Loopback()
        return
    try:
        with contextlib.ExitStack() as stack:
            yield Namespaces(nodes, stack)
    finally:
        call("setns", own, CLONE_NEWNET)
        os.close(own)


def own_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter_new_namespace():
    # Python has os.unshare from 3.12 on only.
    call("unshare", CLONE_NEWNET)


def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


@contextlib.contextmanager
def holder():
    """A process that has a network of its own and does nothing."""
    process = subprocess.Popen(
        ["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:
        ours = os.readlink("/proc/thread-self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != ours, "a network namespace")
        yield process
    finally:
        process.kill()
        process.wait()


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
