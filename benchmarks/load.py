"""A load generator in one thread over epoll: it costs a few microseconds a request, so that what it measures is the server."""

import selectors
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

READ_BYTES = 1 << 18
END_OF_CHUNKS = b"\r\n0\r\n\r\n"


def request_bytes(method: str, url: str, *, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a request on a connection that is kept."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """One kept connection with one request under way."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def exchange(self, request: bytes, is_whole: Callable[[bytes], bool]) -> bytes:
        """Send one request and return the whole answer."""
        self.socket.sendall(request)
        received = b""
        while not is_whole(received):
            received += self.piece()
        return received

    def first(self, request: bytes, mark: bytes, is_whole: Callable[[bytes], bool]) -> float:
        """Return the seconds from sending to the first sight of `mark`; the answer is read to its end."""
        began = time.perf_counter()
        self.socket.sendall(request)
        received, seconds = b"", 0.0
        while not is_whole(received):
            received += self.piece()
            if not seconds and mark in received:
                seconds = time.perf_counter() - began
        return seconds

    def piece(self) -> bytes:
        """Return what has come; the server must not have closed."""
        piece = self.socket.recv(READ_BYTES)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece


def is_whole_json(received: bytes) -> bool:
    """Whether an answer with a Content-Length is complete."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    at = head.lower().find(b"content-length:")
    return len(body) >= int(head[at + 15 :].split(b"\r\n", 1)[0])


def is_whole_stream(received: bytes) -> bool:
    """Whether a chunked answer is complete."""
    return received.endswith(END_OF_CHUNKS)


def rate(url: str, request: bytes, *, is_whole: Callable[[bytes], bool], connections: int, seconds: float) -> float:
    """Return answers a second over so many connections; raises where one is not a 200."""
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = Connection(url)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.socket.sendall(request)
        began, answers = time.perf_counter(), 0
        while (now := time.perf_counter()) - began < seconds:
            for key, _ in selector.select():
                answers += _advance(key.data, request, is_whole)
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return answers / (now - began)


def _advance(connection: Connection, request: bytes, is_whole: Callable[[bytes], bool]) -> int:
    connection.received = connection.received + connection.piece() if connection.received else connection.piece()
    if not is_whole(connection.received):
        return 0
    if not connection.received.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(connection.received[:300].decode(errors="replace"))
    connection.received = b""
    connection.socket.sendall(request)
    return 1
