"""Refusals of rights in the audit log: one entry for each of a known key, counts of those that anyone can send."""

import asyncio
import json
import sqlite3
from typing import Any

import pytest

from tenantai.server import keys
from tenantai.server.routes import API, TENANT
from tenantai.server.services import refusals
from tenantai.server.services.audit_proof import prove
from tenantai.server.services.credentials import TENANT_SCOPES
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import audit
from tenantai.storage.audit import OPERATOR_CHAIN
from tests.running import Reply, Running, Tenant, serving
from tests.server.test_audited import entries, operator_key
from tests.server.walk import CASES, PASSWORD, World, build_world


@pytest.fixture
async def world(running: Running, acme: Tenant) -> World:
    """A tenant with one of everything."""
    return await build_world(running, acme)


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


async def test_metrics_are_not_for_tenants(settings: Settings) -> None:
    """A tenant's key that asks for the metrics from elsewhere is refused as on any route: told, and counted in its limits."""
    async with serving(settings.model_copy(update={"plans": Plans(pro=Plan(requests_per_minute=3))})) as running:
        acme = await running.register("Acme")
        headers = {"X-Forwarded-For": "192.0.2.1", "X-Request-Id": "metrics-1"}
        statuses = [(await running.send("GET", "/metrics", key=acme.key, headers=headers)).status for _ in range(3)]
        assert statuses == [403, 403, 429]
        told = [entry for entry in await entries(running, acme.id) if entry.event_type == "access.refused"]
        assert [(entry.request_id, entry.details["route"]) for entry in told] == [("metrics-1", "GET /metrics")] * 2
        assert (await running.send("GET", "/metrics", key=operator_key(running), headers=headers)).status == 200


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
