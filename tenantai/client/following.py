"""Following a log: its entries as they are written."""

from collections.abc import AsyncGenerator, Mapping

from tenantai.client.errors import ClientError
from tenantai.client.events import DONE, frames
from tenantai.client.shaping import Shape, parsed, shaped
from tenantai.client.transport import EVENT_STREAM, Transport


async def follow(
    transport: Transport, path: str, shape: type[Shape], *, query: Mapping[str, str], after: str | None
) -> AsyncGenerator[Shape]:
    """Yield entries from behind the one with the id `after`, else from now, until the server stops.

    Raises ClientError where the key may not read them, or not any more.
    """
    headers = {**EVENT_STREAM, **({"Last-Event-ID": after} if after else {})}
    async with transport.response("GET", path, headers=headers, params=query) as response:
        async for data in frames(response):
            if data == DONE:
                return
            event = parsed(data)
            if event.get("type") == "error":
                raise ClientError("UNAUTHORIZED", str(event.get("errorText", "")))
            yield shaped(shape, event)
