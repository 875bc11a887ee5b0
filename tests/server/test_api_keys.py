"""A tenant's keys: shown once, rotated with a grace, revoked at once, and never granting what the maker lacks."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tenantai.identifiers import now, timestamp
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.storage.database import compiled
from tests.running import Account, Reply, Running, Tenant


async def create(running: Running, tenant: Tenant, *, key: str | None = None, **body: Any) -> Reply:
    """Make a key."""
    return await running.send("POST", f"{tenant.path}/api-keys", key=key or tenant.key, json={"name": "New", **body})


async def works(running: Running, tenant: Tenant, secret: str) -> bool:
    """Return whether a secret is taken."""
    return (await running.send("GET", f"{tenant.path}/store", key=secret)).status == 200


async def test_made_and_listed(running: Running, acme: Tenant) -> None:
    """A key's secret is in the answer that makes it only; the list tells it apart, with its last use once it was used."""
    made = (await create(running, acme, scopes=["store:read", "chat:read"])).data
    assert made["scopes"] == ["chat:read", "store:read"]
    assert await works(running, acme, made["apiKey"])
    await running.app[keys.KEY_RING].note_uses()
    listed = await running.send("GET", f"{acme.path}/api-keys", key=acme.key)
    assert made["apiKey"] not in listed.text
    held = next(key for key in listed.data["apiKeys"] if key["id"] == made["id"])
    assert made["apiKey"].startswith(held["first_characters"])
    assert made["apiKey"].endswith(held["last_characters"])
    assert held["last_used_at"] >= held["created_at"]
    assert made["apiKey"] not in json.dumps(await running.rows("SELECT * FROM audit_entries"), default=str)


async def test_without_scopes(running: Running, acme: Tenant) -> None:
    """A key for which no scopes are named gets the maker's own but those over keys."""
    made = (await create(running, acme)).data
    assert "chat:create" in made["scopes"]
    assert not [scope for scope in made["scopes"] if scope.startswith("key:")]


async def test_no_key_grants_what_it_lacks(running: Running, acme: Tenant) -> None:
    """A scope that the maker lacks can be had neither by making a key nor by rotating one that has it."""
    weak, _ = await running.issue(acme, scopes=("key:read", "key:write"))
    assert (await create(running, acme, key=weak, scopes=["chat:read"])).error["code"] == "FORBIDDEN"
    assert (await create(running, acme, key=weak)).fields == {"scopes"}
    assert (await create(running, acme, scopes=["system:admin"])).status == 400
    listed = (await running.send("GET", f"{acme.path}/api-keys", key=weak)).data["apiKeys"]
    strong = next(key["id"] for key in listed if "chat:read" in key["scopes"])
    rotated = await running.send("POST", f"{acme.path}/api-keys/{strong}/rotate", key=weak)
    assert rotated.error["code"] == "FORBIDDEN"
    assert await works(running, acme, acme.key)


async def test_bound_keys(running: Running, acme: Tenant) -> None:
    """A key bound to an account makes, sees and ends keys of that account only."""
    office = await running.add_account(acme, "Office", role="admin")
    bound, bound_id = await running.issue(acme, account=office)
    made = (await create(running, acme, key=bound, scopes=["chat:read"])).data
    assert made["account_id"] == office.id
    refused = await create(running, acme, key=bound, scopes=["chat:read"], accountId=acme.account.id)
    assert refused.error["code"] == "FORBIDDEN"
    seen = (await running.send("GET", f"{acme.path}/api-keys", key=bound)).data["apiKeys"]
    assert {key["id"] for key in seen} == {bound_id, made["id"]}
    others = (await create(running, acme, scopes=["chat:read"])).data["id"]
    assert (await running.send("DELETE", f"{acme.path}/api-keys/{others}", key=bound)).status == 404


@pytest.mark.parametrize("grace", [0, 3600])
async def test_rotation(running: Running, acme: Tenant, grace: int) -> None:
    """The new secret works at once, the old one within its grace only, under the same id."""
    made = (await create(running, acme, scopes=["store:read"])).data
    path = f"{acme.path}/api-keys/{made['id']}/rotate"
    rotated = (await running.send("POST", path, key=acme.key, json={"graceSeconds": grace})).data
    assert rotated["id"] == made["id"]
    assert await works(running, acme, rotated["apiKey"])
    assert await works(running, acme, made["apiKey"]) is bool(grace)
    assert bool(rotated["previous_works_until"]) is bool(grace)
    again = (await running.send("POST", path, key=acme.key, json={"graceSeconds": grace})).data
    assert [await works(running, acme, key["apiKey"]) for key in (made, rotated, again)] == [bool(grace), bool(grace), True]
    assert (await running.send("DELETE", path.removesuffix("/rotate"), key=acme.key)).status == 200
    assert not [key for key in (made, rotated, again) if await works(running, acme, key["apiKey"])]
    assert (await running.send("POST", path, key=acme.key)).error["code"] == "CONFLICT"


async def test_grace_ends_with_the_key(running: Running, acme: Tenant) -> None:
    """A grace outlives neither its own end nor the key's."""
    ends = timestamp(now() + timedelta(minutes=5))
    made = (await create(running, acme, scopes=["store:read"], expiresAt=ends)).data
    path = f"{acme.path}/api-keys/{made['id']}/rotate"
    rotated = (await running.send("POST", path, key=acme.key, json={"graceSeconds": 604_800})).data
    assert rotated["previous_works_until"] == rotated["expires_at"] == ends
    await running.app[keys.DATABASE].write_one(compiled("UPDATE former_secrets SET works_until = '2020'"))
    running.app[keys.KEY_RING].forget_all()
    assert not await works(running, acme, made["apiKey"])
    assert await works(running, acme, rotated["apiKey"])


async def test_last_administering_key_stays(running: Running, acme: Tenant) -> None:
    """The last live key with key:write can't be revoked; with another one it can, and it stops at once."""
    own = (await running.send("GET", f"{acme.path}/api-keys", key=acme.key)).data["apiKeys"][0]["id"]
    refused = await running.send("DELETE", f"{acme.path}/api-keys/{own}", key=acme.key)
    assert refused.error["code"] == "CONFLICT"
    other = (await create(running, acme, scopes=["key:read", "key:write", "store:read"])).data
    assert (await running.send("DELETE", f"{acme.path}/api-keys/{own}", key=acme.key)).status == 200
    assert (await running.send("GET", f"{API}/tenants", key=acme.key)).status == 401
    assert (await running.send("DELETE", f"{acme.path}/api-keys/{own}", key=other["apiKey"])).status == 200
    assert (await running.send("DELETE", f"{acme.path}/api-keys/none", key=other["apiKey"])).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["chat:everything"]}, "scopes.0"),
        ({"scopes": []}, "scopes"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"name": "a\x07b"}, "name"),
        ({"secret": "mine"}, "secret"),
    ],
)
async def test_bad_input(running: Running, acme: Tenant, body: dict[str, Any], field: str) -> None:
    """Each fault is named by its field."""
    assert (await create(running, acme, **body)).fields == {field}


async def test_past_expiry(running: Running, acme: Tenant) -> None:
    """A key that has ended already is not made."""
    assert (await create(running, acme, expiresAt="2020-01-01T00:00:00Z")).error["code"] == "CONFLICT"


async def test_rotation_needs_every_scope_of_the_key(running: Running, acme: Tenant, second: Account) -> None:
    """What an account's role cuts off a key counts: it may come back with another role."""
    _, strong = await running.issue(acme, scopes=("tenant:write", "key:read"), account=second)
    weak, _ = await running.issue(acme, scopes=("key:write", "account:write", "key:read"))
    await running.send("PUT", f"{acme.path}/accounts/{second.id}", key=acme.key, json={"role": "viewer"})
    assert (await running.send("POST", f"{acme.path}/api-keys/{strong}/rotate", key=weak)).status == 403
    raised = await running.send("PUT", f"{acme.path}/accounts/{second.id}", key=weak, json={"role": "admin"})
    assert raised.status == 403
    assert (await running.send("PUT", f"{acme.path}/accounts/{second.id}", key=acme.key, json={"role": "admin"})).status == 200


async def test_last_administrator_is_neither_lowered_nor_deleted(running: Running, acme: Tenant, second: Account) -> None:
    """The account that holds the last live key with `key:write` stays, and stays an admin."""
    path = f"{acme.path}/accounts/{second.id}"
    assert (await running.send("PUT", path, key=acme.key, json={"role": "admin"})).status == 200
    key, _ = await running.issue(acme, scopes=("key:write", "account:write", "key:read"), account=second)
    first = (await running.send("GET", f"{acme.path}/api-keys", key=acme.key)).data["apiKeys"][0]["id"]
    assert (await running.send("DELETE", f"{acme.path}/api-keys/{first}", key=acme.key)).status == 200
    assert (await running.send("PUT", path, key=key, json={"role": "viewer"})).error["code"] == "CONFLICT"
    assert (await running.send("DELETE", path, key=key)).error["code"] == "CONFLICT"
    assert (await create(running, acme, key=key, scopes=["key:write"], accountId=second.id)).status == 201
    assert (await running.send("DELETE", path, key=key)).error["code"] == "CONFLICT"
    await running.issue(acme, scopes=("key:write",))
    assert (await running.send("DELETE", path, key=key)).status == 200


async def test_rotation_without_grace_ends_earlier_secrets(running: Running, acme: Tenant) -> None:
    """A secret that a former rotation left working ends with a rotation that leaves none."""
    made = (await running.send("POST", f"{acme.path}/api-keys", key=acme.key, json={"name": "K"})).data
    path = f"{acme.path}/api-keys/{made['id']}/rotate"
    await running.send("POST", path, key=acme.key, json={"graceSeconds": 600})
    assert await works(running, acme, made["apiKey"])
    await running.send("POST", path, key=acme.key, json={"graceSeconds": 0})
    assert not await works(running, acme, made["apiKey"])
