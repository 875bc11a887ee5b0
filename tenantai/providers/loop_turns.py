"""Turns of the event loop for work that blocks it a little each time, however many tasks have such work at once.

What must stay true: in one turn of the loop no more of it is begun once `TURN_SECONDS` have passed since the first.
"""

import asyncio
import time

TURN_SECONDS = 0.004


class LoopTurns:
    """Shared by the tasks of one event loop that have such work."""

    def __init__(self) -> None:
        self._ends_at = 0.0
        self._has_begun = False

    @property
    def is_over(self) -> bool:
        """Whether work now has to wait for the next turn, or is the first in this one."""
        return not self._has_begun or time.perf_counter() >= self._ends_at

    async def wait(self) -> None:
        """Return at once while the turn has time left, else in one that has."""
        while self._has_begun:
            if time.perf_counter() < self._ends_at:
                return
            await asyncio.sleep(0)
        self._has_begun = True
        self._ends_at = time.perf_counter() + TURN_SECONDS
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._has_begun = False
