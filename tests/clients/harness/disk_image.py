"""A small disk: a file system in a file."""

import contextlib
import os
import subprocess

import pytest

from harness.waiting import wait_until


@contextlib.contextmanager
def mounted(directory, length):
    """Where a file system of so many bytes is mounted; the test is skipped where that is not allowed."""
    image, mount = os.path.join(directory, "disk.img"), os.path.join(directory, "disk")
    os.makedirs(mount)
    with open(image, "wb") as file:
        file.truncate(length)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", image, mount], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as refused:
        pytest.skip(f"a file cannot be mounted here: {refused}")
    try:
        yield mount
    finally:
        # The kernel closes the files of a process with an io_uring a little after it has ended.
        unmounted = lambda: subprocess.run(["umount", mount], capture_output=True).returncode == 0
        wait_until(unmounted, f"{mount} to be unmounted")


def free_bytes(path):
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize


def use_up(path, left_bytes):
    """Writes a file until the disk has so little room."""
    with open(path, "wb") as file, contextlib.suppress(OSError):
        while free_bytes(path) > left_bytes:
            file.write(bytes(min(1 << 20, free_bytes(path) - left_bytes)))
            file.flush()
            os.fsync(file.fileno())
