"""How a child process answers: a frame is four bytes of length and as many of body; the first of an answer is JSON, the head.

Before the head may come notes, JSON too: `{"note": [words and numbers]}`.
JSON, not pickle: a child that a file has taken over must not reach the server.
"""

import json
import struct
from typing import Any

LENGTH = struct.Struct("!I")


def framed(body: bytes) -> bytes:
    """Return a body as a frame."""
    return LENGTH.pack(len(body)) + body


def dumped(value: Any) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
