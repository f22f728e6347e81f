"""Free ports that stay free: for brokers that must come back on the same addresses."""

import random
import socket

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port between two starts.
FIRST, LAST = 20000, 32000


def free_port_block(count):
    """The first of `count` consecutive ports that nobody holds on 127.0.0.1."""
    for _ in range(200):
        first = random.randrange(FIRST, LAST - count)
        if all(is_free(first + i) for i in range(count)):
            return first
    raise AssertionError(f"no {count} consecutive free ports between {FIRST} and {LAST}")


def is_free(port):
    with socket.socket() as probe:
        # Like the broker after a kill -9: connections in TIME_WAIT do not count as holders.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
