"""ComfyUI's websocket: what it says while it works, message by message, each within bounds."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import websocket

from course_lib.comfyui.answers import parse
from course_lib.messages import LessonError

MOST_MESSAGE = 16 * 2**20  # bytes
PREVIEW = b"\0\0\0\1"  # how a binary message begins that holds a picture
CONNECT = 10.0  # seconds


class BoundedSocket(socket.socket):
    """A socket that gives up a message of too many bytes, or one that does not come to its end in time."""

    left, until = MOST_MESSAGE, float("inf")

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive as `socket.recv` does; ConnectionError once the bounds are passed."""
        content = super().recv(size, flags)
        self.left -= len(content)
        if self.left < 0 or time.monotonic() > self.until:
            raise ConnectionError("too much, or too slow")
        return content

    def renew(self, seconds: float) -> None:
        """Begin to count again, for the next message."""
        self.left, self.until = MOST_MESSAGE, time.monotonic() + seconds


class Line:
    """A websocket to a ComfyUI on this machine under a client's name, opened again whenever it is cut."""

    def __init__(self, port: int, client: str) -> None:
        self.port, self.client = port, client
        self.socket: websocket.WebSocket | None = None

    def open(self) -> "websocket.WebSocket | None":
        """Open it and return it, None where that is not possible."""
        line = BoundedSocket(socket.AF_INET, socket.SOCK_STREAM)
        line.settimeout(CONNECT)
        try:
            line.connect(("127.0.0.1", self.port))
            line.renew(CONNECT)
            # A socket of our own: it has bounds, and no proxy of the environment is asked. ComfyUI compares an Origin
            # with its own address and refuses another, so none is sent.
            self.socket = websocket.create_connection(
                f"ws://127.0.0.1:{self.port}/ws?clientId={self.client}", timeout=CONNECT, socket=line,
                suppress_origin=True)
        except (OSError, websocket.WebSocketException):
            line.close()
        return self.socket

    def hear(self, quiet: float) -> Iterator[dict | bytes | None]:
        """Yield messages without end, JSON objects and previews' bytes; None after `quiet` seconds without any."""
        while True:
            opened = self.socket or self.open()
            if opened is None:
                time.sleep(quiet)
                yield None
                continue
            try:
                yield receive(opened, quiet)
            except (OSError, websocket.WebSocketException, struct.error):
                self.close()
                yield None

    def close(self) -> None:
        """Close it without waiting for an answer."""
        if self.socket is not None:
            self.socket.shutdown()
            self.socket = None


def receive(opened: websocket.WebSocket, quiet: float) -> dict | bytes | None:
    """Return the next message of a websocket; None after `quiet` seconds without any, or for one of another form."""
    opened.settimeout(quiet)
    opened.sock.renew(CONNECT + quiet)
    try:
        code, content = opened.recv_data()
    except websocket.WebSocketTimeoutException:
        return None
    if code == websocket.ABNF.OPCODE_CLOSE:
        raise ConnectionError
    if code == websocket.ABNF.OPCODE_BINARY:  # 4 bytes of kind, 4 of the picture's format, which it says itself
        return content[8:] if content[:4] == PREVIEW else None
    with suppress(LessonError):
        return parse(content)
    return None
