"""What a tenant has used."""

from tenantai.client.shaping import present
from tenantai.client.transport import Transport
from tenantai.wire.usage import UsageReport


class TenantUsage:
    """`/usage`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def report(self, *, tenant_id: str | None = None) -> UsageReport:
        """Return what is used of each limit; the operator names a tenant."""
        return await self._transport.call("GET", "/usage", UsageReport, params=present(tenantId=tenant_id))
