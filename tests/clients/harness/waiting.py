"""Waiting for a condition of another process, always with a deadline."""

import time


def wait_until(condition, what, timeout_s=30.0, every_s=0.02):
    """Calls `condition` until it returns something true, which is returned; fails naming `what` at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(every_s)
