"""The queue's waits: whatever comes at the same time, a cancelled task ends."""

import asyncio

import pytest

from tenantai.server.services import indexing


@pytest.mark.parametrize("turns", range(5))
async def test_wait_that_is_cancelled_as_its_event_comes(turns: int) -> None:
    """A shutdown ends the clearing of deleted files also in the loop's turns right after something woke it."""
    event = asyncio.Event()
    waiting = asyncio.create_task(indexing._wait_briefly(event))
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
