"""Tenants, and registration."""

from collections.abc import AsyncGenerator, Mapping

from tenantai.client.shaping import present, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.answers import Erased
from tenantai.wire.tenants import Registered, TenantCreated, TenantRecord


class Tenants:
    """`/register` and `/tenants`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def register(self, *, email: str, organization_name: str) -> Registered:
        """Make a tenant for oneself; its key is in this answer and nowhere else."""
        body = {"email": email, "organizationName": organization_name}
        return await self._transport.call("POST", "/register", Registered, json=body)

    def all(self) -> AsyncGenerator[TenantRecord]:
        """Yield the key's own tenant; for the operator all of them."""
        return self._transport.pages("/tenants", "tenants", TenantRecord)

    async def get(self, tenant_id: str) -> TenantRecord:
        """Return a tenant."""
        return await self._transport.call("GET", tenant_path(tenant_id), TenantRecord)

    async def create(self, *, name: str, email: str, plan: str | None = None) -> TenantCreated:
        """Make a tenant, as the operator; its key is in this answer and nowhere else."""
        return await self._transport.call("POST", "/tenants", TenantCreated, json=present(name=name, email=email, plan=plan))

    async def limit(self, tenant_id: str, limits: Mapping[str, int] | None) -> TenantRecord:
        """Give a tenant limits of its own (`requestsPerMinute`…), as the operator; None ends them, and its plan's hold."""
        body = {"limits": None if limits is None else dict(limits)}
        return await self._transport.call("PATCH", tenant_path(tenant_id), TenantRecord, json=body)

    async def change(self, tenant_id: str, *, name: str | None = None, plan: str | None = None) -> TenantRecord:
        """Change what is given; the plan only as the operator."""
        body = present(name=name, plan=plan)
        return await self._transport.call("PATCH", tenant_path(tenant_id), TenantRecord, json=body)

    async def delete(self, tenant_id: str) -> Erased:
        """Delete a tenant with everything of it, as the operator."""
        return await self._transport.call("DELETE", tenant_path(tenant_id), Erased)
