"""What is in the audit log: one entry for each change and each refusal, and none without."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tenantai.server import keys
from tenantai.server.routes import ACCOUNT, API, ESTIMATE, ROUTES, TENANT
from tenantai.server.services import refusals
from tenantai.server.services.audit_proof import prove
from tenantai.server.services.credentials import OPERATOR_SCOPE, TENANT_SCOPES
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import audit
from tenantai.storage.audit import OPERATOR_CHAIN, Entry
from tests.gated_embedding import GatedEmbedding
from tests.running import Reply, Running, Tenant, serving
from tests.server.walk import CASES, PASSWORD, SECRET_WORDS, World, build_world, tool_named

COLUMNS = ", ".join(Entry.__slots__)


async def entries(running: Running, chain: str) -> list[Entry]:
    """Return a chain's entries, oldest first."""
    rows = await running.rows(f"SELECT {COLUMNS} FROM audit_entries WHERE tenant_id = :chain ORDER BY sequence", chain=chain)
    return [
        Entry(*(json.loads(value) if name == "details" else value for name, value in zip(Entry.__slots__, row, strict=True)))
        for row in rows
    ]


def operator_key(running: Running) -> str:
    """Return the operator's key."""
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


@dataclass(frozen=True)
class Change:
    """A request that changes something, what its entries say, and the same request where there is nothing left to change."""

    events: tuple[str, ...]
    json: Callable[[World], Any] = lambda _world: None
    again: tuple[str, ...] = ()


def action(name: str) -> Callable[[World], Any]:
    """Return the body of an action on the world's file."""
    return lambda world: {"action": name, "fileIds": [world.file_id]}


ACTIONS = ("POST", f"{TENANT}/store/files/actions")
CHANGES: list[tuple[tuple[str, str], Change]] = [
    (("PATCH", TENANT), Change(("tenant.updated",), lambda _: {"name": "Renamed"})),
    (
        ("POST", f"{TENANT}/accounts"),
        Change(("account.created",), lambda _: {"name": "New", "role": "viewer", "externalId": "1"}),
    ),
    (("PUT", ACCOUNT), Change(("account.updated",), lambda _: {"role": "viewer", "email": "a@b.org"})),
    (("PATCH", ACCOUNT), Change(("account.updated",), lambda _: {"name": "Other"})),
    (("DELETE", ACCOUNT), Change(("account.deleted",))),
    (
        ("POST", f"{TENANT}/api-keys"),
        Change(("key.created",), lambda _: {"name": "New", "scopes": ["chat:read"]}, ("key.created",)),
    ),
    (("POST", f"{TENANT}/api-keys/{{key_id}}/rotate"), Change(("key.rotated",), lambda _: {}, ("key.rotated",))),
    (("DELETE", f"{TENANT}/api-keys/{{key_id}}"), Change(("key.revoked",))),
    (("POST", f"{TENANT}/tools"), Change(("tool.created",), lambda _: tool_named("close_vault"))),
    (("DELETE", f"{TENANT}/tools/{{tool_id}}"), Change(("tool.deleted",))),
    (("DELETE", f"{ACCOUNT}/files/{{file_id}}"), Change(("file.deleted",))),
    (("DELETE", f"{TENANT}/assets/{{asset_id}}"), Change(("asset.deleted",))),
    (("POST", f"{TENANT}/asset-auth/password"), Change(("password.set",), lambda _: PASSWORD, ("password.changed",))),
    (("PUT", f"{TENANT}/asset-auth/password"), Change(("password.set",), lambda _: PASSWORD, ("password.changed",))),
    (("PATCH", f"{TENANT}/store"), Change(("store.updated",), lambda _: {"retrieval": {"topK": 3}})),
    (ACTIONS, Change(("file.excluded",), action("exclude"))),
    (ACTIONS, Change(("file.requeued", "file.indexed"), action("resync"), ("file.requeued", "file.indexed"))),
    (ACTIONS, Change(("file.deleted",), action("delete"))),
    (
        ("PATCH", ESTIMATE),
        Change(("estimate.edited",), lambda _: {"version": 1, "items": [{"id": "0-0", "quantity": 2}]}),
    ),
    (("POST", f"{ESTIMATE}/approve"), Change(("estimate.approved",))),
    (("DELETE", ESTIMATE), Change(("estimate.deleted",))),
    (("DELETE", f"{API}/chat/history/{{chat_id}}"), Change(("conversation.deleted",))),
]
CHANGES_NOTHING = {
    ("POST", f"{API}/chat"),
    ("POST", f"{API}/estimator/analyze"),
    ("POST", f"{TENANT}/store/search"),
    ("POST", f"{API}/analytics/query"),
    ("POST", f"{TENANT}/store/refresh"),
}
HAS_ITS_OWN_TEST = {
    ("POST", f"{API}/register"),
    ("POST", f"{API}/tenants"),
    ("DELETE", TENANT),
    ("POST", f"{ACCOUNT}/files"),
    ("POST", f"{TENANT}/assets"),
    ("POST", f"{TENANT}/asset-auth/login"),
    ("POST", f"{TENANT}/store/sync"),
    ("DELETE", f"{TENANT}/store/sync"),
}


@pytest.fixture
async def world(running: Running, acme: Tenant) -> World:
    """A tenant with one of everything."""
    return await build_world(running, acme)


def test_every_changing_route_is_held_against_the_log() -> None:
    """A new route that may change something joins the walk below, or is said to change nothing."""
    changing = {(route.method, route.path) for route in ROUTES if route.method not in {"GET", "HEAD"}}
    walked = {route for route, _ in CHANGES}
    assert changing == walked | CHANGES_NOTHING | HAS_ITS_OWN_TEST


async def change(running: Running, world: World, route: tuple[str, str], case: Change) -> list[Entry]:
    """Send a changing request and wait for what it sets off; the entries that were added."""
    before = len(await entries(running, world.tenant.id))
    headers = {"X-Request-Id": "change-1"}
    body = {"json": case.json(world)} if case.json(world) is not None else {}
    await running.send(route[0], world.filled(route[1]), key=world.tenant.key, headers=headers, **body)
    await running.settled(world.tenant)
    return (await entries(running, world.tenant.id))[before:]


@pytest.mark.parametrize(("route", "case"), CHANGES, ids=[f"{' '.join(route)} {case.events[0]}" for route, case in CHANGES])
async def test_a_change_is_one_entry(running: Running, world: World, route: tuple[str, str], case: Change) -> None:
    """A change has one entry with its key, address and request; the same request again, which changes nothing, has none."""
    added = await change(running, world, route, case)
    assert tuple(entry.event_type for entry in added) == case.events
    first_key = "SELECT min(id) FROM api_keys WHERE tenant_id = :t"
    key_id = (await running.rows(first_key, t=world.tenant.id))[0][0]
    first = added[0]
    assert (first.actor, first.key_id, first.address, first.request_id) == (f"key:{key_id}", key_id, "127.0.0.1", "change-1")
    assert first.subject_id
    assert all(entry.actor == "system" for entry in added[1:])
    assert first.details.keys() & {"before", "after"} or first.event_type.startswith("password.")
    told = json.dumps([dict(entry.details) for entry in await entries(running, world.tenant.id)])
    assert SECRET_WORDS not in told
    assert "How does the vault open" not in told
    assert "sk_live" not in told
    again = await change(running, world, route, case)
    assert tuple(entry.event_type for entry in again) == case.again


@pytest.mark.parametrize("route", sorted(CHANGES_NOTHING), ids=" ".join)
async def test_what_changes_nothing_has_no_entry(running: Running, world: World, route: tuple[str, str]) -> None:
    """A chat turn, a search and a look at the vault add nothing to the log."""
    before = await entries(running, world.tenant.id)
    given = (
        {"json": {"tenantId": world.tenant.id, "message": "vault?"}} if route[1].endswith("chat") else CASES[route].given(world)
    )
    assert (await running.send(route[0], world.filled(route[1]), key=world.tenant.key, **given)).status == 200
    assert await entries(running, world.tenant.id) == before


async def test_reading_has_no_entry(running: Running, world: World) -> None:
    """No GET that a key may make adds anything to the log."""
    before = await entries(running, world.tenant.id)
    operators = {route for route, case in CASES.items() if case.scope == OPERATOR_SCOPE}
    for route in ROUTES:
        if route.method == "GET" and (route.method, route.path) not in operators:
            await running.send("GET", world.filled(route.path), key=world.tenant.key)
    assert await entries(running, world.tenant.id) == before


async def test_tenants_come_into_being(running: Running) -> None:
    """A registration is anyone's, a tenant that the operator makes the operator's; each begins its tenant's chain."""
    body = {"email": "a@example.com", "organizationName": "A"}
    own = (await running.send("POST", f"{API}/register", json=body)).data
    assert (await running.send("POST", f"{API}/register", json=body)).status == 409
    new = {"name": "B", "email": "b@example.com", "plan": "free"}
    made = (await running.send("POST", f"{API}/tenants", key=operator_key(running), json=new)).data
    for tenant_id, actor, plan in ((own["tenantId"], "anyone", "pro"), (made["id"], "operator", "free")):
        (entry,) = await entries(running, tenant_id)
        assert (entry.event_type, entry.actor, entry.subject_id, entry.sequence) == ("tenant.created", actor, tenant_id, 1)
        assert entry.details["after"]["plan"] == plan
    assert len(await running.rows("SELECT id FROM audit_entries")) == 2


async def test_uploads(running: Running, acme: Tenant) -> None:
    """A file that is taken in has an entry, and one when it is indexed or fails; the same bytes again only if queued again."""
    await running.upload(acme, "The lamp is green.", "green.txt")
    await running.upload(acme, "The lamp is green.", "green.txt")
    await running.post_file(acme, b"\x00\x01\x02", "odd.bin")
    await running.settled(acme)
    await running.post_file(acme, b"\x00\x01\x02", "odd.bin")
    await running.settled(acme)
    found = [(entry.event_type, entry.details["name"], entry.account_id) for entry in (await entries(running, acme.id))[2:]]
    names = [("file.uploaded", "green.txt"), ("file.indexed", "green.txt")]
    names += [("file.uploaded", "odd.bin"), ("file.failed", "odd.bin"), ("file.requeued", "odd.bin"), ("file.failed", "odd.bin")]
    assert found == [(event, name, acme.account.id) for event, name in names]


async def test_cancelling(settings: Settings, brisk: None) -> None:
    """A cancelled operation has one entry; where there is none to cancel, none."""
    gated = GatedEmbedding()
    async with serving(settings, embedding=gated) as running:
        acme = await running.register("Acme")
        await running.post_file(acme, b"The lamp is green.", "green.txt")
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)).status == 200
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)).status == 409
        gated.gate.set()
        *_, last = await entries(running, acme.id)
        assert (last.event_type, last.details["after"], last.details["files_cancelled"]) == (
            "sync.cancelled",
            {"status": "cancelled"},
            1,
        )


async def refused(running: Running, tenant: Tenant, *, key: str | None = None, times: int = 1) -> Reply:
    """Ask for what the key may not have."""
    for _ in range(times):
        reply = await running.send("POST", f"{tenant.path}/accounts", key=key or tenant.key, json={"name": "x", "role": "admin"})
    return reply


async def test_refusals(running: Running, acme: Tenant, globex: Tenant) -> None:
    """A refusal is in the chain of the refused key's tenant, with the route and what was lacking, and nowhere else."""
    before = len(await entries(running, acme.id))
    key, key_id = await running.issue(globex, scopes=[scope for scope in TENANT_SCOPES if scope != "account:write"])
    assert (await refused(running, globex, key=key)).status == 403
    assert (await refused(running, acme, key=globex.key)).status == 403
    first, second = (await entries(running, globex.id))[2:]
    assert (first.event_type, first.actor, first.key_id) == ("access.refused", f"key:{key_id}", key_id)
    assert first.details["route"] == f"POST {TENANT}/accounts"
    assert "account:write" in first.details["reason"]
    assert acme.id not in json.dumps(dict(second.details))
    assert len(await entries(running, acme.id)) == before


async def test_each_refusal_has_its_own_entry(running: Running, acme: Tenant) -> None:
    """However often a key is refused the same, each time has an entry with key, address and request, before the answer."""
    key, key_id = await running.issue(acme, scopes=["chat:read"])
    before = len(await entries(running, acme.id))
    body = {"json": {"name": "x", "role": "admin"}}

    async def ask(number: int) -> int:
        headers = {"X-Request-Id": f"refused-{number}"}
        return (await running.send("POST", f"{acme.path}/accounts", key=key, headers=headers, **body)).status

    assert set(await asyncio.gather(*(ask(number) for number in range(50)))) == {403}
    added = (await entries(running, acme.id))[before:]
    assert {entry.request_id for entry in added} == {f"refused-{number}" for number in range(50)}
    assert {(entry.event_type, entry.actor, entry.key_id, entry.address) for entry in added} == {
        ("access.refused", f"key:{key_id}", key_id, "127.0.0.1")
    }
    assert (await prove(running.app[keys.DATABASE], acme.id)).broken is None


async def test_refusals_end_at_the_limit(settings: Settings) -> None:
    """A refused request counts against the tenant's limits, which come first: a flood adds no more entries than these allow."""
    plans = Plans(pro=Plan(requests_per_minute=12))
    async with serving(settings.model_copy(update={"plans": plans})) as running:
        acme = await running.register("Acme")
        key, _ = await running.issue(acme, scopes=["chat:read"])
        replies = [await refused(running, acme, key=key) for _ in range(30)]
        assert [reply.status for reply in replies] == [403] * 11 + [429] * 19
        found = [entry.event_type for entry in await entries(running, acme.id)]
        assert found.count("access.refused") == 11


@pytest.mark.parametrize("route", CASES, ids=" ".join)
async def test_every_route_notes_its_refusals(running: Running, world: World, globex: Tenant, route: tuple[str, str]) -> None:
    """Each route's refusal, for a scope or for another tenant, is an entry of that request in the refused key's own chain."""
    lacking, lacking_id = await running.issue(world.tenant, scopes=[s for s in TENANT_SCOPES if s != CASES[route].scope])
    (globex_id,) = await running.rows("SELECT min(id) FROM api_keys WHERE tenant_id = :t", t=globex.id)
    for key, key_id, chain in ((lacking, lacking_id, world.tenant.id), (globex.key, globex_id[0], globex.id)):
        before = len(await entries(running, chain))
        path = world.filled(route[1]) + CASES[route].query(world)
        reply = await running.send(route[0], path, key=key, headers={"X-Request-Id": "refused-1"}, **CASES[route].given(world))
        added = [entry for entry in (await entries(running, chain))[before:] if entry.event_type == "access.refused"]
        told = [(entry.actor, entry.key_id, entry.address, entry.request_id, entry.details["route"]) for entry in added]
        assert told == [(f"key:{key_id}", key_id, "127.0.0.1", "refused-1", " ".join(route))] * (reply.status == 403), reply.text
    assert (await prove(running.app[keys.DATABASE], world.tenant.id)).broken is None


async def test_session_and_operator_are_refused(running: Running, acme: Tenant) -> None:
    """A session's refusal is in its tenant's chain under its own name, the operator's in the operator's."""
    await running.send("POST", f"{acme.path}/asset-auth/password", key=acme.key, json=PASSWORD)
    login = {"password": PASSWORD["newPassword"]}
    session = (await running.send("POST", f"{acme.path}/asset-auth/login", json=login)).data
    headers = {"x-asset-session": session["sessionToken"], "X-Request-Id": "refused-2"}
    assert (await running.send("GET", acme.path, headers=headers)).status == 403
    *_, last = await entries(running, acme.id)
    assert (last.event_type, last.actor, last.request_id, last.address) == (
        "access.refused",
        "asset-session",
        "refused-2",
        "127.0.0.1",
    )
    assert await entries(running, OPERATOR_CHAIN) == []


async def test_refusals_while_the_disk_is_full(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal that can't be written gives nothing and is told to come again; who has no key is counted until it can."""
    key, _ = await running.issue(acme, scopes=["chat:read"])
    record = audit.record

    async def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("tenantai.storage.audit.record", full)
    reply = await refused(running, acme, key=key)
    assert (reply.status, reply.error["code"]) == (503, "NOT_READY")
    assert reply.headers["Retry-After"]
    assert (await running.send("GET", acme.path)).status == 401
    await running.app[keys.REFUSALS].flush()
    monkeypatch.setattr("tenantai.storage.audit.record", record)
    assert (await refused(running, acme, key=key)).status == 403
    await running.app[keys.REFUSALS].flush()
    (counted,) = await entries(running, OPERATOR_CHAIN)
    assert dict(counted.details) == {"count": 1}


async def test_without_a_key(running: Running, acme: Tenant) -> None:
    """Requests without a valid key are one count an address and minute in the operator's chain, and nothing by themselves."""
    before = await entries(running, acme.id)
    for key in (None, "sk_live_nonsense", acme.key[:-1] + "_"):
        assert (await running.send("GET", acme.path, key=key)).status == 401
    await running.send("GET", f"{API}/health")
    assert await entries(running, OPERATOR_CHAIN) == []
    await running.app[keys.REFUSALS].flush()
    (entry,) = await entries(running, OPERATOR_CHAIN)
    assert (entry.event_type, entry.actor, entry.address) == ("access.unauthenticated", "anyone", "127.0.0.1")
    assert dict(entry.details) == {"count": 3}
    assert await entries(running, acme.id) == before


async def test_many_addresses_without_a_key(running: Running) -> None:
    """Any number of addresses makes a few entries, which count every request."""
    noted = running.app[keys.REFUSALS]
    for number in range(3000):
        noted.note_unauthenticated(f"2001:db8::{number:x}")
    await noted.flush()
    found = await entries(running, OPERATOR_CHAIN)
    assert len(found) == refusals.ADDRESSES_SHOWN + 1
    assert sum(entry.details["count"] for entry in found) == 3000


async def test_refusals_are_counted_at_shutdown(settings: Settings) -> None:
    """What was counted is written when the server stops."""
    async with serving(settings) as running:
        await running.send("GET", f"{API}/tenants")
    async with serving(settings) as running:
        assert len(await entries(running, OPERATOR_CHAIN)) == 1


async def test_refused_while_the_tenant_goes(running: Running, acme: Tenant) -> None:
    """A refusal of a key whose tenant is gone by then begins no chain."""
    key, _ = await running.issue(acme, scopes=["chat:read"])
    await running.send("GET", acme.path, key=key)
    noted, before = running.app[keys.REFUSALS], await running.rows("SELECT * FROM audit_chains")
    await noted.note("01a00000-0000-7000-8000-000000000000", actor=running_actor(), route="GET x", reason="gone")
    assert await running.rows("SELECT * FROM audit_chains") == before


def running_actor() -> Any:
    """Return an actor."""
    from tenantai.storage.audit import Actor

    return Actor("key:x")


@pytest.mark.parametrize(
    ("trusted", "header", "expected"),
    [
        ("", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.0/8, 10.0.0.0/8", "203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("192.0.2.1", "203.0.113.7", "127.0.0.1"),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
    ],
)
async def test_addresses_behind_proxies(settings: Settings, trusted: str, header: str, expected: str) -> None:
    """The address is the last that no trusted proxy has; without trusted proxies the header means nothing."""
    settings = settings.model_copy(update={"trusted_proxies": Settings(trusted_proxies=trusted).trusted_proxies})  # type: ignore[arg-type]
    async with serving(settings) as running:
        body = {"email": "a@example.com", "organizationName": "A"}
        headers = {"X-Forwarded-For": header} if header else {}
        made = (await running.send("POST", f"{API}/register", json=body, headers=headers)).data
        assert (await entries(running, made["tenantId"]))[0].address == expected
