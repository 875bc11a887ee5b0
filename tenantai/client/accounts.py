"""Accounts of a tenant."""

from collections.abc import AsyncGenerator, Mapping

from tenantai.client.shaping import account_path, present, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.accounts import AccountRecord


class Accounts:
    """`/tenants/{tenantId}/accounts`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, tenant_id: str) -> AsyncGenerator[AccountRecord]:
        """Yield the accounts that the key sees."""
        return self._transport.pages(f"{tenant_path(tenant_id)}/accounts", "accounts", AccountRecord)

    async def get(self, tenant_id: str, account_id: str) -> AccountRecord:
        """Return an account."""
        return await self._transport.call("GET", account_path(tenant_id, account_id), AccountRecord)

    async def create(
        self, tenant_id: str, *, name: str, role: str = "member", email: str | None = None, external_id: str | None = None
    ) -> AccountRecord:
        """Make an account."""
        body = present(name=name, role=role, email=email, externalId=external_id)
        return await self._transport.call("POST", f"{tenant_path(tenant_id)}/accounts", AccountRecord, json=body)

    async def change(self, tenant_id: str, account_id: str, *, changes: Mapping[str, str | None]) -> AccountRecord:
        """Change what is named: `name`, `role`, `email`, `externalId`; None clears one of the last two."""
        return await self._transport.call("PATCH", account_path(tenant_id, account_id), AccountRecord, json=dict(changes))

    async def delete(self, tenant_id: str, account_id: str) -> None:
        """Delete an account with its chats, keys and files."""
        await self._transport.do("DELETE", account_path(tenant_id, account_id))
