"""The server's own log, for the operator."""

from collections.abc import AsyncGenerator

from tenantai.client.following import follow
from tenantai.client.shaping import present
from tenantai.client.transport import Transport
from tenantai.wire.logs import LogLevel, LogLine, LogPage

PATH = "/logs"


class Logs:
    """`/logs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(
        self,
        *,
        level: LogLevel | None = None,
        text: str | None = None,
        tenant_id: str | None = None,
        limit: int | None = None,
    ) -> LogPage:
        """Return the last lines, the newest first: of a level and graver ones, with a text in them, of a tenant."""
        query = present(level=level, q=text or None, tenantId=tenant_id, limit=limit)
        return await self._transport.call("GET", PATH, LogPage, params=query)

    def follow(
        self,
        *,
        level: LogLevel | None = None,
        text: str | None = None,
        tenant_id: str | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[LogLine]:
        """Yield lines as they are written, from behind the one whose id is `after`, until the server stops."""
        query = present(level=level, q=text or None, tenantId=tenant_id)
        return follow(self._transport, PATH, LogLine, query=query, after=after)
