"""A socket that speaks Kafka's frames."""

import socket
import struct

from harness.wire.codec import Reader, Writer

TIMEOUT_S = 20.0


class Closed(Exception):
    """The broker closed the connection."""


class Connection:
    """One connection to HOST:PORT; usable in a `with` block."""

    def __init__(self, address, receive_buffer_bytes=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect((host, int(port)))
        self.correlation_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def send_frame(self, payload):
        self.send_raw(struct.pack(">i", len(payload)) + payload)

    def send(self, api_key, api_version, body, client_id="raw"):
        """Sends a request with header v1 and returns its correlation id."""
        self.correlation_id += 1
        header = Writer().int16(api_key).int16(api_version).int32(self.correlation_id).string(client_id)
        self.send_frame(bytes(header.data) + body)
        return self.correlation_id

    def receive(self):
        """(correlation id, reader of the body) of the next response."""
        (length,) = struct.unpack(">i", self._exactly(4))
        reader = Reader(self._exactly(length))
        return reader.int32(), reader

    def request(self, api_key, api_version, body):
        """Sends a request and returns the reader of its response."""
        sent = self.send(api_key, api_version, body)
        correlation_id, reader = self.receive()
        assert correlation_id == sent, f"response {correlation_id} to request {sent}"
        return reader

    def is_closed_by_peer(self, timeout_s=TIMEOUT_S):
        """True once the broker closes or resets the connection; False if it stays open for that long."""
        self.socket.settimeout(timeout_s)
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            try:
                piece = self.socket.recv(min(count - len(data), 1 << 20))
            except ConnectionResetError:
                raise Closed from None
            if not piece:
                raise Closed
            data += piece
        return bytes(data)
