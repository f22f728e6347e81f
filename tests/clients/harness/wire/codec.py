"""Kafka's primitive types (big endian), in their non-flexible form."""

import struct


class Writer:
    """Builds a message body field by field; every method returns self."""

    def __init__(self):
        self.data = bytearray()

    def int8(self, value):
        return self._pack(">b", value)

    def int16(self, value):
        return self._pack(">h", value)

    def int32(self, value):
        return self._pack(">i", value)

    def int64(self, value):
        return self._pack(">q", value)

    def string(self, value):
        """A string of up to 32767 bytes; None is null."""
        if value is None:
            return self.int16(-1)
        raw = value.encode()
        return self.int16(len(raw)).raw(raw)

    def bytes(self, value):
        """Bytes with an int32 length; None is null."""
        if value is None:
            return self.int32(-1)
        return self.int32(len(value)).raw(value)

    def array(self, items, write):
        """An array; `write(writer, item)` writes one element. None is null."""
        if items is None:
            return self.int32(-1)
        self.int32(len(items))
        for item in items:
            write(self, item)
        return self

    def raw(self, data):
        self.data += data
        return self

    def _pack(self, form, value):
        self.data += struct.pack(form, value)
        return self


class Reader:
    """Reads a message body field by field; running out of bytes raises."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def int8(self):
        return self._unpack(">b")

    def int16(self):
        return self._unpack(">h")

    def int32(self):
        return self._unpack(">i")

    def int64(self):
        return self._unpack(">q")

    def string(self):
        length = self.int16()
        return None if length < 0 else self.take(length).decode()

    def bytes(self):
        length = self.int32()
        return None if length < 0 else self.take(length)

    def array(self, read):
        return [read(self) for _ in range(self.int32())]

    def take(self, count):
        assert 0 <= count <= len(self.data) - self.at, f"{count} bytes asked of {len(self.data) - self.at}"
        self.at += count
        return self.data[self.at - count : self.at]

    def at_end(self):
        return self.at == len(self.data)

    def _unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]


def varint(value):
    """A zigzag variable-length integer, as records use them."""
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)
