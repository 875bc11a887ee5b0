"""Work that is done to its end, also where who asked for it leaves in the middle.

What must stay true: what follows a change (telling the queue, forgetting what was remembered) is done wherever the change was
made; a unit that is handed to the database is committed, whoever waits for it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_under_way: set[asyncio.Task[Any]] = set()


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Return what work comes to; where the caller is cancelled it goes on."""
    return await asyncio.shield(begin(work))


def begin(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begin work that nobody need wait for."""
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_end)
    return task


def _end(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # it was raised where the work is waited for, or nobody is there to be told
