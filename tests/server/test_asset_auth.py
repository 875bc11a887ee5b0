"""The Asset Manager's password, its sessions and the limit of tries."""

import asyncio
import json
from itertools import combinations
from typing import Any

import pytest

from tenantai.identifiers import new_id
from tenantai.server import keys
from tenantai.server.openapi.operations import ASSETS
from tenantai.server.routes import TENANT
from tenantai.server.services.address_gate import network_of
from tenantai.settings import Settings
from tenantai.storage.database import compiled
from tenantai.wire.assets import VAULT_SCOPES
from tests.running import Reply, Running, Tenant, serving
from tests.server.walk import CASES, PASSWORD, build_world

GOOD = "Correct-Horse-1!"


async def set_password(
    running: Running, tenant: Tenant, password: str, confirmed: str | None = None, method: str = "POST"
) -> Reply:
    """Set the password."""
    body = {"newPassword": password, "confirmPassword": password if confirmed is None else confirmed}
    return await running.send(method, f"{tenant.path}/asset-auth/password", key=tenant.key, json=body)


async def log_in(running: Running, tenant: Tenant, password: str) -> Reply:
    """Open a session."""
    return await running.send("POST", f"{tenant.path}/asset-auth/login", json={"password": password})


@pytest.mark.parametrize(
    ("password", "broken"),
    [
        ("", ["at least 8", "uppercase", "lowercase", "number", "special"]),
        ("short1!", ["at least 8", "uppercase"]),
        ("ALLUPPER1!", ["lowercase"]),
        ("alllower1!", ["uppercase"]),
        ("NoNumber!", ["number"]),
        ("NoSpecial1", ["special"]),
        ("Aa1!" * 33, ["at most 128"]),
    ],
)
async def test_policy_names_every_broken_rule(running: Running, acme: Tenant, password: str, broken: list[str]) -> None:
    """Each rule that a password breaks is named, and nothing else; the password is not."""
    reply = await set_password(running, acme, password)
    problems = [problem["problem"] for problem in reply.error["details"]]
    assert len(problems) == len(broken)
    assert all(any(word in problem for problem in problems) for word in broken)
    assert reply.error["message"] == f"The password {'; '.join(problems)}."
    assert not password or password not in reply.text


async def test_unlike_passwords(running: Running, acme: Tenant) -> None:
    """Both fields must be the same."""
    unlike = await set_password(running, acme, GOOD, "Other-Horse-1!")
    assert unlike.fields == {"confirmPassword"}
    assert unlike.error["message"] == "The two passwords are not the same."


async def test_session_opens_the_vault_and_nothing_else(running: Running, acme: Tenant, globex: Tenant) -> None:
    """A session reads its tenant's vault, by either header, and no other route or tenant."""
    assert (await set_password(running, acme, GOOD, method="PUT")).status == 200
    session = (await log_in(running, acme, GOOD)).data
    token = session["sessionToken"]
    for headers in ({"x-asset-session": token}, {"Authorization": f"Bearer {token}"}):
        assert (await running.send("GET", f"{acme.path}/assets", headers=headers)).status == 200
        for path in (f"{globex.path}/assets", acme.path, f"{acme.path}/store", acme.files, f"{acme.path}/api-keys"):
            assert (await running.send("GET", path, headers=headers)).status == 403
    stored = await running.rows("SELECT token_sha256, expires_at FROM asset_sessions")
    assert token not in str(stored)
    assert GOOD not in str(await running.rows("SELECT hash FROM asset_passwords"))


async def test_new_password_ends_sessions(running: Running, acme: Tenant) -> None:
    """A session does not outlive the password that opened it, nor its own time."""
    await set_password(running, acme, GOOD)
    token = (await log_in(running, acme, GOOD)).data["sessionToken"]
    assert (await running.send("GET", f"{acme.path}/assets", headers={"x-asset-session": token})).status == 200
    await set_password(running, acme, "Another-Horse-2!")
    assert (await running.send("GET", f"{acme.path}/assets", headers={"x-asset-session": token})).status == 401
    assert (await log_in(running, acme, GOOD)).status == 401
    token = (await log_in(running, acme, "Another-Horse-2!")).data["sessionToken"]
    await running.app[keys.DATABASE].write_one(compiled("UPDATE asset_sessions SET expires_at = '2026-01-01T00:00:00.000Z'"))
    assert (await running.send("GET", f"{acme.path}/assets", headers={"x-asset-session": token})).status == 401


async def test_password_is_set_by_who_may_use_the_vault(running: Running, acme: Tenant) -> None:
    """A key bound to an account that is no admin can't open the whole tenant's vault by a password of its own."""
    body = {"newPassword": GOOD, "confirmPassword": GOOD}
    for role, status in (("member", 403), ("viewer", 403), ("admin", 200)):
        key, _ = await running.issue(acme, account=await running.add_account(acme, role, role=role))
        for method in ("POST", "PUT"):
            assert (await running.send(method, f"{acme.path}/asset-auth/password", key=key, json=body)).status == status
        assert (await running.send("GET", f"{acme.path}/assets", key=key)).status == status


async def test_five_tries(settings: Settings) -> None:
    """The sixth login in 15 minutes is refused, with the right password too and after a restart; then it is taken again."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        await set_password(running, acme, GOOD)
        assert [(await log_in(running, acme, "Wrong-Horse-1")).status for _ in range(5)] == [401] * 5
    async with serving(settings) as running:
        refused = await log_in(running, acme, GOOD)
        assert (refused.status, refused.error["code"]) == (429, "TOO_MANY_ATTEMPTS")
        assert 0 < int(refused.headers["Retry-After"]) <= 900
        assert refused.error["details"]["limit"] == 5
        await running.app[keys.DATABASE].write_one(compiled("UPDATE password_tries SET created_at = '2026-01-01T00:00:00.000Z'"))
        assert (await log_in(running, acme, GOOD)).status == 200


async def test_tries_of_a_clock_that_was_set_back(running: Running, acme: Tenant) -> None:
    """Tries that lie in the future, as where a clock ran ahead, keep nobody out until then."""
    await set_password(running, acme, GOOD)
    assert [(await log_in(running, acme, "Wrong-Horse-1")).status for _ in range(5)] == [401] * 5
    await running.app[keys.DATABASE].write_one(compiled("UPDATE password_tries SET created_at = '2999-01-01T00:00:00.000Z'"))
    assert (await log_in(running, acme, GOOD)).status == 200


async def test_five_changes(running: Running, acme: Tenant) -> None:
    """The sixth change in 15 minutes is refused, and leaves the password as it was."""
    assert [(await set_password(running, acme, f"{GOOD}{n}")).status for n in range(6)] == [200] * 5 + [429]
    assert (await log_in(running, acme, f"{GOOD}4")).status == 200


async def test_of_tries_at_once_five_are_checked(running: Running, acme: Tenant) -> None:
    """Tries that come together are checked up to the limit."""
    await set_password(running, acme, GOOD)
    replies = await asyncio.gather(*(log_in(running, acme, "Wrong-Horse-1") for _ in range(12)))
    assert sorted(reply.status for reply in replies) == [401] * 5 + [429] * 7


async def test_address_that_tries_many_tenants(running: Running, acme: Tenant) -> None:
    """Fifty wrong passwords are checked for an address, whichever tenants it names; right ones count not, nothing piles up."""
    await set_password(running, acme, GOOD)
    assert (await log_in(running, acme, GOOD)).status == 200
    paths = [f"/api/v1/tenants/{new_id()}/asset-auth/login" for _ in range(52)]
    replies = await asyncio.gather(*(running.send("POST", path, json={"password": GOOD}) for path in paths))
    assert sorted(reply.status for reply in replies) == [401] * 50 + [429] * 2
    refused = await log_in(running, acme, GOOD)
    assert (refused.status, refused.error["details"]["reason"]) == (429, "wrong_logins_of_address")
    await running.app[keys.DATABASE].write_one(compiled("UPDATE password_tries SET created_at = '2026-01-01T00:00:00.000Z'"))
    await set_password(running, acme, GOOD)
    assert await running.rows("SELECT kind FROM password_tries") == [("change",)]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_is_one_address(address: str, network: str) -> None:
    """Whoever has an IPv6 network can't come from each of its addresses anew."""
    assert network_of(address) == network


async def test_unknown_tenant_is_a_wrong_password(running: Running, acme: Tenant) -> None:
    """Whether a tenant exists, or has a password, can't be told from the answers."""
    await set_password(running, acme, GOOD)
    path = f"/api/v1/tenants/{new_id()}/asset-auth/login"
    unknown = [await running.send("POST", path, json={"password": GOOD}) for _ in range(6)]
    known = [await log_in(running, acme, "Wrong-Horse-1") for _ in range(6)]
    assert [_told(reply) for reply in unknown] == [_told(reply) for reply in known]


def _told(reply: Reply) -> tuple[int, Any, Any]:
    return reply.status, reply.error["code"], reply.error["message"]


async def test_audited(running: Running, acme: Tenant) -> None:
    """Setting, changing, logging in and being refused are in the log, the password is not."""
    await set_password(running, acme, GOOD)
    await log_in(running, acme, GOOD)
    await log_in(running, acme, "Wrong-Horse-1")
    rows = await running.rows("SELECT event_type, details FROM audit_entries WHERE tenant_id = :t ORDER BY sequence", t=acme.id)
    assert [row[0] for row in rows][-3:] == ["password.set", "session.opened", "session.refused"]
    assert "Horse" not in str(rows)


VAULT = {route: case for route, case in CASES.items() if case.scope.startswith("file:") and "/assets" in route[1]}
LESSER = [set(some) for count in range(3) for some in combinations(VAULT_SCOPES, count)]


def test_every_vault_route_is_asked() -> None:
    """A new route that takes a session joins the walk below."""
    assert set(VAULT) == {route for route, operation in ASSETS.items() if operation.takes_session}


@pytest.mark.parametrize("held", LESSER, ids=lambda held: "+".join(sorted(held)) or "nothing")
async def test_password_grants_no_more_than_who_set_it_had(running: Running, acme: Tenant, held: set[str]) -> None:
    """On every route of the vault a session may do what the key could that set its password, and is told what is missing."""
    world = await build_world(running, acme)
    key, _ = await running.issue(acme, scopes=["asset-auth:write", *held])
    made = await running.send("POST", f"{acme.path}/asset-auth/password", key=key, json=PASSWORD)
    session = (await log_in(running, acme, PASSWORD["newPassword"])).data
    assert set(made.data["scopes"]) == set(session["scopes"]) == held
    for route, case in sorted(VAULT.items(), key=lambda one: one[0] == ("DELETE", f"{TENANT}/assets/{{asset_id}}")):
        headers = {"x-asset-session": session["sessionToken"]}
        reply = await running.send(route[0], world.filled(route[1]), headers=headers, **case.given(world))
        if case.scope in held:
            assert reply.status < 300, reply.text
        else:
            assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN"), route
            assert f"lacks {case.scope}" in reply.error["message"]
            assert f"with a key that has asset-auth:write and {case.scope}" in reply.error["message"]
    told = await running.rows(
        "SELECT event_type, details FROM audit_entries WHERE tenant_id = :t AND event_type IN ('password.set', 'session.opened') "
        "ORDER BY sequence",
        t=acme.id,
    )
    assert [set(json.loads(details).get("after", json.loads(details))["scopes"]) for _, details in told] == [held, held]


async def test_role_cuts_what_a_password_grants(running: Running, acme: Tenant) -> None:
    """A key's scopes count after the role of its account, and the operator's password opens the whole vault."""
    admin = await running.add_account(acme, "Admin", role="admin")
    key, _ = await running.issue(acme, account=admin, scopes=["asset-auth:write", "tenant:write", "file:read"])
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    for setter, held in ((key, ["file:read"]), (operator, list(VAULT_SCOPES))):
        made = await running.send("PUT", f"{acme.path}/asset-auth/password", key=setter, json=PASSWORD)
        assert made.data["scopes"] == (await log_in(running, acme, PASSWORD["newPassword"])).data["scopes"] == held
    changed = await running.rows("SELECT details FROM audit_entries WHERE event_type = 'password.changed'")
    assert json.loads(changed[0][0]) == {"before": {"scopes": ["file:read"]}, "after": {"scopes": list(VAULT_SCOPES)}}


async def test_password_outlives_its_key(running: Running, acme: Tenant) -> None:
    """A password is a credential of its own: it grants the same once its key is revoked, until another is set."""
    key, key_id = await running.issue(acme, scopes=["asset-auth:write", "file:read"])
    await running.send("POST", f"{acme.path}/asset-auth/password", key=key, json=PASSWORD)
    await running.send("DELETE", f"{acme.path}/api-keys/{key_id}", key=acme.key)
    session = (await log_in(running, acme, PASSWORD["newPassword"])).data
    headers = {"x-asset-session": session["sessionToken"]}
    assert session["scopes"] == ["file:read"]
    assert (await running.send("GET", f"{acme.path}/assets", headers=headers)).status == 200
    await set_password(running, acme, GOOD)
    assert (await running.send("GET", f"{acme.path}/assets", headers=headers)).status == 401
