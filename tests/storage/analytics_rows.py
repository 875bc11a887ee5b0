"""Rows of usage and of the audit log, for tests of analytics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tenantai.storage.analytics_tables import USAGE, Log

MODELS = (None, "gemini-2.5-flash", "gemini-2.5-pro")
ENDPOINTS = ("GET /api/v1/tenants/{tenant_id}", "POST /api/v1/chat", "GET /api/v1/usage")
STATUSES = (200, 201, 404, 429)


def event(number: int, *, created_at: str, tenant_id: str = "t0", **given: Any) -> dict[str, Any]:
    """Return an event that differs with its number."""
    return {
        "number": number,
        "tenant_id": tenant_id,
        "created_at": created_at,
        "endpoint": ENDPOINTS[number % 3],
        "key_id": f"key-{number % 4}",
        "account_id": "account" if number % 5 == 0 else None,
        "model": MODELS[number % 7 % 3],
        "status": STATUSES[number % 11 % 4],
        "requests": number % 3,
        "refused": number % 2,
        "input_tokens": number * 3,
        "output_tokens": number,
        **given,
    }


def row(log: Log, fields: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return fields as the feed reads them."""
    return tuple(fields[name] for name in log.columns)


def added_up(events: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return what a model of the hours says: the sums by tenant, hour and all groups."""
    sums: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for each in events:
        groups = (each["endpoint"], each["key_id"], each["account_id"], each["model"], each["status"])
        key = (each["tenant_id"], each["created_at"][:13], *groups)
        counts = tuple(each[name] for name in USAGE.summed)
        sums[key] = tuple(map(sum, zip(sums.get(key, (0, 0, 0, 0)), counts, strict=True)))
    return sums


def hours(rows: Sequence[Sequence[Any]]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Return the hours' rows, added up, in the model's shape."""
    sums: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for tenant_id, begins, *rest in rows:
        key = (tenant_id, begins.isoformat()[:13], *rest[:5])
        sums[key] = tuple(map(sum, zip(sums.get(key, (0, 0, 0, 0)), rest[5:], strict=True)))
    return sums
