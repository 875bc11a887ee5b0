"""Whether a server is there and ready, what happens on it, what it counts, and who it takes us for."""

from tenantai.client.transport import Transport
from tenantai.wire.answers import Health, Readiness
from tenantai.wire.api_keys import WhoAmI
from tenantai.wire.overview import Overview, UsageSpan

NOT_READY = frozenset({503})


class Probes:
    """`/health`, `/ready`, `/whoami`, `/overview` and `/metrics`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def health(self) -> Health:
        """Return that the server is alive; it asks nobody, and counts against no limit."""
        return await self._transport.call("GET", "/health", Health)

    async def ready(self) -> Readiness:
        """Return how each dependency is, also of a server that is not ready."""
        return await self._transport.call("GET", "/ready", Readiness, also=NOT_READY)

    async def whoami(self) -> WhoAmI:
        """Return whose key this is and what it may do."""
        return await self._transport.call("GET", "/whoami", WhoAmI)

    async def overview(self, span: UsageSpan = "hour") -> Overview:
        """Return what is happening now over all tenants, with the use of the last hour or the last day; to the operator."""
        return await self._transport.call("GET", "/overview", Overview, params={"span": span})

    async def metrics(self) -> str:
        """Return what was counted since the start, as Prometheus reads it; to the operator, or on the server's own machine."""
        async with self._transport.response("GET", "/metrics", below="") as response:
            return await response.text()
