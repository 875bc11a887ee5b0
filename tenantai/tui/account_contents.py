"""What goes with accounts that are deleted: each kind, with its count where the key may count it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from tenantai.client import Client, ClientError
from tenantai.tui import shown

ACCOUNTS_MAX = 20
COUNTED_MAX = 1000
KINDS = ("chats", "keys", "files", "estimates")


async def told(client: Client | None, tenant_id: str, account_ids: Sequence[str]) -> str:
    """Return the sentence that names it; without a client, and for more accounts than can be asked about at once, by kind only."""
    counts: dict[str, str] = {}
    if client is not None and len(account_ids) <= ACCOUNTS_MAX:
        for kind in KINDS:
            counts[kind] = await _counted(client, kind, tenant_id, account_ids)
    kinds = [
        f"{counts.get(kind) or 'all'} {kind}" if counts.get(kind) != "1" else f"1 {kind.removesuffix('s')}" for kind in KINDS
    ]
    return f"With them go, for good: {', '.join(kinds[:-1])} and {kinds[-1]}, and what answers were made from."


async def _counted(client: Client, kind: str, tenant_id: str, account_ids: Sequence[str]) -> str:
    """Return how many of a kind there are, or nothing where the key may not ask."""
    count = 0
    try:
        for pages in _walks(client, kind, tenant_id, account_ids):
            async with aclosing(pages):
                async for one in pages:
                    count += kind != "keys" or one.account_id in account_ids
                    if count >= COUNTED_MAX:
                        return f"{shown.number(count)} or more"
    except ClientError:
        return ""
    return shown.number(count) if count else "no"


def _walks(client: Client, kind: str, tenant_id: str, account_ids: Sequence[str]) -> list[AsyncGenerator[Any]]:
    if kind == "keys":
        return [client.api_keys.all(tenant_id)]
    if kind == "chats":
        return [client.conversations.all(tenant_id, account_id=one) for one in account_ids]
    if kind == "files":
        return [client.files.all(tenant_id, one) for one in account_ids]
    return [client.estimator.all(tenant_id, account_id=one) for one in account_ids]
