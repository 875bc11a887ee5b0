"""A file that is sent, and how much of it has been handed on."""

import asyncio
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Sent = Callable[[int, int], None]
"""Is told how many bytes of how many were handed to the connection; a little of it may still be on its way."""


class CountedFile(io.BufferedReader):
    """A file that is read in threads; `sent` is called in the loop."""

    def __init__(self, path: Path, sent: Sent | None, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(io.FileIO(path))
        self._sent = sent
        self._loop = loop
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a piece; what was read before it has been handed on by then, and this one will be at once."""
        piece = super().read(size)
        if self._sent is not None:
            with suppress(RuntimeError):  # the loop is closed by now
                self._loop.call_soon_threadsafe(self._sent, self.tell(), self._size)
        return piece


async def opened(path: Path, *, sent: Sent | None = None) -> CountedFile:
    """Open a file to send it. Raises OSError where it can't be read."""
    return await asyncio.to_thread(CountedFile, path, sent, asyncio.get_running_loop())
