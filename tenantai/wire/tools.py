"""Shapes of a tenant's own functions; a signing secret is in the answer that makes it and in no other."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from tenantai.wire.json_schema import Parameters
from tenantai.wire.shapes import WHITESPACE, Body, Record

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
PORT = (
    r"(443|80|102[4-9]|10[3-9][0-9]|1[1-9][0-9]{2}|[2-9][0-9]{3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]"
    r"|6553[0-5])"
)
LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
LAST_LABEL = r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
NAMED_HOST = rf"({LABEL}\.){{0,10}}{LAST_LABEL}"
ENDPOINT_PATTERN = rf"^https?://{LABEL}(\.{LABEL}){{0,10}}(:{PORT})?([/?][!-\x22$-;=?-\[\]_a-z~]*)?$"
ENDPOINT_SCHEMA: dict[str, Any] = {
    "pattern": rf"^https://{NAMED_HOST}(:{PORT})?([/?][!-\x22$-;=?-\[\]_a-z~]*)?$",
    "description": "Where calls go. Public IPv4 addresses are taken too; http and others where the operator allows.",
}
BASE64 = r"([A-Za-z0-9+/]{4}){8,16}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
SECRET_PATTERN = rf"^whsec_{BASE64}$"
DESCRIPTION_PATTERN = rf"^[^\x00-\x08\x0b-\x1f\x7f]*[^\x00-\x1f\x7f{WHITESPACE}][^\x00-\x08\x0b-\x1f\x7f]*$"
TIMEOUT_SECONDS_MAX = 30

NAME_FORM = "must begin with a letter or _, and hold only letters, digits, _ and -, 64 at most"
ENDPOINT_FORM = (
    "must be an address such as https://example.com/path: a name or an IPv4 address, port 443, 80 or above 1023, "
    "no user, no fragment, and no character that an address encodes"
)
SIGNING_FORM = "must be whsec_ and base64 of 24 to 50 bytes"


def _in_form(pattern: str, said: str) -> BeforeValidator:
    """Return what says in words of its own that a text has not the form of a pattern."""
    form = re.compile(pattern)

    def check(value: object) -> object:
        if isinstance(value, str) and not form.search(value):
            raise ValueError(said)
        return value

    return BeforeValidator(check)


ToolName = Annotated[str, StringConstraints(pattern=NAME_PATTERN), _in_form(NAME_PATTERN, NAME_FORM)]
Approval = Literal["auto", "ask"]


class NewTool(Body):
    """POST /tenants/{tenantId}/tools; without a secret one is made."""

    name: ToolName
    description: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=DESCRIPTION_PATTERN)]
    parameters: Parameters
    endpoint: Annotated[
        str,
        StringConstraints(max_length=2000, pattern=ENDPOINT_PATTERN),
        Field(json_schema_extra=ENDPOINT_SCHEMA),
        _in_form(ENDPOINT_PATTERN, ENDPOINT_FORM),
    ]
    signing_secret: Annotated[str, StringConstraints(pattern=SECRET_PATTERN), _in_form(SECRET_PATTERN, SIGNING_FORM)] | None = (
        None
    )
    timeout_seconds: float = Field(default=10, ge=1, le=TIMEOUT_SECONDS_MAX)
    approval: Approval = "auto"


class ToolRecord(Record):
    """A function that chat may call; `approval` is `ask` where a person must say yes to each call."""

    id: str
    tenant_id: str
    name: str
    description: str
    parameters: dict[str, Any]
    endpoint: str
    timeout_seconds: float
    approval: str
    created_at: str
    updated_at: str


class ToolMade(ToolRecord):
    """A function with the secret that signs its calls, shown once."""

    signing_secret: str = Field(alias="signingSecret")

    def json_ready(self) -> dict[str, Any]:
        """Return it as a client reads it."""
        return self.model_dump(mode="json", by_alias=True)
