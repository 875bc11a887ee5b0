"""A client that leaves while its change is being committed: what follows the change is done all the same."""

import asyncio
import threading
from typing import Any

import pytest

from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.settings import Settings
from tenantai.storage.database import Transaction
from tests.gated_embedding import GatedEmbedding
from tests.running import Reply, Running, Tenant, serving, until, until_seen
from tests.server.test_audited import entries, operator_key
from tests.server.tools.endpoints import register
from tests.server.walk import PICTURE
from tests.vaults import Vault


async def left(running: Running, method: str, path: str, key: str, *, during: str, then: str = "", **given: Any) -> None:
    """Send a request, hold its commit (`during` is where it is asked for) until its client has left, and let it be made.

    `then` is where, once the client has left, another one is asked for that the request waits for.
    """
    database, gate, asked = running.app[keys.DATABASE], threading.Event(), list[str]()
    tallies, write = running.app[keys.METRICS]._tallies, database.write

    async def noted(unit: Any, **how: Any) -> Any:
        asked.append(getattr(unit, "func", unit).__qualname__)
        return await write(unit, **how)

    async def hold(_transaction: Transaction) -> None:
        gate.wait(60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "write", noted)
        holding = asyncio.create_task(write(hold))
        sending = asyncio.create_task(running.send(method, path, key=key, **given))
        await until(lambda: any(name.startswith(during) for name in asked))
        sending.cancel()
        await until(
            lambda: any(status == 499 for _, status in tallies) or (then and any(name.startswith(then) for name in asked))
        )
        gate.set()
        await holding


async def test_sync(running: Running, acme: Tenant) -> None:
    """A sync whose client leaves as it begins is carried out, not in progress for ever."""
    vault = Vault(running, acme)
    await vault.put("a.txt", "The lamp is red.")
    await left(running, "POST", f"{acme.path}/store/sync", acme.key, during="StoreSync", json={})

    async def is_synced() -> bool:
        return [file["state"] for file in (await vault.synced()).values()] == ["ready"]

    await until_seen(is_synced, seconds=10)


async def test_erasure(running: Running, acme: Tenant) -> None:
    """A tenant that was shut out is erased."""
    await left(running, "DELETE", acme.path, operator_key(running), during="Erasure")

    async def is_gone() -> bool:
        return not await running.rows("SELECT 1 FROM tenants WHERE id = :acme", acme=acme.id)

    await until_seen(is_gone, seconds=10)


@pytest.mark.parametrize("what", ["file", "account"])
async def test_last_file_of_an_operation(settings: Settings, brisk: None, what: str) -> None:
    """The operation ends with the file that is deleted under it."""
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        reply = await running.post_file(acme, b"The lamp is red.", "red.txt")
        await until(lambda: embedding.begun)
        path = acme.files.removesuffix("/files") if what == "account" else f"{acme.files}/{reply.data['file']['id']}"
        await left(running, "DELETE", path, acme.key, during="Documents")

        async def has_ended() -> bool:
            told: Reply = await running.send("GET", f"{acme.path}/store/progress", key=acme.key)
            return bool(told.data["status"] == "completed")

        await until_seen(has_ended, seconds=10)
        embedding.gate.set()


async def test_resync(running: Running, acme: Tenant) -> None:
    """A file that was put back in the queue is taken out of it."""
    file_id = await running.upload(acme, "The lamp is red.")
    body = {"action": "resync", "fileIds": [file_id]}
    await left(running, "POST", f"{acme.path}/store/files/actions", acme.key, during="Documents", json=body)
    await until_seen(lambda: is_ready(running, acme, file_id), seconds=10)


async def is_ready(running: Running, tenant: Tenant, file_id: str) -> bool:
    return bool((await running.files(tenant))[file_id]["state"] == "ready")


async def test_function(running: Running, acme: Tenant) -> None:
    """A function that was deleted is offered no more."""
    tools = running.app[keys.TOOLS]
    tool = await register(running, acme, "https://example.com/track")
    assert "track" in (await tools.offer(acme.id)).own
    await left(running, "DELETE", f"{API}/tenants/{acme.id}/tools/{tool['id']}", acme.key, during="Tools")

    async def is_gone() -> bool:
        return "track" not in (await tools.offer(acme.id)).own

    await until_seen(is_gone, seconds=10)


@pytest.mark.parametrize(("during", "headers"), [("Refusals", {}), ("Attempt", {"Idempotency-Key": "left"})])
async def test_refusal(running: Running, acme: Tenant, during: str, headers: dict[str, str]) -> None:
    """A refusal is in the audit log, also one that is found out only once its client has left."""
    key, key_id = await running.issue(acme, scopes=["key:write"])
    body, named = {"name": "More", "scopes": ["chat:read"]}, {"X-Request-Id": "left-1", **headers}
    await left(running, "POST", f"{acme.path}/api-keys", key, during=during, json=body, headers=named)

    async def is_told() -> bool:
        *_, last = await entries(running, acme.id)
        return (last.event_type, last.key_id, last.request_id) == ("access.refused", key_id, "left-1")

    await until_seen(is_told, seconds=10)


async def test_estimate(running: Running, acme: Tenant) -> None:
    """An estimate whose client leaves before it was begun is taken back, and the log says both."""
    body = {"tenantId": acme.id, "images": [PICTURE]}
    await left(
        running, "POST", f"{API}/estimator/analyze", acme.key, during="PictureKeeping", then="PictureKeeping._undo", json=body
    )

    async def is_gone() -> bool:
        told = [entry.event_type for entry in await entries(running, acme.id)][-2:]
        return told == ["estimate.created", "estimate.deleted"] and not await running.rows("SELECT id FROM estimates")

    await until_seen(is_gone, seconds=10)
