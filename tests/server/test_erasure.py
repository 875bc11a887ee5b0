"""A tenant that is deleted: nothing of it is left, nothing of another is touched, and a kill only delays it."""

from pathlib import Path

from tenantai.identifiers import timestamp
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services.metering.proof import drift
from tenantai.settings import Settings
from tenantai.storage import erasing
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.storage.database import Row, Transaction
from tests.running import Reply, Running, Tenant, serving, until
from tests.server.test_audited import entries, operator_key
from tests.server.test_walk import everything
from tests.server.walk import PASSWORD, build_world


async def delete(running: Running, tenant: Tenant) -> Reply:
    return await running.send("DELETE", tenant.path, key=operator_key(running))


async def terms_of(running: Running, tenant: Tenant) -> int:
    """Count the words of a tenant in the full-text index."""
    prefix = tenant.id.replace("-", "") + ":"
    rows = await running.rows("SELECT count(*) FROM full_text_terms WHERE instr(term, :prefix) = 1", prefix=prefix)
    return int(rows[0][0])


def blobs(running: Running, tenant: Tenant) -> Path:
    return running.app[keys.SETTINGS].data_dir / "files" / tenant.id


def rows_of(held: dict[str, list[Row]], tenant: Tenant) -> dict[str, list[Row]]:
    """Return the rows that name a tenant."""
    return {name: found for name, rows in held.items() if (found := [row for row in rows if tenant.id in row])}


async def test_nothing_is_left(running: Running, acme: Tenant) -> None:
    """Rows, words, vectors, bytes and counts of a tenant go; another with the same documents keeps all of its own."""
    world = await build_world(running, acme)
    keys_path = f"{acme.path}/api-keys/{world.key_id}/rotate"
    assert (await running.send("POST", keys_path, key=acme.key, json={"graceSeconds": 60})).status == 200
    await running.send("POST", f"{acme.path}/asset-auth/password", key=acme.key, json=PASSWORD)
    assert (await running.send("POST", f"{acme.path}/asset-auth/login", json={"password": PASSWORD["newPassword"]})).status == 200
    beta = await running.register("Beta")
    await build_world(running, beta)
    before = rows_of(await everything(running), beta)
    reply = await delete(running, acme)
    assert reply.status == 200, reply.text
    assert reply.data["deleted"] is True
    erased = reply.data["erased"]
    assert (erased["api_keys"], erased["former_secrets"], erased["asset_sessions"]) == (2, 1, 1)
    assert (erased["assets"], erased["tools"]) == (1, 1)
    assert (erased["files"], erased["accounts"], erased["conversations"], erased["messages"]) == (1, 1, 1, 2)
    assert erased["chunks"] >= 1
    after = await everything(running)
    assert rows_of(after, acme) == {}
    assert rows_of(after, beta).keys() == before.keys()
    assert {name: len(rows) for name, rows in rows_of(after, beta).items()} == {n: len(r) for n, r in before.items()}
    assert not blobs(running, acme).exists()
    assert await terms_of(running, acme) == 0
    assert await terms_of(running, beta) > 0
    assert await running.search(beta, "amaranth vault")
    for path in (acme.path, f"{API}/usage", f"{API}/audit"):
        assert (await running.send("GET", path, key=acme.key)).status == 401
    assert (await delete(running, acme)).status == 404
    told = [e for e in await entries(running, OPERATOR_CHAIN) if e.subject_id == acme.id]
    assert [(e.event_type, e.actor) for e in told] == [("tenant.deleted", "operator"), ("tenant.erased", "system")]
    assert told[1].details == erased


async def test_the_address_is_free_again(running: Running) -> None:
    """Who was deleted may register again."""
    body = {"email": "one@example.com", "organizationName": "One"}
    first = (await running.send("POST", f"{API}/register", json=body)).data
    path = f"{API}/tenants/{first['tenantId']}"
    assert (await running.send("DELETE", path, key=operator_key(running))).status == 200
    assert (await running.send("POST", f"{API}/register", json=body)).status == 201


async def test_only_the_operator(running: Running, acme: Tenant) -> None:
    """A tenant does not delete itself, nor another."""
    assert (await running.send("DELETE", acme.path, key=acme.key)).status == 403


async def test_goes_on_after_a_kill(settings: Settings) -> None:
    """A tenant whose erasure was cut off after its first step is nowhere to be seen, and is erased by the next start."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        await build_world(running, acme)

        async def unit(transaction: Transaction) -> None:
            await erasing.shut_out(transaction, acme.id, moment=timestamp())

        await running.app[keys.DATABASE].write(unit)
        running.app[keys.KEY_RING].forget_all()
        assert (await running.send("GET", acme.path, key=acme.key)).status == 401
        assert (await running.send("GET", acme.path, key=operator_key(running))).status == 404
        listed = await running.send("GET", f"{API}/tenants", key=operator_key(running))
        assert listed.data["tenants"] == []
    async with serving(settings) as running:
        erasure = running.app[keys.ERASURE]
        await until(lambda: not erasure._under_way)
        assert rows_of(await everything(running), acme) == {}
        assert await terms_of(running, acme) == 0
        assert not blobs(running, acme).exists()


async def test_what_is_erased_half_is_no_drift(running: Running, acme: Tenant) -> None:
    """A start that goes on erasing finds no fault in the counters of a tenant whose events are gone already."""
    await running.app[keys.RECORDING].take()
    reading, moment = running.app[keys.DATABASE].reading, running.app[keys.METER].now()

    async def unit(transaction: Transaction) -> None:
        await erasing.shut_out(transaction, acme.id, moment=timestamp())
        assert await erasing.erase(transaction, acme.id, table="usage_events", row_count=500)

    await running.app[keys.DATABASE].write(unit)
    assert await running.rows("SELECT 1 FROM usage_counters WHERE tenant_id = :acme", acme=acme.id)
    assert (await drift(reading, moment=moment))[1] == []
