"""Shapes of accounts."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from tenantai.wire.shapes import Body, Record
from tenantai.wire.tenants import Email, Name

Role = Literal["admin", "member", "viewer"]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewAccount(Body):
    """POST /tenants/{tenantId}/accounts."""

    name: Name
    role: Role
    email: Email | None = None
    external_id: ExternalId | None = None


class AccountChange(Body):
    """PUT or PATCH /tenants/{tenantId}/accounts/{accountId}: what is sent changes; null clears an e-mail or external id."""

    name: Name | None = None
    role: Role | None = None
    email: Email | None = None
    external_id: ExternalId | None = None


class AccountRecord(Record):
    """An account."""

    id: str
    tenant_id: str
    name: str
    email: str | None
    role: str
    external_id: str | None
    created_at: str
    updated_at: str
