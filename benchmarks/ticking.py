"""How late the event loop is: a tick of 1 ms beside what is measured."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TICK_SECONDS = 0.001


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """Tick in the event loop while the block runs; by how many seconds each tick came late."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            late.append(time.perf_counter() - before - TICK_SECONDS)

    task = asyncio.create_task(tick())
    try:
        yield late
    finally:
        task.cancel()
