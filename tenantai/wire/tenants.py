"""Shapes of registration and tenants."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from tenantai.wire.shapes import WHITESPACE, Body, Computed, Record

DELETE = 0x7F


def _email(value: str) -> str:
    """Check the shape of an e-mail address; that it exists only a letter to it can prove."""
    local, at, domain = value.strip().rpartition("@")
    if not at or not local or "." not in domain.strip(".") or any(c.isspace() for c in value.strip()):
        raise ValueError("is not an e-mail address")
    return f"{local}@{domain.lower()}"


def _printable(value: str) -> str:
    """Refuse control characters, which some databases cannot keep and terminals would obey."""
    if any(ord(c) < ord(" ") or ord(c) == DELETE for c in value):
        raise ValueError("holds control characters")
    return value


UNSEEN = rf"\x00-\x1f\x7f{WHITESPACE}"
EMAIL_PATTERN = rf"^ *[^@{UNSEEN}]+@[^@.{UNSEEN}]+(\.[^@.{UNSEEN}]+)+ *$"
NAME_PATTERN = rf"^[^\x00-\x1f\x7f]*[^{UNSEEN}][^\x00-\x1f\x7f]*$"

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
    Field(json_schema_extra={"pattern": NAME_PATTERN}),
]
Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_printable),
    AfterValidator(_email),
    Field(json_schema_extra={"pattern": EMAIL_PATTERN}),
]
PlanName = Literal["free", "pro", "enterprise"]


class Registration(Body):
    """POST /register."""

    email: Email
    organization_name: Name


class Registered(Computed):
    """The new tenant and its first key, shown once."""

    api_key: str
    tenant_id: str
    scopes: list[str]


class NewTenant(Body):
    """POST /tenants."""

    name: Name
    email: Email
    plan: PlanName = "pro"


AtLeastOne = Annotated[int, Field(ge=1, le=10**15)]


class TenantLimits(Body):
    """A tenant's own limits; those that are left out are its plan's."""

    requests_per_minute: AtLeastOne | None = None
    requests_per_hour: AtLeastOne | None = None
    requests_per_day: AtLeastOne | None = None
    requests_per_month: AtLeastOne | None = None
    tokens_per_month: Annotated[int, Field(ge=0, le=10**15)] | None = None
    streams: AtLeastOne | None = None
    stream_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    storage_bytes: Annotated[int, Field(ge=0, le=10**18)] | None = None


class TenantChange(Body):
    """PATCH /tenants/{tenantId}: what is sent is changed; `limits` replaces all of the tenant's own, and null ends them."""

    name: Name | None = None
    plan: PlanName | None = None
    limits: TenantLimits | None = None


class TenantRecord(Record):
    """A tenant."""

    id: str
    name: str
    email: str
    plan: str
    limits: dict[str, int] | None
    created_at: str
    updated_at: str


class TenantCreated(TenantRecord):
    """A tenant that the operator made, with its first key, shown once."""

    api_key: str = Field(alias="apiKey")
    scopes: list[str]

    def json_ready(self) -> dict[str, Any]:
        """Return it as a client reads it."""
        return self.model_dump(mode="json", by_alias=True)
