"""Many requests, one after the other: one that passes the limit of a minute waits for the next, and is sent again."""

from asyncio import sleep
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenantai.client.errors import ClientError

PAUSE_SECONDS_MAX = 61  # a minute, and the tenth of a second by which a place in it is free late

T = TypeVar("T")
Paused = Callable[[int], object]
"""Is told how many seconds the next request waits."""


async def with_pauses(ask: Callable[[], Awaitable[T]], *, paused: Paused) -> T:
    """Return what a request is answered with, once the limit of a minute lets it through; a longer wait is raised as it is."""
    while True:
        try:
            return await ask()
        except ClientError as error:
            seconds = error.retry_after or 0
            if error.code != "RATE_LIMIT_EXCEEDED" or not 0 < seconds <= PAUSE_SECONDS_MAX:
                raise
        paused(seconds)
        await sleep(seconds)
