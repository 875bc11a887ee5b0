"""Looking at many pictures side by side, each by the model alone.

What must stay true: a picture that fails leaves the others alone; once the caller goes away, no model works on.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import structlog

from tenantai.errors import ProviderFailed, TenantaiError
from tenantai.providers.protocols import Again, Cut, Sighting, Usage, VisionModel

WAITING_MAX = 64

logger = structlog.get_logger("tenantai.estimator")


@dataclass(frozen=True, slots=True)
class Begun:
    """The model begins to look."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The model has looked, or failed to: then `error` says why."""

    error: TenantaiError | None = None


Event = Begun | Sighting | Again | Cut | Usage | Ended


async def look_at(model: VisionModel, pictures: Sequence[bytes], *, at_once: int) -> AsyncGenerator[tuple[int, Event]]:
    """Yield what happens to each picture, by its index, until all have ended; closing it stops the model's work."""
    events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue(WAITING_MAX)
    places = asyncio.Semaphore(at_once)
    tasks: list[asyncio.Task[None]] = []
    try:
        for index, picture in enumerate(pictures):
            tasks.append(asyncio.create_task(_look(model, index, picture, places, events)))
            await asyncio.sleep(0)  # writing a picture into a request takes milliseconds: each has a turn of the loop to itself
        waiting = len(tasks)
        while waiting:
            index, event = await events.get()
            waiting -= isinstance(event, Ended)
            yield index, event
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look(
    model: VisionModel, index: int, picture: bytes, places: asyncio.Semaphore, events: "asyncio.Queue[tuple[int, Event]]"
) -> None:
    async with places:
        await events.put((index, Begun()))
        await events.put((index, await _looked(model, index, picture, events)))


async def _looked(model: VisionModel, index: int, picture: bytes, events: "asyncio.Queue[tuple[int, Event]]") -> Ended:
    seen = model.look(picture)
    try:
        async for event in seen:
            await events.put((index, event))
    except ProviderFailed as error:
        logger.warning("provider failed", image=index, cause=repr(error.__cause__))
        return Ended(error)
    except Exception:
        logger.exception("looking fault", image=index)
        return Ended(TenantaiError())
    finally:
        if isinstance(seen, AsyncGenerator):
            await seen.aclose()
    return Ended()
