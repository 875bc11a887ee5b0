"""Nobody reaches another tenant's things by any route, and no route without a key but those for anyone."""

from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa

from tenantai.errors import Unauthorized
from tenantai.identifiers import timestamp
from tenantai.server import keys
from tenantai.server.routes import API, TENANT
from tenantai.server.services.credentials import ALPHABET, TENANT_SCOPES, new_secret
from tenantai.storage.database import Row, Transaction, compiled
from tenantai.storage.schema import metadata
from tests.running import Reply, Running, Tenant, raw
from tests.server.walk import CASES, ROUTES_SERVED, SECRET_WORDS, Case, World, build_world

PUBLIC = {
    *(("GET", f"{API}/{name}") for name in ("health", "ready", "openapi.json", "docs", "docs/{name}")),
    ("GET", "/metrics"),
    ("POST", f"{API}/register"),
    ("POST", f"{TENANT}/asset-auth/login"),
}
BELOW_A_TENANT = {"{account_id}", "{file_id}", "{tool_id}", "{asset_id}"}
NAMES_NO_TENANT = {("GET", f"{API}/tenants"), ("GET", f"{API}/whoami")}


@pytest.fixture
async def world(running: Running, acme: Tenant) -> World:
    """A tenant with one of everything."""
    return await build_world(running, acme)


async def ask_as(running: Running, world: World, route: tuple[str, str], key: str | None) -> Reply:
    """Send a route's request about the world's things with any key."""
    case = CASES[route]
    return await running.send(route[0], world.filled(route[1]) + case.query(world), key=key, **case.given(world))


async def everything(running: Running) -> dict[str, list[Row]]:
    """Return every row of every table, but the audit log, where refusals are written, and usage, which is recorded meanwhile."""
    return {
        table.name: sorted(await running.rows(str(sa.select(sa.text("*")).select_from(table))), key=str)
        for table in metadata.sorted_tables
        if not table.name.startswith(("audit_", "usage_"))
    }


def test_every_route_is_public_or_walked() -> None:
    """A new route is either for anyone, and listed as such, or in the walk."""
    public = {route for route, handler in ROUTES_SERVED.items() if getattr(handler, "is_public", False)}
    assert public == PUBLIC
    assert set(CASES) == set(ROUTES_SERVED) - public


@pytest.mark.parametrize("route", CASES, ids=" ".join)
async def test_another_tenant_gets_nothing(running: Running, world: World, globex: Tenant, route: tuple[str, str]) -> None:
    """Another tenant's key with this tenant's ids is refused, reads none of its data and changes nothing."""
    before = await everything(running)
    reply = await ask_as(running, world, route, globex.key)
    if route in NAMES_NO_TENANT:
        told = reply.data.get("tenants", [{"id": reply.data.get("tenantId")}])
        assert [tenant["id"] for tenant in told] == [globex.id]
    else:
        assert reply.status in {403, 404}
        assert reply.error["code"] in {"FORBIDDEN", "NOT_FOUND"}
    for hidden in (SECRET_WORDS, "secret.txt", "Acme", "acme1@example.com"):
        assert hidden not in reply.text
    assert await everything(running) == before
    assert running.app[keys.STREAM_SLOTS].used(world.tenant.id) == 0


@pytest.mark.parametrize(
    "route", [r for r in CASES if {"{account_id}", "{file_id}", "{tool_id}", "{asset_id}"} & set(r[1].split("/"))], ids=" ".join
)
async def test_own_tenant_with_anothers_ids(running: Running, world: World, globex: Tenant, route: tuple[str, str]) -> None:
    """Another tenant's account and file do not exist below one's own tenant."""
    before = await everything(running)
    path = world.filled(route[1].replace("{tenant_id}", globex.id))
    reply = await running.send(route[0], path, key=globex.key, **CASES[route].given(world))
    assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND")
    assert await everything(running) == before


async def test_others_ids_in_bodies(running: Running, world: World, globex: Tenant) -> None:
    """Ids in a body are looked for in one's own tenant only."""
    before = await everything(running)
    for more in (
        {"conversationId": world.conversation_id},
        {"accountId": world.tenant.account.id},
        {"files": [world.file_id]},
    ):
        assert (await running.ask(globex, "vault?", **more)).status == 404
    results = await running.act(globex, "delete", world.file_id)
    assert [(result["ok"], result["fileId"]) for result in results] == [(False, world.file_id)]
    assert await running.search(globex, "amaranth vault", accountId=world.tenant.account.id) == []
    assert {**await everything(running), "stores": before["stores"]} == before


async def _no_key(running: Running, tenant: Tenant) -> str | None:
    return None


async def _unknown(running: Running, tenant: Tenant) -> str:
    return new_secret()


async def _malformed(running: Running, tenant: Tenant) -> str:
    return tenant.key[:-1] + ALPHABET[(ALPHABET.index(tenant.key[-1]) + 1) % 62]


async def _revoked(running: Running, tenant: Tenant) -> str:
    secret, key_id = await running.issue(tenant)
    await running.revoke(tenant, key_id)
    return secret


async def _expired(running: Running, tenant: Tenant) -> str:
    secret, key_id = await running.issue(tenant)

    async def unit(transaction: Transaction) -> None:
        expire = compiled("UPDATE api_keys SET expires_at = :moment WHERE id = :id")
        await transaction.run(expire, moment=timestamp(), id=key_id)

    await running.app[keys.DATABASE].write(unit)
    return secret


Maker = Callable[[Running, Tenant], Awaitable[str | None]]


@pytest.mark.parametrize("make", [_no_key, _unknown, _malformed, _revoked, _expired])
async def test_without_a_live_key(running: Running, world: World, make: Maker) -> None:
    """Every route but the public ones answers 401 with one and the same sentence, whatever is wrong with the key."""
    key = await make(running, world.tenant)
    before = await everything(running)
    for route in CASES:
        reply = await ask_as(running, world, route, key)
        assert (reply.status, reply.error["code"]) == (401, "UNAUTHORIZED"), route
        assert reply.error["message"] == Unauthorized.sentence
    assert await everything(running) == before


async def test_scopes(running: Running, world: World) -> None:
    """A key with every scope but a route's own is refused by it with a sentence that names the scope."""
    before = await everything(running)
    issued = set()
    for route, case in CASES.items():
        key, key_id = await running.issue(world.tenant, scopes=[scope for scope in TENANT_SCOPES if scope != case.scope])
        issued.add(key_id)
        reply = await ask_as(running, world, route, key)
        assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN"), route
        assert case.scope in reply.error["message"]
    after = await everything(running)
    after["api_keys"] = [row for row in after["api_keys"] if row[0] not in issued]
    assert after == before


@pytest.mark.parametrize(("route", "case"), CASES.items(), ids=[" ".join(route) for route in CASES])
async def test_own_scope_suffices(running: Running, world: World, route: tuple[str, str], case: Case) -> None:
    """A key with a route's own scope alone is let in, but for what is the operator's."""
    key, _ = await running.issue(world.tenant, scopes=[case.scope])
    reply = await ask_as(running, world, route, key)
    assert reply.status < 300 or (route[1].endswith("/sync") and reply.status == 409), reply.text


async def test_operator_names_any_tenant(running: Running, world: World) -> None:
    """The operator's key reads any tenant, makes tenants and changes plans; a tenant's own key changes no plan."""
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    page = await running.send("GET", f"{API}/tenants?limit=1", key=operator)
    assert len(page.data["tenants"]) == 1
    for path, change in ((world.tenant.path, {"plan": "free"}),):
        assert (await running.send("PATCH", path, key=world.tenant.key, json=change)).status == 403
        assert (await running.send("PATCH", path, key=operator, json=change)).data["plan"] == "free"
    made = await running.send("POST", f"{API}/tenants", key=operator, json={"name": "New", "email": "new@example.com"})
    assert (await running.send("GET", f"{API}/tenants/{made.data['id']}", key=made.data["apiKey"])).status == 200
    assert (await running.ask(world.tenant, "vault?", key=operator)).status == 200


async def test_operator_names_no_tenant_that_is_not(running: Running) -> None:
    """The operator's key with a tenant that does not exist gets 404, also in chat."""
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    nowhere = "01a00000-0000-7000-8000-000000000000"
    reply = await running.send("POST", f"{API}/chat", key=operator, json={"tenantId": nowhere, "message": "hello"})
    assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND")
    assert (await running.send("GET", f"{API}/tenants/{nowhere}", key=operator)).status == 404
    assert (
        await running.send("POST", f"{API}/tenants/{nowhere}/accounts", key=operator, json={"name": "x", "role": "admin"})
    ).status == 404
    assert (await running.send("GET", f"{API}/chat/history", key=operator)).fields == {"tenantId"}


@pytest.mark.parametrize("route", [route for route in ROUTES_SERVED if route[0] == "GET"], ids=" ".join)
async def test_head_has_no_body(running: Running, world: World, route: tuple[str, str]) -> None:
    """HEAD is answered with a head alone, or refused: what follows on the connection would be read as the next answer."""
    for query in ("", "?format=csv"):
        head = f"HEAD {world.filled(route[1]).replace('{name}', 'start.js')}{query} HTTP/1.1\r\nHost: localhost\r\n"
        more = f"x-api-key: {world.tenant.key}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
        answer = await raw(running, (head + more).encode())
        assert answer.partition(b"\r\n\r\n")[2] == b"", route
