"""Between JSON and types: what is sent holds only what was given, what comes is checked."""

import json
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from tenantai.client.errors import not_ours

Shape = TypeVar("Shape", bound=BaseModel)


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object; raises ClientError where the text is none."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise not_ours()
    return value


def shaped(shape: type[Shape], value: Any) -> Shape:
    """Return a value as its type; raises ClientError where it is not."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise not_ours() from error


def present(**given: Any) -> dict[str, Any]:
    """Return what is not None."""
    return {name: value for name, value in given.items() if value is not None}


def tenant_path(tenant_id: str) -> str:
    """Return where a tenant is."""
    return f"/tenants/{step(tenant_id)}"


def account_path(tenant_id: str, account_id: str) -> str:
    """Return where an account is."""
    return f"{tenant_path(tenant_id)}/accounts/{step(account_id)}"


def step(name: str) -> str:
    """Return an id as one step of a path."""
    return quote(name, safe="")
