"""What the kernel says about a broker's files: open flags, extents, allocated space."""

import array
import fcntl
import glob
import os
import struct

FS_IOC_FIEMAP = 0xC020660B  # _IOWR('f', 11, struct fiemap), linux/fiemap.h
FIEMAP_FLAG_SYNC = 0x1
FIEMAP_EXTENT_LAST = 0x1
FIEMAP_EXTENT_UNWRITTEN = 0x800
HEADER = struct.Struct("=QQLLLL")  # start, length, flags, mapped extents, room for extents, reserved
EXTENT = struct.Struct("=QQQ2QL3L")  # logical, physical, length, reserved, flags, reserved
EXTENTS_PER_CALL = 64


def extents(path):
    """(logical offset, length, flags) of every extent of a file, in order."""
    found = []
    with open(path, "rb") as file:
        start = 0
        while True:
            batch = _extents_from(file, start)
            found += batch
            if not batch or batch[-1][2] & FIEMAP_EXTENT_LAST:
                return found
            start = batch[-1][0] + batch[-1][1]


def _extents_from(file, start):
    room = EXTENT.size * EXTENTS_PER_CALL
    request = array.array("B", HEADER.pack(start, 2**63, FIEMAP_FLAG_SYNC, 0, EXTENTS_PER_CALL, 0) + bytes(room))
    fcntl.ioctl(file, FS_IOC_FIEMAP, request, True)
    mapped = HEADER.unpack_from(request)[3]
    rows = [EXTENT.unpack_from(request, HEADER.size + i * EXTENT.size) for i in range(mapped)]
    return [(row[0], row[2], row[5]) for row in rows]


def is_unwritten(flags):
    return bool(flags & FIEMAP_EXTENT_UNWRITTEN)


def open_files(pid):
    """(path, open flags) of every regular path that the process holds open."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{fd}")
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info:
                flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags:"))
        except FileNotFoundError:
            continue  # closed between the listing and the look
        if path.startswith("/"):
            found.append((path, flags))
    return found


def journal_files(data_dir):
    """Every journal file of every shard."""
    return sorted(glob.glob(os.path.join(data_dir, "layout-*", "shard-*", "journal", "*.journal")))


def topic_directories(data_dir, topic):
    """Directories `topics/TOPIC-PARTITION.ID` of one topic."""
    root = os.path.join(data_dir, "topics")
    names = os.listdir(root) if os.path.isdir(root) else []
    return [os.path.join(root, name) for name in sorted(names) if name.startswith(f"{topic}-")]


def allocated_bytes(directories):
    """Space that the files below these directories take on disk."""
    total = 0
    for directory in directories:
        for root, _, files in os.walk(directory):
            for file in files:
                try:
                    total += os.stat(os.path.join(root, file)).st_blocks * 512
                except FileNotFoundError:
                    continue  # deleted between the listing and the look
    return total
