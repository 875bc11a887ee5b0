"""Functions of a tenant that its chats may call."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from tenantai.client.shaping import present, step, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.tools import Approval, ToolMade, ToolRecord


class Tools:
    """`/tenants/{tenantId}/tools`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, tenant_id: str) -> AsyncGenerator[ToolRecord]:
        """Yield the functions by their making, never a secret."""
        return self._transport.pages(_path(tenant_id), "tools", ToolRecord)

    async def get(self, tenant_id: str, tool_id: str) -> ToolRecord:
        """Return a function."""
        return await self._transport.call("GET", f"{_path(tenant_id)}/{step(tool_id)}", ToolRecord)

    async def create(
        self,
        tenant_id: str,
        *,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        endpoint: str,
        signing_secret: str | None = None,
        timeout_seconds: float | None = None,
        approval: Approval | None = None,
    ) -> ToolMade:
        """Register a function; the secret that signs its calls is in this answer and nowhere else."""
        given = present(signingSecret=signing_secret, timeoutSeconds=timeout_seconds, approval=approval)
        body = {"name": name, "description": description, "parameters": dict(parameters), "endpoint": endpoint, **given}
        return await self._transport.call("POST", _path(tenant_id), ToolMade, json=body)

    async def delete(self, tenant_id: str, tool_id: str) -> None:
        """Delete a function; no answer calls it from now on."""
        await self._transport.do("DELETE", f"{_path(tenant_id)}/{step(tool_id)}")


def _path(tenant_id: str) -> str:
    return f"{tenant_path(tenant_id)}/tools"
