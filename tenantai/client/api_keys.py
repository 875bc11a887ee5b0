"""API keys of a tenant."""

from collections.abc import AsyncGenerator, Sequence

from tenantai.client.shaping import present, step, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.api_keys import ApiKeyMade, ApiKeyRecord


class ApiKeys:
    """`/tenants/{tenantId}/api-keys`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, tenant_id: str) -> AsyncGenerator[ApiKeyRecord]:
        """Yield the keys, revoked ones too."""
        return self._transport.pages(f"{tenant_path(tenant_id)}/api-keys", "apiKeys", ApiKeyRecord)

    async def create(
        self,
        tenant_id: str,
        *,
        name: str,
        scopes: Sequence[str] | None = None,
        account_id: str | None = None,
        expires_at: str | None = None,
    ) -> ApiKeyMade:
        """Make a key; without scopes it gets the maker's own but `key:*`."""
        body = present(name=name, scopes=list(scopes) if scopes else None, accountId=account_id, expiresAt=expires_at)
        return await self._transport.call("POST", f"{tenant_path(tenant_id)}/api-keys", ApiKeyMade, json=body)

    async def rotate(self, tenant_id: str, key_id: str, *, grace_seconds: int = 0) -> ApiKeyMade:
        """Give a key another secret; the old one works for so long yet."""
        path = f"{tenant_path(tenant_id)}/api-keys/{step(key_id)}/rotate"
        return await self._transport.call("POST", path, ApiKeyMade, json={"graceSeconds": grace_seconds})

    async def revoke(self, tenant_id: str, key_id: str) -> None:
        """Revoke a key at once."""
        await self._transport.do("DELETE", f"{tenant_path(tenant_id)}/api-keys/{step(key_id)}")
