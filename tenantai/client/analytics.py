"""SQL over the analytics."""

from tenantai.client.shaping import present
from tenantai.client.transport import Transport
from tenantai.wire.analytics import AnalyticsAnswer


class AnalyticsBox:
    """`/analytics/query`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def query(self, sql: str, *, limit: int | None = None, tenant_id: str | None = None) -> AnalyticsAnswer:
        """Return what one SELECT comes to over the key's own rows; the operator names a tenant, or asks everyone's."""
        body = present(sql=sql, limit=limit, tenantId=tenant_id)
        return await self._transport.call("POST", "/analytics/query", AnalyticsAnswer, json=body)
