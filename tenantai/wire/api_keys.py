"""Shapes of API keys; a secret is in the answer that makes it and in no other."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from tenantai.wire.audit import moment
from tenantai.wire.files import Identifier
from tenantai.wire.shapes import Body, Computed, Record
from tenantai.wire.tenants import Name

GRACE_SECONDS_MAX = 604_800

Scope = Literal[
    "tenant:read",
    "tenant:write",
    "chat:create",
    "chat:read",
    "chat:delete",
    "estimator:analyze",
    "store:read",
    "store:write",
    "file:upload",
    "file:read",
    "file:delete",
    "account:read",
    "account:write",
    "key:read",
    "key:write",
    "usage:read",
    "audit:read",
    "asset-auth:write",
]
Expiry = Annotated[str, AfterValidator(moment), Field(json_schema_extra={"anyOf": [{"format": "date-time"}, {"format": "date"}]})]


class WhoAmI(Computed):
    """The key that asks: whose it is, and what it may do; for the operator's key no tenant."""

    key_id: str
    tenant_id: str | None
    account_id: str | None
    is_operator: bool
    scopes: list[str]
    plan: str | None


class NewApiKey(Body):
    """POST /tenants/{tenantId}/api-keys; without scopes, the maker's own but `key:*`."""

    name: Name
    scopes: list[Scope] | None = Field(default=None, min_length=1, max_length=50)
    account_id: Identifier | None = None
    expires_at: Expiry | None = None


class Rotation(Body):
    """POST /tenants/{tenantId}/api-keys/{keyId}/rotate: how long the old secret goes on working."""

    grace_seconds: int = Field(default=0, ge=0, le=GRACE_SECONDS_MAX)


class ApiKeyRecord(Record):
    """A key, as people tell it apart: never its secret."""

    id: str
    tenant_id: str
    account_id: str | None
    name: str
    scopes: list[str]
    first_characters: str
    last_characters: str
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    revoked_at: str | None


class ApiKeyMade(ApiKeyRecord):
    """A key with its secret, shown once; after a rotation, until when the old one works (null: it does no more)."""

    api_key: str = Field(alias="apiKey")
    previous_works_until: str | None = None

    def json_ready(self) -> dict[str, Any]:
        """Return it as a client reads it."""
        return self.model_dump(mode="json", by_alias=True)
