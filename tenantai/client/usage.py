"""What a tenant has used."""

from collections.abc import AsyncGenerator

from tenantai.client.shaping import present
from tenantai.client.transport import Transport
from tenantai.wire.usage import UsageReport
from tenantai.wire.usage_history import Group, Interval, UsageHistory

HISTORY = "/usage/history"


class TenantUsage:
    """`/usage`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def report(self, *, tenant_id: str | None = None) -> UsageReport:
        """Return what is used of each limit; the operator names a tenant."""
        return await self._transport.call("GET", "/usage", UsageReport, params=present(tenantId=tenant_id))

    async def history(
        self,
        *,
        tenant_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        interval: Interval = "day",
        group_by: Group | None = None,
    ) -> UsageHistory:
        """Return a span in intervals, of all or by groups; the operator names a tenant."""
        span = _span(since, until)
        asked = present(tenantId=tenant_id, interval=interval, groupBy=group_by)
        return await self._transport.call("GET", HISTORY, UsageHistory, params={**asked, **span})

    def export(
        self, form: str, *, tenant_id: str | None = None, since: str | None = None, until: str | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield the pieces of a file (`csv`, `jsonl` or `parquet`) with every event, oldest first; raises where it breaks off."""
        params = {**present(tenantId=tenant_id, format=form), **_span(since, until)}
        return self._transport.pieces(HISTORY, query=params)


def _span(since: str | None, until: str | None) -> dict[str, str]:
    return {name: moment for name, moment in (("from", since), ("to", until)) if moment is not None}
