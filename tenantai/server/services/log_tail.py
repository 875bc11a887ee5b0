"""Following the log: lines as they are written.

What must stay true: who follows costs those who write nothing; every tail ends at a shutdown.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from tenantai.server.log_ring import LogRing, Wanted
from tenantai.wire.logs import LogLine

LOOK_EVERY_SECONDS = 0.25


class LogTail:
    """The open tails of the log."""

    def __init__(self, ring: LogRing) -> None:
        self._ring = ring
        self._is_draining = asyncio.Event()

    async def newest(self, wanted: Wanted, *, count: int) -> list[LogLine]:
        """Return so many lines, the newest first."""
        return await asyncio.to_thread(self._ring.newest, wanted, count=count)

    @property
    def last(self) -> int:
        """The number of the newest line."""
        return self._ring.last

    async def lines(self, wanted: Wanted, *, after: int) -> AsyncIterator[Sequence[LogLine]]:
        """Yield lines behind a number as they come, none at all (an empty list) at each look that finds nothing."""
        while not self._is_draining.is_set():
            found: list[LogLine] = []
            if self._ring.last > after:
                found, after = await asyncio.to_thread(self._ring.behind, after, wanted)
            yield found
            await self._wait()

    def drain(self) -> None:
        """End every tail now."""
        self._is_draining.set()

    async def _wait(self) -> None:
        """Wait for the next look, or for the shutdown."""
        try:
            async with asyncio.timeout(LOOK_EVERY_SECONDS):
                await self._is_draining.wait()
        except TimeoutError:
            return
