"""The only writer of event-stream framing.

What must stay true: headers go out once, then an error is an event, never a status; each event is one `data:` line of JSON that
any reader takes (ASCII, no NaN); silence is broken by a comment every 15 seconds; `[DONE]` comes last.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

HEARTBEAT_SECONDS = 15.0
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
UI_MESSAGE_STREAM = {"x-vercel-ai-ui-message-stream": "v1"}

TEXT_DELTA_FIELDS = 3

_quoted = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=True, separators=(",", ":")).encode


class EventStream:
    """An open stream of events to one client."""

    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response
        self._last_sent = asyncio.get_running_loop().time()

    async def send(self, event: Mapping[str, Any]) -> None:
        """Send one event; waits where the client reads slowly. Raises ConnectionResetError once the client has left."""
        if event.get("type") == "text-delta" and len(event) == TEXT_DELTA_FIELDS:
            line = f'data: {{"type":"text-delta","id":{_quoted(event["id"])},"delta":{_quoted(event["delta"])}}}\n\n'
        else:
            line = f"data: {_encode(event)}\n\n"
        await self._write(line)

    async def send_done(self) -> None:
        """Send the mark after the last event."""
        await self._write("data: [DONE]\n\n")

    async def _write(self, text: str) -> None:
        self._last_sent = asyncio.get_running_loop().time()
        await self._response.write(text.encode("ascii"))

    async def beat(self, interval_seconds: float) -> None:
        """Send a comment whenever nothing else was sent for that long."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(max(0.01, self._last_sent + interval_seconds - clock()))
            if clock() - self._last_sent >= interval_seconds:
                await self._write(": keep-alive\n\n")


@asynccontextmanager
async def event_stream(
    request: web.Request, *, headers: Mapping[str, str], heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> AsyncIterator[tuple[EventStream, web.StreamResponse]]:
    """Send the headers and keep the stream alive while the block runs."""
    response = web.StreamResponse(headers={**HEADERS, **headers})
    await response.prepare(request)
    stream = EventStream(response)
    beating = asyncio.create_task(stream.beat(heartbeat_seconds))
    try:
        yield stream, response
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await beating
