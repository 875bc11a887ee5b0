"""Reading the event streams of servers that speak the OpenAI API, in every framing that they use.

What must stay true: a line may be of any length, and an event that can't be read is an error, never skipped.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from tenantai.providers.retries import ProviderFault

DRAIN_SECONDS = 0.25
DONE: dict[str, Any] = {"choices": [{"finish_reason": "done"}]}


async def read_events(response: aiohttp.ClientResponse) -> AsyncGenerator[dict[str, Any]]:
    """Yield the JSON objects of an event stream, or the one object of a server that does not stream."""
    if response.content_type == "application/json":
        yield _object(await response.read())
        return
    data: list[bytes] = []
    async for line in _lines(response.content):
        if line.startswith(b"data:"):
            data.append(line[5:].strip())
        elif not line and data:
            joined = b"\n".join(data)
            data.clear()
            if joined == b"[DONE]":
                yield DONE
                await _drain(response)
                return
            yield _object(joined)
    if data:
        yield DONE if data == [b"[DONE]"] else _object(b"\n".join(data))


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield lines of any length without their ends (LF or CRLF)."""
    buffer = bytearray()
    async for piece in content.iter_any():
        searched = len(buffer)
        buffer += piece
        start = 0
        while (end := buffer.find(b"\n", max(start, searched))) >= 0:
            yield bytes(buffer[start:end]).rstrip(b"\r")
            start = end + 1
        del buffer[:start]
    if buffer:
        yield bytes(buffer).rstrip(b"\r")


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read to the end, which follows at once, so that the connection can serve again."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await response.read()


async def first_event(events: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    """Return the first event; raises ProviderFault where there is none or it is an error."""
    first = await anext(events, None)
    if first is None:
        raise ProviderFault("the stream ended before it began", transient=True)
    require_no_error(first)
    return first


def require_no_error(event: Mapping[str, Any]) -> None:
    """Raise ProviderFault for an error event, with the HTTP status that it may carry as its code."""
    if error := event.get("error"):
        code = error.get("code") if isinstance(error, dict) else None
        raise ProviderFault(f"the stream holds an error: {error}", status=code if isinstance(code, int) else None)


def _object(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ProviderFault("an event is no JSON object")
    return value
