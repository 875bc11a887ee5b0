"""A log that is followed: its entries as events, until its key may read it no more, or the server stops.

What must stay true: an event's id is that of its entry, so that a client that comes back misses none.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from aiohttp import web

from tenantai.errors import NotReady, Unauthorized, ValidationFailed
from tenantai.server.keys import LIVE_STREAMS, REQUEST_ID, VISIT
from tenantai.server.sse import event_stream

ENDED = "The key may no longer read this. The stream has ended."
ID_DIGITS_MAX = 18

Entry = TypeVar("Entry")

logger = structlog.get_logger("tenantai.tails")


def last_event_id(request: web.Request) -> int | None:
    """Return the id that a client had last, None where it begins. Raises ValidationFailed."""
    given = request.headers.get("Last-Event-ID", "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= ID_DIGITS_MAX):
        raise ValidationFailed([{"field": "Last-Event-ID", "problem": "is not the id of an event of this stream"}])
    return int(given)


async def send_tail(
    request: web.Request,
    entries: AsyncIterator[Sequence[Entry]],
    *,
    of: str,
    still_allowed: Callable[[], Awaitable[None]],
    event: Callable[[Entry], tuple[int, Mapping[str, Any]]],
) -> web.StreamResponse:
    """Send entries as they come, each with its id, in one of the places of a tenant; `still_allowed` raises Unauthorized."""
    with request.app[LIVE_STREAMS].taken(of, limit=request[VISIT].ledger.plan.streams):
        async with event_stream(request, headers={}) as (stream, response):
            try:
                async for some in entries:
                    await still_allowed()
                    for entry in some:
                        event_id, told = event(entry)
                        await stream.send(told, event_id=str(event_id))
            except Unauthorized:
                await stream.send({"type": "error", "errorText": ENDED})
            except NotReady:
                logger.warning("tail ended", request_id=request[REQUEST_ID], exc_info=True)
            stream.end()
    return response
