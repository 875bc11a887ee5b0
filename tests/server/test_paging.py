"""Lists in pages: each row once while rows are added, and no cursor but a list's own."""

import inspect
from base64 import urlsafe_b64encode
from urllib.parse import quote

import pytest

from tenantai.server import keys, paging
from tenantai.server.routes import API, ROUTES
from tests.running import Account, Running, Tenant
from tests.server.walk import asset_form, estimated, tool_named

LISTS = (
    "accounts",
    "api keys",
    "tools",
    "account files",
    "assets",
    "store",
    "conversations",
    "estimates",
    "messages",
    "tenants",
    "audit",
    "store audit",
)
MADE_UP = (
    *("abc", "~", "zzz~", "'; DROP TABLE tenants; --", "2026~x~y", "01a00000-0000-7000-8000-000000000000", "===", "A", "é"),
    *("x" * 201, "a\nb", "\0", "AAAAAAAAAAAAAAAA", urlsafe_b64encode(b"\xff" * 40).decode()),
)


async def paths_of(running: Running, tenant: Tenant, conversation_id: str) -> dict[str, tuple[str, str, str]]:
    """Return each list's path, the name of its rows and the key that reads it."""
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    return {
        "accounts": (f"{tenant.path}/accounts", "accounts", tenant.key),
        "account files": (tenant.files, "files", tenant.key),
        "assets": (f"{tenant.path}/assets", "assets", tenant.key),
        "api keys": (f"{tenant.path}/api-keys", "apiKeys", tenant.key),
        "tools": (f"{tenant.path}/tools", "tools", tenant.key),
        "store": (f"{tenant.path}/store", "files", tenant.key),
        "conversations": (f"{API}/chat/history", "conversations", tenant.key),
        "estimates": (f"{API}/estimator/estimates", "estimates", tenant.key),
        "messages": (f"{API}/chat/history/{conversation_id}", "messages", tenant.key),
        "audit": (f"{API}/audit", "logs", tenant.key),
        "store audit": (f"{tenant.path}/store/audit", "logs", tenant.key),
        "tenants": (f"{API}/tenants", "tenants", operator),
    }


async def fill(running: Running, tenant: Tenant) -> str:
    """Give a tenant three of everything that is listed; the id of a conversation with four messages."""
    for number in range(3):
        await running.add_account(tenant, f"Account {number}")
        await running.post_file(tenant, f"file {number}".encode(), f"{number}.txt")
        first = (await running.answer(tenant, f"Question {number}?"))[0]["messageMetadata"]["conversationId"]
        await running.issue(tenant)
        await running.send("POST", f"{tenant.path}/tools", key=tenant.key, json=tool_named(f"tool_{number}"))
        await running.send("POST", f"{tenant.path}/assets", key=tenant.key, **asset_form(f"{number}.txt"))
        await estimated(running, tenant)
        await running.register("Other")
    await running.answer(tenant, "And then?", conversationId=first)
    await running.settled(tenant)
    return str(first)


def test_every_list_is_here() -> None:
    """Each route whose module asks for a page is one of the lists that are tested."""
    asking = {route.handler for route in ROUTES if "page_of" in inspect.getsource(route.handler)}
    assert len(asking) == len(LISTS)


@pytest.mark.parametrize("name", LISTS)
async def test_each_row_once(running: Running, acme: Tenant, name: str) -> None:
    """Page by page every row comes once, in the order of the whole list, also while rows are added."""
    path, rows, key = (await paths_of(running, acme, await fill(running, acme)))[name]
    whole = [row["id"] for row in (await running.send("GET", f"{path}?limit=200", key=key)).data[rows]]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = await running.send("GET", path, key=key, params={"limit": "1", "cursor": cursor})
        seen += [row["id"] for row in reply.data[rows]]
        cursor = reply.data["nextCursor"]
        await running.post_file(acme, f"another {len(seen)}".encode(), "more.txt") if len(seen) == 1 else None
    assert len(whole) >= 3
    assert [row for row in seen if row in whole] == whole
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", LISTS)
async def test_cursors_that_are_none(running: Running, acme: Tenant, globex: Tenant, name: str) -> None:
    """A made-up cursor, a broken one, another list's and another tenant's are refused by name, a bad limit beside it."""
    lists = await paths_of(running, acme, await fill(running, acme))
    theirs = (await paths_of(running, globex, await fill(running, globex)))[name]
    path, _, key = lists[name]
    own = (await running.send("GET", f"{path}?limit=1", key=key)).data["nextCursor"]
    foreign = [
        (await running.send("GET", f"{other}?limit=1", key=other_key)).data["nextCursor"]
        for other, _, other_key in (*(lists[other] for other in LISTS if other != name), *([theirs] if name != "tenants" else []))
    ]
    assert None not in foreign
    for cursor in (*MADE_UP, own[:-1], own + "A", own + "=", own.swapcase(), *foreign):
        reply = await running.send("GET", f"{path}?limit=0&cursor={quote(cursor)}", key=key)
        assert reply.fields == {"cursor", "limit"}, cursor
        assert (await running.send("GET", f"{path}?cursor={quote(cursor)}", key=key)).fields == {"cursor"}


async def test_cursor_with_other_filters(running: Running, acme: Tenant, second: Account) -> None:
    """A cursor is good for the filters it was given with."""
    await fill(running, acme)
    path = f"{API}/chat/history"
    cursor = (await running.send("GET", f"{path}?limit=1&q=Question", key=acme.key)).data["nextCursor"]
    assert (await running.send("GET", f"{path}?q=Question&cursor={cursor}", key=acme.key)).status == 200
    assert (await running.send("GET", f"{path}?cursor={cursor}", key=acme.key)).fields == {"cursor"}
    narrower = f"{path}?q=Question&accountId={second.id}&cursor={cursor}"
    assert (await running.send("GET", narrower, key=acme.key)).fields == {"cursor"}


async def test_forged_cursor(running: Running, acme: Tenant) -> None:
    """A cursor that is computed as ours are, with too few parts, is refused as well."""
    forged = paging.cursor_of(("conversations", acme.id, "", ""), ("2026",))
    assert (await running.send("GET", f"{API}/chat/history?cursor={forged}", key=acme.key)).fields == {"cursor"}


async def test_lists_of_one(running: Running, acme: Tenant, second: Account) -> None:
    """A list that has one row for its key gives no cursor, and takes none."""
    key, _ = await running.issue(acme, account=second)
    cursor = (await running.send("GET", f"{acme.path}/accounts?limit=1", key=acme.key)).data["nextCursor"]
    for path, by in ((f"{acme.path}/accounts", key), (f"{API}/tenants", acme.key)):
        assert (await running.send("GET", path, key=by)).data["nextCursor"] is None
        assert (await running.send("GET", f"{path}?cursor={cursor}", key=by)).fields == {"cursor"}
