"""What is in the audit log: one entry for each change and each refusal, and none without."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from tenantai.server import keys
from tenantai.server.routes import ACCOUNT, API, ESTIMATE, ROUTES, TENANT
from tenantai.server.services.audit_proof import prove
from tenantai.server.services.credentials import OPERATOR_SCOPE
from tenantai.settings import Settings
from tenantai.storage.audit import OPERATOR_CHAIN, Entry
from tenantai.storage.database import Row
from tests.gated_embedding import GatedEmbedding
from tests.running import Reply, Running, Tenant, serving
from tests.server.test_walk import everything
from tests.server.walk import CASES, PASSWORD, PICTURE, SECRET_WORDS, World, build_world, tool_named

COLUMNS = ", ".join(Entry.__slots__)


async def entries(running: Running, chain: str) -> list[Entry]:
    """Return a chain's entries, oldest first."""
    return _entries(await running.rows(f"SELECT {COLUMNS} FROM audit_entries WHERE tenant_id = :c ORDER BY sequence", c=chain))


async def written(running: Running, *, since: int) -> list[Entry]:
    """Return the entries of all chains that were written behind one, in the order in which they were."""
    return _entries(await running.rows(f"SELECT {COLUMNS} FROM audit_entries WHERE number > :n ORDER BY number", n=since))


def _entries(rows: Iterable[Row]) -> list[Entry]:
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
    form: Callable[[World], dict[str, Any]] = lambda _world: {}
    by: str = "key"
    chain: Callable[[World, Reply], str] = lambda world, _reply: world.tenant.id


def form_of_file(content: bytes) -> Callable[[World], dict[str, Any]]:
    """Return a form with a file of one's own."""

    def form(_world: World) -> dict[str, Any]:
        data = aiohttp.FormData()
        data.add_field("file", content, filename="mine.txt")
        return {"data": data, "params": {"path": "mine.txt"}}

    return form


def action(name: str) -> Callable[[World], Any]:
    """Return the body of an action on the world's file."""
    return lambda world: {"action": name, "fileIds": [world.file_id]}


def asked(world: World, **more: str) -> dict[str, str]:
    """Return a question."""
    return {"tenantId": world.tenant.id, "message": "How does the vault open?", **more}


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
    (
        ("POST", f"{API}/estimator/analyze"),
        Change(("estimate.created",), lambda world: {"tenantId": world.tenant.id, "images": [PICTURE]}, ("estimate.created",)),
    ),
    (("POST", f"{ACCOUNT}/files"), Change(("file.uploaded", "file.indexed"), form=form_of_file(b"The lamp is green."))),
    (("POST", f"{TENANT}/assets"), Change(("asset.uploaded",), form=form_of_file(b"The lamp is red."))),
    (
        ("POST", f"{TENANT}/store/sync"),
        Change(("sync.started", "file.imported", "file.indexed", "sync.completed"), again=("sync.started", "sync.completed")),
    ),
    (
        ("POST", f"{TENANT}/asset-auth/login"),
        Change(("session.opened",), lambda _: {"password": PASSWORD["newPassword"]}, ("session.opened",), by="anyone"),
    ),
    (
        ("POST", f"{API}/register"),
        Change(
            ("tenant.created",),
            lambda _: {"email": "a@example.com", "organizationName": "A"},
            by="anyone",
            chain=lambda _, reply: str(reply.data["tenantId"]),
        ),
    ),
    (
        ("POST", f"{API}/tenants"),
        Change(
            ("tenant.created",),
            lambda _: {"email": "b@example.com", "name": "B"},
            by="operator",
            chain=lambda _, reply: str(reply.data["id"]),
        ),
    ),
    (
        ("DELETE", TENANT),
        Change(("tenant.deleted", "tenant.erased"), by="operator", chain=lambda _, __: OPERATOR_CHAIN),
    ),
    (
        ("POST", f"{API}/chat"),
        Change(
            ("conversation.continued",),
            lambda world: asked(world, conversationId=world.conversation_id),
            ("conversation.continued",),
        ),
    ),
    (("POST", f"{API}/chat"), Change(("conversation.created",), asked, ("conversation.created",))),
]
CHANGES_NOTHING = {
    ("POST", f"{TENANT}/store/search"),
    ("POST", f"{API}/analytics/query"),
    ("POST", f"{TENANT}/store/refresh"),
}
HAS_ITS_OWN_TEST = {("DELETE", f"{TENANT}/store/sync")}


@pytest.fixture
async def world(running: Running, acme: Tenant) -> World:
    """A tenant with one of everything."""
    return await build_world(running, acme)


def test_every_changing_route_is_held_against_the_log() -> None:
    """A new route that may change something joins the walk below, or is said to change nothing."""
    changing = {(route.method, route.path) for route in ROUTES if route.method not in {"GET", "HEAD"}}
    walked = {route for route, _ in CHANGES}
    assert changing == walked | CHANGES_NOTHING | HAS_ITS_OWN_TEST


async def change(running: Running, world: World, route: tuple[str, str], case: Change) -> tuple[Reply, list[Entry]]:
    """Send a changing request and wait for what it sets off; the answer, and the entries that were added to any chain."""
    ((before,),) = await running.rows("SELECT coalesce(max(number), 0) FROM audit_entries")
    headers = {"X-Request-Id": "change-1"}
    body = {"json": case.json(world)} if case.json(world) is not None else case.form(world)
    key = {"key": world.tenant.key, "operator": operator_key(running)}.get(case.by)
    reply = await running.send(route[0], world.filled(route[1]), key=key, headers=headers, **body)
    if reply.status < 300 and case.chain(world, reply) == world.tenant.id:
        await running.settled(world.tenant)
    return reply, await written(running, since=before)


@pytest.mark.parametrize(("route", "case"), CHANGES, ids=[f"{' '.join(route)} {case.events[0]}" for route, case in CHANGES])
async def test_a_change_is_one_entry(running: Running, world: World, route: tuple[str, str], case: Change) -> None:
    """A change has one entry with its key, address and request; the same request again, which changes nothing, has none."""
    if route[1].endswith("/login"):
        await running.send("POST", f"{world.tenant.path}/asset-auth/password", key=world.tenant.key, json=PASSWORD)
    reply, added = await change(running, world, route, case)
    assert tuple(entry.event_type for entry in added) == case.events, reply.text
    ((key_id,),) = await running.rows("SELECT min(id) FROM api_keys WHERE tenant_id = :t", t=world.tenant.id) or [(None,)]
    first, chain = added[0], case.chain(world, reply)
    names = {"key": (f"key:{key_id}", key_id), "operator": ("operator", "operator"), "anyone": ("anyone", None)}
    assert (first.actor, first.key_id, first.address, first.request_id) == (*names[case.by], "127.0.0.1", "change-1")
    assert first.subject_id
    assert {entry.tenant_id for entry in added} == {chain}
    assert all(entry.actor == "system" or route == ("DELETE", TENANT) for entry in added[1:])
    assert first.details.keys() & {"before", "after"} or first.event_type in {"session.opened", "sync.started", "tenant.deleted"}
    told = json.dumps([dict(entry.details) for entry in await written(running, since=0)])
    for secret in (SECRET_WORDS, "How does the vault open", "sk_live", PASSWORD["newPassword"], "whsec_"):
        assert secret not in told
    _, again = await change(running, world, route, case)
    assert tuple(entry.event_type for entry in again) == case.again
    for held in {entry.tenant_id for entry in added}:
        assert (await prove(running.app[keys.DATABASE], held)).broken is None


OF_A_TENANT = [one for one in CHANGES if one[1].by == "key"]


@pytest.mark.parametrize(
    ("route", "case"), OF_A_TENANT, ids=[f"{' '.join(route)} {case.events[0]}" for route, case in OF_A_TENANT]
)
async def test_the_operator_is_told_by_name(running: Running, world: World, route: tuple[str, str], case: Change) -> None:
    """What the operator changes in a tenant is in that tenant's own log, as the operator's."""
    reply, added = await change(running, world, route, replace(case, by="operator"))
    assert tuple(entry.event_type for entry in added) == case.events, reply.text
    first = added[0]
    assert (first.actor, first.key_id, first.address, first.request_id) == ("operator", "operator", "127.0.0.1", "change-1")
    assert {entry.tenant_id for entry in added} == {world.tenant.id}


async def test_a_session_is_told_by_name(running: Running, world: World) -> None:
    """What a session of the Asset Manager changes in the vault is told as its own."""
    await running.send("POST", f"{world.tenant.path}/asset-auth/password", key=world.tenant.key, json=PASSWORD)
    login = {"password": PASSWORD["newPassword"]}
    session = (await running.send("POST", f"{world.tenant.path}/asset-auth/login", json=login)).data
    before = len(await entries(running, world.tenant.id))
    for method, path in (("POST", f"{TENANT}/assets"), ("DELETE", f"{TENANT}/assets/{{asset_id}}")):
        headers = {"x-asset-session": session["sessionToken"], "X-Request-Id": f"session-{method}"}
        given = CASES[method, path].given(world)
        assert (await running.send(method, world.filled(path), headers=headers, **given)).status < 300
    added = (await entries(running, world.tenant.id))[before:]
    assert [(entry.event_type, entry.actor, entry.address, entry.request_id) for entry in added] == [
        ("asset.uploaded", "asset-session", "127.0.0.1", "session-POST"),
        ("asset.deleted", "asset-session", "127.0.0.1", "session-DELETE"),
    ]


@pytest.mark.parametrize("route", sorted(CHANGES_NOTHING), ids=" ".join)
async def test_what_changes_nothing_has_no_entry(running: Running, world: World, route: tuple[str, str]) -> None:
    """A search and a look at the vault add nothing to the log, and leave every row of every table as it was."""
    before, told = await everything(running), await entries(running, world.tenant.id)
    reply = await running.send(route[0], world.filled(route[1]), key=world.tenant.key, **CASES[route].given(world))
    assert reply.status == 200, reply.text
    assert await entries(running, world.tenant.id) == told
    assert await everything(running) == before


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
        headers = {"X-Request-Id": "change-1"}
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key, headers=headers)).status == 200
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)).status == 409
        gated.gate.set()
        *_, last = await entries(running, acme.id)
        assert (last.actor, last.address, last.request_id) == (f"key:{last.key_id}", "127.0.0.1", "change-1")
        assert (last.event_type, last.details["after"], last.details["files_cancelled"]) == (
            "sync.cancelled",
            {"status": "cancelled"},
            1,
        )


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
