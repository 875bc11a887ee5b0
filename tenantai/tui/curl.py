"""The request that a screen makes, as a line for curl; the key stays in the variable where it belongs."""

import json
import shlex
from typing import Any
from urllib.parse import urlencode

API = "/api/v1"


def curl(url: str, method: str, path: str, *, query: dict[str, str] | None = None, body: Any = None) -> str:
    """Return the command that asks the same; `path` is below the API's base path."""
    asked = f"?{urlencode(query)}" if query else ""
    parts = ["curl", "-sS"] + ([] if method == "GET" else ["-X", method])
    line = f'{shlex.join(parts)} -H "x-api-key: $TENANTAI_API_KEY"'
    if body is not None:
        line += f" -H 'content-type: application/json' -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"
    return f"{line} {shlex.quote(f'{url}{API}{path}{asked}')}"
