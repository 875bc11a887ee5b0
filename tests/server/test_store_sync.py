"""Syncing a store with the vault: what is new, changed, moved and gone, once each, through faults, restarts and second calls."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenantai.errors import NotReady
from tenantai.server import keys
from tenantai.server.services import store_sync, sync_steps
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import audit
from tests.gated_embedding import GatedEmbedding
from tests.running import Account, Running, Tenant, events_of, serving, until
from tests.server.test_audited import entries
from tests.server.test_store import blobs_of
from tests.server.test_walk import everything
from tests.vaults import Vault

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


@pytest.fixture
async def vault(running: Running, acme: Tenant) -> Vault:
    """An empty vault."""
    return Vault(running, acme)


@asynccontextmanager
async def gated(settings: Settings) -> AsyncIterator[tuple[Vault, GatedEmbedding]]:
    """Run a server whose indexing waits for a gate, which is open; a vault and the gate."""
    embedding = GatedEmbedding()
    embedding.gate.set()
    async with serving(settings, embedding=embedding) as running:
        yield Vault(running, await running.register("Acme")), embedding


def counted(state: dict[str, Any], *names: str) -> dict[str, int]:
    """Return the numbers of a report that are not 0, or those named."""
    numbers = ("new", "changed", "moved", "deleted", "retried", "unchanged", "skipped", "failed")
    return {name: state["report"][name] for name in names or numbers if names or state["report"][name]}


async def found(vault: Vault, query: str, **more: Any) -> set[str]:
    """Return the names of the files that a search finds."""
    return {hit["fileName"] for hit in await vault.running.search(vault.tenant, query, **more)}


def lasting(state: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of a sync for longer than a few seconds."""
    return {**state, "ended": []}


async def test_all_that_is_new(vault: Vault, second: Account) -> None:
    """Everything in the vault comes in as shared files that every account finds; a second sync changes nothing."""
    ids = [await vault.put(f"terms/{colour}.txt", f"The lamp is {colour}.") for colour in ("red", "green", "blue")]
    state = await vault.sync()
    assert (state["status"], state["percentage"], state["totalFiles"], state["processedFiles"]) == ("completed", 100.0, 3, 3)
    assert counted(state) == {"new": 3}
    assert counted(state, "inVault", "inStore", "matches") == {"inVault": 3, "inStore": 3, "matches": True}
    files = await vault.synced()
    assert {file["asset_id"] for file in files.values()} == set(ids)
    assert {(file["account_id"], file["state"], file["name"]) for file in files.values()} == {
        (None, "ready", f"{colour}.txt") for colour in ("red", "green", "blue")
    }
    key, _ = await vault.running.issue(vault.tenant, account=second)
    assert await found(vault, "green lamp", key=key) == {"red.txt", "green.txt", "blue.txt"}
    again = await vault.sync()
    assert (again["status"], again["totalFiles"], counted(again)) == ("completed", 0, {"unchanged": 3})
    assert await vault.synced() == files
    store = (await vault.running.send("GET", f"{vault.tenant.path}/store", key=vault.tenant.key)).data
    assert store["lastSync"] == lasting(again)


async def test_the_last_sync_outlives_an_upload(vault: Vault, second: Account) -> None:
    """What a sync came to is shown until the next sync, whatever is indexed meanwhile; a bound key sees its own part of it."""
    running, acme = vault.running, vault.tenant
    await vault.put("lamp.txt", "The lamp is green.")
    synced = await vault.sync()
    await running.upload(acme, "The door is red.")
    store = (await running.send("GET", f"{acme.path}/store", key=acme.key)).data
    assert store["lastSync"] == lasting(synced)
    assert (store["operation"]["totalFiles"], store["operation"]["report"]) == (1, None)
    assert store["operation"]["operationId"] > synced["operationId"]
    key, _ = await running.issue(acme, account=second)
    own = (await running.send("GET", f"{acme.path}/store", key=key)).data["lastSync"]
    assert (own["operationId"], own["status"], own["totalFiles"]) == (synced["operationId"], "completed", 1)
    assert own["report"] is None
    again = await vault.sync()
    assert (await running.send("GET", f"{acme.path}/store", key=acme.key)).data["lastSync"] == lasting(again)


async def test_an_empty_vault(vault: Vault) -> None:
    """With nothing to do a sync is completed, with a report that says so."""
    state = await vault.sync()
    assert (state["status"], state["totalFiles"], state["report"]["matches"]) == ("completed", 0, True)


async def test_changed(settings: Settings, brisk: None) -> None:
    """Of an asset that changed the old version answers until the new one is ready, and then only the new one does."""
    async with gated(settings) as (vault, embedding):
        asset_id = await vault.put("lamp.txt", "The lamp is green.")
        await vault.sync()
        embedding.gate.clear()
        assert await vault.put("lamp.txt", "The lamp is red.") == asset_id
        await vault.begin()
        await until(lambda: len(embedding.begun) == 2)
        assert [hit["text"] for hit in await vault.running.search(vault.tenant, "lamp")] == ["The lamp is green."]
        embedding.gate.set()
        state = (await vault.running.settled(vault.tenant))[-1]
        assert (counted(state), state["report"]["matches"]) == ({"changed": 1}, True)
        assert [hit["text"] for hit in await vault.running.search(vault.tenant, "lamp")] == ["The lamp is red."]
        assert len(await vault.running.files(vault.tenant)) == 1
        await until(lambda: not vault.running.app[keys.INDEXING]._running)
        assert counted(await vault.sync()) == {"unchanged": 1}


async def test_changed_to_what_can_not_be_read(vault: Vault) -> None:
    """Where the new version can't be indexed the old one goes on answering, and the report says that they do not match."""
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    await vault.put("lamp.txt", b"%PDF-1.7\ncut off")
    state = await vault.sync()
    assert (state["status"], counted(state)) == ("failed", {"changed": 1, "failed": 1})
    assert state["report"]["matches"] is False
    (problem,) = state["report"]["problems"]
    assert (problem["path"], problem["state"], problem["reason"]) == ("lamp.txt", "failed", "truncated")
    assert await found(vault, "lamp") == {"lamp.txt"}
    again = await vault.sync()
    assert (again["status"], again["totalFiles"], again["report"]["failed"]) == ("completed", 0, 1)
    await vault.put("lamp.txt", "The lamp is red.")
    assert (await vault.sync())["report"]["matches"] is True
    assert [hit["text"] for hit in await vault.running.search(vault.tenant, "lamp")] == ["The lamp is red."]
    assert len(await vault.running.files(vault.tenant)) == 1


async def test_changed_and_changed_back(settings: Settings, brisk: None) -> None:
    """A change that is taken back before it was indexed leaves the version in use as it was."""
    async with gated(settings) as (vault, embedding):
        await vault.put("lamp.txt", "The lamp is green.")
        await vault.sync()
        before = await vault.synced()
        embedding.gate.clear()
        await vault.put("lamp.txt", "The lamp is red.")
        await vault.begin()
        await until(lambda: len(embedding.begun) == 2)
        await vault.running.send("DELETE", f"{vault.tenant.path}/store/sync", key=vault.tenant.key)
        await vault.put("lamp.txt", "The lamp is green.")
        embedding.gate.set()
        state = await vault.sync()
        assert (counted(state), state["report"]["matches"]) == ({"unchanged": 1}, True)
        assert await vault.synced() == before


async def test_moved(settings: Settings, brisk: None) -> None:
    """The same bytes at another path are the same file under its new name, and are not indexed again."""
    async with gated(settings) as (vault, embedding):
        await vault.put("old/lamp.txt", "The lamp is green.")
        await vault.put("door.txt", "The door is brown.")
        await vault.sync()
        before = (await vault.synced())["old/lamp.txt"]
        await vault.remove("old/lamp.txt")
        asset_id = await vault.put("new/light.txt", "The lamp is green.")
        state = await vault.sync()
        assert (state["totalFiles"], counted(state)) == (0, {"moved": 1, "unchanged": 1})
        after = (await vault.synced())["new/light.txt"]
        assert (after["id"], after["asset_id"], after["name"]) == (before["id"], asset_id, "light.txt")
        assert len(embedding.begun) == 2
        assert (await vault.running.search(vault.tenant, "lamp"))[0]["fileName"] == "light.txt"
        assert await vault.synced() == {"door.txt": (await vault.synced())["door.txt"], "new/light.txt": after}


async def test_two_that_changed_places(settings: Settings, brisk: None) -> None:
    """Two assets that exchanged their bytes are two moves; three in a ring are three."""
    async with gated(settings) as (vault, embedding):
        texts = [f"The lamp is {colour}." for colour in ("red", "green", "blue")]
        for name, text in zip("abc", texts, strict=True):
            await vault.put(f"{name}.txt", text)
        await vault.sync()
        for number, order in enumerate(((1, 0, 2), (2, 1, 0)), 1):
            for name, at in zip("abc", order, strict=True):
                await vault.put(f"{name}.txt", texts[at])
            state = await vault.sync()
            assert state["report"]["matches"] is True
            assert counted(state, "moved", "changed", "deleted") == {"moved": number + 1, "changed": 0, "deleted": 0}
        assert len(embedding.begun) == 3
        assert len(await vault.running.files(vault.tenant)) == 3


async def test_old_bytes_elsewhere(settings: Settings, brisk: None) -> None:
    """Where an asset changed and its old bytes appeared at another path, the file moves there and the new bytes come in."""
    async with gated(settings) as (vault, embedding):
        await vault.put("a.txt", "The lamp is green.")
        await vault.sync()
        before = (await vault.synced())["a.txt"]
        await vault.put("a.txt", "The lamp is red.")
        await vault.put("z.txt", "The lamp is green.")
        state = await vault.sync()
        assert counted(state, "moved", "matches", "deleted") == {"moved": 1, "matches": True, "deleted": 0}
        files = await vault.synced()
        assert (files["z.txt"]["id"], len(files), len(embedding.begun)) == (before["id"], 2, 2)


async def ready(vault: Vault, text: str) -> None:
    """Wait until a file with this text is searched."""
    async with asyncio.timeout(20):
        while text not in [hit["text"] for hit in await vault.running.search(vault.tenant, text)]:
            pass


async def test_old_bytes_elsewhere_while_the_new_ones_are_ready(
    settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version that is to move yet is not let go because the newer one is ready before it is its turn."""
    monkeypatch.setattr(store_sync, "CHANGES_A_STEP", 1)
    real = store_sync.StoreSync._step

    async with gated(settings) as (vault, embedding):

        async def step(self: Any, operation: Any, changes: Any) -> int:
            done = await real(self, operation, changes)
            if changes[0].path == "a.txt":
                await ready(vault, "The lamp is red.")
            return done

        await vault.put("a.txt", "The lamp is green.")
        await vault.sync()
        await vault.put("a.txt", "The lamp is red.")
        await vault.put("z.txt", "The lamp is green.")
        monkeypatch.setattr(store_sync.StoreSync, "_step", step)
        assert counted(await vault.sync()) == {"changed": 1, "moved": 1}
        assert len(embedding.begun) == 2


async def test_new_bytes_that_are_ready_just_then(settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older version that was kept because the newer was not ready goes with the end of the sync, though it is ready since."""
    real = store_sync.StoreSync._step

    async with gated(settings) as (vault, embedding):

        async def step(self: Any, operation: Any, changes: Any) -> int:
            done = await real(self, operation, changes)
            if changes[0].kind == "deleted":
                embedding.gate.set()
                await ready(vault, "The lamp is red.")
            return done

        await vault.put("a.txt", "The lamp is green.")
        await vault.sync()
        await vault.put("a.txt", "The lamp is red.")
        embedding.gate.clear()
        monkeypatch.setattr(store_sync.StoreSync, "_step", step)
        state = await vault.sync()
        assert (counted(state), state["report"]["matches"]) == ({"changed": 1}, True)
        assert [hit["text"] for hit in await vault.running.search(vault.tenant, "lamp")] == ["The lamp is red."]


async def test_new_bytes_that_a_person_has_indexed_again(vault: Vault) -> None:
    """A newer version that failed, and is ready once a person had it tried again, takes the older one's place at once."""
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    await vault.put("lamp.txt", "The lamp is red.")
    blobs = {path.read_bytes(): path for path in blobs_of(vault.running, vault.tenant)}
    blobs[b"The lamp is red."].write_bytes(b"The lamp is black.")
    assert (await vault.sync())["status"] == "failed"
    assert [hit["text"] for hit in await vault.running.search(vault.tenant, "lamp")] == ["The lamp is green."]
    blobs[b"The lamp is red."].write_bytes(b"The lamp is red.")
    (newer,) = [file["id"] for file in (await vault.running.files(vault.tenant)).values() if file["state"] == "failed"]
    await vault.running.act(vault.tenant, "resync", newer)
    await vault.running.settled(vault.tenant)
    assert [hit["text"] for hit in await vault.running.search(vault.tenant, "lamp")] == ["The lamp is red."]
    assert (await vault.refresh())["matches"] is True


async def test_deleted(vault: Vault) -> None:
    """What is gone from the vault is in no later answer, and its bytes, which nobody else has, leave the disk."""
    await vault.put("green.txt", "The lamp is green.")
    await vault.put("red.txt", "The lamp is red.")
    await vault.sync()
    await vault.remove("green.txt")
    state = await vault.sync()
    assert (counted(state), state["report"]["inVault"]) == ({"deleted": 1, "unchanged": 1}, 1)
    assert await found(vault, "green lamp") == {"red.txt"}
    assert set(await vault.synced()) == {"red.txt"}


async def test_same_bytes_at_two_paths(vault: Vault) -> None:
    """Two assets with the same bytes are two files; when one goes, or changes, the other answers on."""
    await vault.put("a.txt", "The lamp is green.")
    await vault.put("b.txt", "The lamp is green.")
    state = await vault.sync()
    assert (counted(state), state["report"]["inStore"]) == ({"new": 2}, 2)
    await vault.remove("a.txt")
    await vault.put("c.txt", "The lamp is green.")
    assert counted(await vault.sync()) == {"moved": 1, "unchanged": 1}
    await vault.put("b.txt", "The door is brown.")
    assert counted(await vault.sync()) == {"changed": 1, "unchanged": 1}
    await vault.put("d.txt", "The lamp is green.")
    assert counted(await vault.sync()) == {"new": 1, "unchanged": 2}
    await vault.remove("c.txt")
    assert counted(await vault.sync()) == {"deleted": 1, "unchanged": 2}
    assert await found(vault, "green lamp", topK=1) == {"d.txt"}


async def test_beside_uploads(vault: Vault) -> None:
    """A file that an account uploaded is none of a sync's business, though the vault has or had the same bytes."""
    uploaded = await vault.running.upload(vault.tenant, "The lamp is green.", "own.txt")
    await vault.put("lamp.txt", "The lamp is green.")
    assert (await vault.sync())["report"]["inStore"] == 1
    await vault.remove("lamp.txt")
    assert (await vault.sync())["report"]["deleted"] == 1
    assert set(await vault.running.files(vault.tenant)) == {uploaded}
    assert await found(vault, "lamp") == {"own.txt"}


async def test_some_assets(vault: Vault, globex: Tenant) -> None:
    """Named assets are synced and no others, gone ones too; an id that nobody has, or another tenant, is refused by name."""
    red, green = [await vault.put(f"{colour}.txt", f"The lamp is {colour}.") for colour in ("red", "green")]
    state = await vault.sync(red)
    assert (counted(state), set(await vault.synced())) == ({"new": 1}, {"red.txt"})
    assert state["report"]["matches"] is False
    await vault.remove("red.txt")
    await vault.put("blue.txt", "The lamp is blue.")
    assert counted(await vault.sync(green, red)) == {"new": 1, "deleted": 1}
    assert set(await vault.synced()) == {"green.txt"}
    theirs = await Vault(vault.running, globex).put("x.txt", "secret words")
    for unknown in (theirs, red, "nothing"):
        reply = await vault.begin(green, unknown)
        assert (reply.status, unknown in reply.error["message"]) == (404, True)
    path = f"{vault.tenant.path}/store/sync"
    for body, field in (({"assetIds": []}, "assetIds"), ({"assetIds": [1]}, "assetIds.0"), ({"all": True}, "all")):
        assert (await vault.running.send("POST", path, key=vault.tenant.key, json=body)).fields == {field}


async def test_another_asset_at_the_path(vault: Vault) -> None:
    """An asset that was deleted and put again with the same bytes is the same file, under the new asset's id."""
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    before = (await vault.synced())["lamp.txt"]
    await vault.remove("lamp.txt")
    asset_id = await vault.put("lamp.txt", "The lamp is green.")
    assert counted(await vault.sync()) == {"unchanged": 1}
    after = (await vault.synced())["lamp.txt"]
    assert (after["id"], after["asset_id"]) == (before["id"], asset_id)


async def test_one_at_a_time(settings: Settings, brisk: None) -> None:
    """While a sync runs, also through many calls at once, each call gets its id, whatever it asks for."""
    async with gated(settings) as (vault, embedding):
        embedding.gate.clear()
        asset_id = await vault.put("lamp.txt", "The lamp is green.")
        replies = await asyncio.gather(*(vault.begin() for _ in range(8)), vault.begin(asset_id))
        assert {reply.status for reply in replies} == {202}
        assert len({reply.data["operationId"] for reply in replies}) == 1
        assert sum(reply.data["isNew"] for reply in replies) == 1
        embedding.gate.set()
        state = (await vault.running.settled(vault.tenant))[-1]
        assert (state["operationId"], counted(state)) == (replies[0].data["operationId"], {"new": 1})
        assert (await vault.begin()).data["isNew"] is True


async def test_cancelled_and_taken_up(settings: Settings, brisk: None) -> None:
    """A cancelled sync stays so; the next one takes up what it left."""
    async with gated(settings) as (vault, embedding):
        embedding.gate.clear()
        for number in range(4):
            await vault.put(f"{number}.txt", f"The lamp number {number} is green.")
        await vault.begin()
        await until(lambda: len(embedding.begun) == 2)
        cancelled = await vault.running.send("DELETE", f"{vault.tenant.path}/store/sync", key=vault.tenant.key)
        assert cancelled.data["cancelledFiles"] == 4
        assert (await vault.running.settled(vault.tenant))[-1]["status"] == "failed"
        await until(lambda: not vault.running.app[keys.STORE_SYNC]._tasks)
        embedding.gate.set()
        state = await vault.sync()
        assert (state["status"], counted(state)) == ("completed", {"retried": 4})
        assert state["report"]["matches"] is True


async def test_beside_an_open_operation(settings: Settings, brisk: None) -> None:
    """A sync joins the uploads that are being indexed; the operation ends when both are through."""
    async with gated(settings) as (vault, embedding):
        embedding.gate.clear()
        first = await vault.running.post_file(vault.tenant, b"The door is brown.", "door.txt")
        await vault.put("lamp.txt", "The lamp is green.")
        assert (await vault.begin()).data["operationId"] == first.data["operationId"]
        third = await vault.running.post_file(vault.tenant, b"The chair is white.", "chair.txt")
        assert third.data["operationId"] == first.data["operationId"]
        embedding.gate.set()
        state = (await vault.running.settled(vault.tenant))[-1]
        assert (state["status"], state["totalFiles"], counted(state)) == ("completed", 3, {"new": 1})


async def test_kinds_that_are_not_indexed(vault: Vault) -> None:
    """A photo is passed over with its reason, fails nothing, and is not tried again by the next sync."""
    asset_id = await vault.put("photos/sofa.png", PNG)
    await vault.put("lamp.txt", "The lamp is green.")
    state = await vault.sync()
    assert (state["status"], state["failedFiles"], counted(state)) == ("completed", 0, {"new": 2, "skipped": 1})
    assert state["report"]["matches"] is True
    (problem,) = state["report"]["problems"]
    assert (problem["assetId"], problem["state"], problem["reason"]) == (asset_id, "skipped", "unsupported")
    assert "PNG image" in problem["message"]
    store = (await vault.running.send("GET", f"{vault.tenant.path}/store", key=vault.tenant.key)).data
    assert (store["counts"]["skipped"], store["counts"]["failed"], store["counts"]["active"]) == (1, 0, 1)
    again = await vault.sync()
    assert (again["totalFiles"], counted(again)) == (0, {"unchanged": 2, "skipped": 1})
    (photo,) = await vault.running.act(vault.tenant, "resync", (await vault.synced())["photos/sofa.png"]["id"])
    assert photo["ok"]
    await vault.running.settled(vault.tenant)
    assert (await vault.synced())["photos/sofa.png"]["state"] == "skipped"


async def test_a_document_that_became_a_photo(vault: Vault) -> None:
    """Where other bytes at a path are of a kind that is not indexed, the document that was there leaves the answers."""
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    await vault.put("lamp.txt", PNG)
    state = await vault.sync()
    assert (counted(state), state["report"]["matches"]) == ({"changed": 1, "skipped": 1}, True)
    assert await found(vault, "lamp") == set()
    assert len(await vault.running.files(vault.tenant)) == 1


@pytest.mark.parametrize("fault", ["missing", "changed"])
async def test_bytes_that_are_not_whole(vault: Vault, fault: str) -> None:
    """A file whose bytes are gone from the disk, or are others, fails alone and says so; once they are back it is taken up."""
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.put("door.txt", "The door is brown.")
    blobs = {path.read_bytes(): path for path in vault.running.app[keys.SETTINGS].data_dir.glob("files/*/*/*") if path.is_file()}
    blob = blobs[b"The lamp is green."]
    blob.unlink() if fault == "missing" else blob.write_bytes(b"The lamp is black.")
    state = await vault.sync()
    assert (state["status"], counted(state)) == ("failed", {"new": 2, "failed": 1})
    assert [(p["path"], p["reason"]) for p in state["report"]["problems"]] == [("lamp.txt", f"bytes_{fault}")]
    assert await found(vault, "lamp door") == {"door.txt"}
    blob.write_bytes(b"The lamp is green.")
    again = await vault.sync()
    assert (again["status"], counted(again)) == ("completed", {"retried": 1, "unchanged": 1})


async def test_excluded_stays_excluded(settings: Settings, brisk: None) -> None:
    """What a person took out of answers stays out when it moves or changes, also when they did so while it changed."""
    async with gated(settings) as (vault, embedding):
        for name in ("a", "b"):
            await vault.put(f"{name}.txt", f"The lamp of {name} is green.")
        await vault.sync()
        files = await vault.synced()
        await vault.running.act(vault.tenant, "exclude", files["a.txt"]["id"])
        await vault.put("a.txt", "The lamp of a is red.")
        await vault.sync()
        assert (await vault.synced())["a.txt"]["excluded"] is True
        embedding.gate.clear()
        await vault.put("b.txt", "The lamp of b is red.")
        await vault.begin()
        await until(lambda: len(embedding.begun) == 4)
        await vault.running.act(vault.tenant, "exclude", files["b.txt"]["id"])
        embedding.gate.set()
        await vault.running.settled(vault.tenant)
        assert await found(vault, "lamp") == set()
        await vault.remove("b.txt")
        await vault.put("c.txt", "The lamp of b is red.")
        await vault.sync()
        assert {path: file["excluded"] for path, file in (await vault.synced()).items()} == {"a.txt": True, "c.txt": True}
        ids = [file["id"] for file in (await vault.synced()).values()]
        assert [result["ok"] for result in await vault.running.act(vault.tenant, "include", *ids)] == [True, True]
        assert await found(vault, "lamp") == {"a.txt", "c.txt"}


async def test_actions_on_synced_files(vault: Vault) -> None:
    """Each bulk action works on synced files as on others; one that was deleted comes back with the next sync."""
    for name in ("a", "b"):
        await vault.put(f"{name}.txt", f"The lamp of {name} is green.")
    await vault.sync()
    files = await vault.synced()
    ids = [files[f"{name}.txt"]["id"] for name in ("a", "b")]
    for action in ("exclude", "include", "resync"):
        assert [result["ok"] for result in await vault.running.act(vault.tenant, action, *ids)] == [True, True]
        await vault.running.settled(vault.tenant)
    assert await found(vault, "lamp") == {"a.txt", "b.txt"}
    assert [result["ok"] for result in await vault.running.act(vault.tenant, "delete", ids[0], "nothing")] == [True, False]
    assert await found(vault, "lamp") == {"b.txt"}
    assert (await vault.refresh())["new"] == 1
    assert counted(await vault.sync()) == {"new": 1, "unchanged": 1}
    assert await found(vault, "lamp") == {"a.txt", "b.txt"}


async def test_deleting_what_is_being_synced(settings: Settings, brisk: None) -> None:
    """A sync whose files are deleted on their way ends, and says that store and vault differ."""
    async with gated(settings) as (vault, embedding):
        embedding.gate.clear()
        for number in range(4):
            await vault.put(f"{number}.txt", f"The lamp number {number} is green.")
        await vault.begin()
        await until(lambda: len(embedding.begun) == 2)
        ids = [file["id"] for file in (await vault.synced()).values()]
        await vault.running.act(vault.tenant, "delete", *ids)
        state = (await vault.running.settled(vault.tenant))[-1]
        assert (state["status"], state["report"]["matches"], state["report"]["inStore"]) == ("completed", False, 0)
        embedding.gate.set()


async def test_refresh(vault: Vault) -> None:
    """A refresh tells what a sync would do, with each change by path, and changes nothing; the sync then does just that."""
    for name in ("same", "changed", "moved", "gone"):
        await vault.put(f"{name}.txt", f"The lamp called {name} is green.")
    assert (await vault.refresh())["new"] == 4
    await vault.sync()
    await vault.put("changed.txt", "The lamp is red now.")
    await vault.remove("moved.txt")
    await vault.remove("gone.txt")
    await vault.put("there.txt", "The lamp called moved is green.")
    await vault.put("new.txt", "The lamp is new.")
    before = await everything(vault.running)
    told = await vault.refresh()
    assert await everything(vault.running) == before
    changes = {change["path"]: change for change in told["changes"]}
    assert {path: change["change"] for path, change in changes.items()} == {
        "changed.txt": "changed",
        "gone.txt": "deleted",
        "new.txt": "new",
        "there.txt": "moved",
    }
    assert changes["there.txt"]["fromPath"] == "moved.txt"
    assert (told["inVault"], told["inStore"], told["matches"]) == (4, 1, False)
    state = await vault.sync()
    assert counted(state) == counted({"report": told}) == dict.fromkeys(("new", "changed", "moved", "deleted", "unchanged"), 1)
    told = await vault.refresh()
    assert (told["changes"], told["matches"], told["unchanged"]) == ([], True, 4)


async def test_storage(settings: Settings, brisk: None) -> None:
    """Bytes that are in the vault and in the store count once, and syncing needs no room; those of uploads count beside."""
    small = settings.model_copy(update={"plans": Plans(pro=Plan(storage_bytes=60))})
    async with serving(small) as running:
        vault = Vault(running, await running.register("Acme"))
        await vault.put("lamp.txt", "x" * 50)
        assert (await vault.sync())["report"]["inStore"] == 1
        store = (await running.send("GET", f"{vault.tenant.path}/store", key=vault.tenant.key)).data
        usage = (await running.send("GET", "/api/v1/usage", key=vault.tenant.key)).data
        assert store["storage"] == {"usedBytes": 50, "quotaBytes": 60}
        assert usage["storage"]["used"] == 50
        assert (await running.post_file(vault.tenant, b"y" * 11, "y.txt")).status == 429
        assert (await running.post_file(vault.tenant, b"y" * 10, "y.txt")).status == 202
        await running.settled(vault.tenant)
        await vault.remove("lamp.txt")
        store = (await running.send("GET", f"{vault.tenant.path}/store", key=vault.tenant.key)).data
        assert store["storage"]["usedBytes"] == 60
        await vault.sync()
        store = (await running.send("GET", f"{vault.tenant.path}/store", key=vault.tenant.key)).data
        assert store["storage"]["usedBytes"] == 10


async def test_bytes_live_as_long_as_anyone_has_them(vault: Vault) -> None:
    """A blob stays on the disk while the vault or the store has it, and goes with the last of them."""
    tenant, running = vault.tenant, vault.running
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    await running.act(tenant, "delete", (await vault.synced())["lamp.txt"]["id"])
    await until(lambda: not running.app[keys.INDEXING]._running)
    assert len(blobs_of(running, tenant)) == 1
    assert counted(await vault.sync()) == {"new": 1}
    await vault.remove("lamp.txt")
    assert len(blobs_of(running, tenant)) == 1
    assert await found(vault, "lamp") == {"lamp.txt"}
    await vault.sync()
    await until(lambda: not blobs_of(running, tenant))


async def test_bound_keys(vault: Vault, second: Account) -> None:
    """A key that is bound to an account neither syncs nor refreshes; it reads no report, but finds what was synced."""
    await vault.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    key, _ = await vault.running.issue(vault.tenant, account=second)
    assert (await vault.begin(key=key)).status == 403
    assert (await vault.running.send("POST", f"{vault.tenant.path}/store/refresh", key=key)).status == 403
    progress = await vault.running.send("GET", f"{vault.tenant.path}/store/progress", key=key)
    assert (progress.data["status"], progress.data["report"]) == ("completed", None)


async def test_tenants_apart(vault: Vault, globex: Tenant) -> None:
    """The same paths and bytes in two vaults are two tenants' own files."""
    other = Vault(vault.running, globex)
    await vault.put("lamp.txt", "The lamp is green.")
    await other.put("lamp.txt", "The lamp is green.")
    await vault.sync()
    assert await other.synced() == {}
    await other.sync()
    await vault.remove("lamp.txt")
    await vault.sync()
    assert (await found(vault, "lamp"), await found(other, "lamp")) == (set(), {"lamp.txt"})


async def test_audit(vault: Vault) -> None:
    """A sync's beginning is its caller's entry, the rest the system's: each file that came, moved, went, and what it came to."""
    for name in ("gone", "moved", "changed"):
        await vault.put(f"{name}.txt", f"The lamp called {name} is green.")
    await vault.sync()
    gone = await vault.remove("gone.txt")
    await vault.remove("moved.txt")
    await vault.put("there.txt", "The lamp called moved is green.")
    changed = await vault.put("changed.txt", "The lamp is red.")
    photo = await vault.put("x.png", PNG)
    start = len(await entries(vault.running, vault.tenant.id))
    state = await vault.sync()
    await vault.sync()
    told = (await entries(vault.running, vault.tenant.id))[start:]
    assert told[0].actor.startswith("key:")
    assert {entry.actor for entry in told[1:-2]} == {"system"}
    kinds = [entry.event_type for entry in told]
    assert kinds[0] == kinds[-2] == "sync.started"
    assert kinds[-1] == kinds[-3] == "sync.completed"
    assert sorted(kinds[1:-3]) == sorted(
        ["file.imported"] * 2 + ["file.moved", "file.deleted", "file.indexed", "file.skipped", "file.deleted"]
    )
    assert [entry.asset_id for entry in told if entry.event_type == "file.skipped"] == [photo]
    why = {entry.asset_id: entry.details["why"] for entry in told if entry.event_type == "file.deleted"}
    assert why == {gone: "gone", changed: "replaced"}
    (ended,) = [entry for entry in told if entry.event_type == "sync.completed" and entry.subject_id == state["operationId"]]
    assert ended.details["report"]["moved"] == 1
    path = f"{vault.tenant.path}/store/audit?assetId={changed}"
    logs = (await vault.running.send("GET", path, key=vault.tenant.key)).data["logs"]
    told_by_store = [log["event_type"] for log in logs if not log["event_type"].startswith("asset")]
    assert told_by_store == ["file_deleted", "sync_completed", "sync_started", "sync_completed", "sync_started"]
    named = await vault.running.send("GET", f"{vault.tenant.path}/store/audit?eventType=operation_started", key=vault.tenant.key)
    assert named.data["total"] == 3


async def test_nothing_without_its_entry(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log can't be written nothing of a step is done, and the sync goes on when it can again."""
    await vault.put("lamp.txt", "The lamp is green.")
    real, failed = audit.record, asyncio.Event()

    async def full(*given: Any, **more: Any) -> None:
        if more["event_type"] == "file.imported" and not failed.is_set():
            failed.set()
            raise NotReady
        await real(*given, **more)

    monkeypatch.setattr(store_sync, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(audit, "record", full)
    state = await vault.sync()
    assert failed.is_set()
    assert counted(state) == {"new": 1}


async def test_a_fault_of_ours(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that meets a fault ends as failed, with a sentence and no more; the next one works."""
    await vault.put("lamp.txt", "The lamp is green.")
    real = sync_steps.bring_in

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(sync_steps, "bring_in", broken)
    state = await vault.sync()
    assert (state["status"], state["report"]["error"]) == ("failed", store_sync.OUR_FAULT)
    assert [e.event_type for e in await entries(vault.running, vault.tenant.id)][-1] == "sync.failed"
    monkeypatch.setattr(sync_steps, "bring_in", real)
    assert counted(await vault.sync()) == {"new": 1}


@pytest.mark.parametrize("steps", range(5))
async def test_restart_while_comparing(settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """A sync that is cut off after any step goes on at the next start, and its report counts each thing once."""
    monkeypatch.setattr(store_sync, "CHANGES_A_STEP", 1)
    embedding, reached = GatedEmbedding(), asyncio.Event()
    real = store_sync.StoreSync._step
    done = 0

    async def stick(self: Any, *given: Any) -> int:
        nonlocal done
        if done >= steps:
            reached.set()
            await asyncio.Event().wait()
        done += 1
        return await real(self, *given)

    async with serving(settings, embedding=embedding) as running:
        vault = Vault(running, await running.register("Acme"))
        embedding.gate.set()
        for name in ("same", "moved", "gone"):
            await vault.put(f"{name}.txt", f"The lamp called {name} is green.")
        await vault.sync()
        await vault.remove("moved.txt")
        await vault.remove("gone.txt")
        await vault.put("there.txt", "The lamp called moved is green.")
        await vault.put("new.txt", "The lamp is new.")
        monkeypatch.setattr(store_sync.StoreSync, "_step", stick)
        operation = (await vault.begin()).data["operationId"]
        if steps < 3:
            await reached.wait()
    monkeypatch.setattr(store_sync.StoreSync, "_step", real)
    async with serving(settings) as running:
        vault = Vault(running, vault.tenant)
        state = (await running.settled(vault.tenant))[-1]
        assert (state["operationId"], state["status"]) == (operation, "completed")
        assert counted(state) == {"new": 1, "moved": 1, "deleted": 1, "unchanged": 1}
        assert state["report"]["matches"] is True
        events = [entry.event_type for entry in await entries(running, vault.tenant.id)]
        assert events.count("sync.started") == events.count("sync.completed") == 2
        assert events.count("file.imported") == 4
        assert counted(await vault.sync()) == {"unchanged": 3}


async def test_restart_while_indexing(settings: Settings, brisk: None) -> None:
    """A sync that is cut off while its files are indexed goes on with them."""
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        vault = Vault(running, await running.register("Acme"))
        for number in range(3):
            await vault.put(f"{number}.txt", f"The lamp number {number} is green.")
        await vault.begin()
        await until(lambda: len(embedding.begun) == 2)
    async with serving(settings) as running:
        state = (await running.settled(vault.tenant))[-1]
        assert (state["status"], counted(state), state["report"]["matches"]) == ("completed", {"new": 3}, True)


async def test_live_progress(vault: Vault) -> None:
    """The live progress of a sync tells the report as it grows, and never goes back."""
    for number in range(6):
        await vault.put(f"{number}.txt", f"The lamp number {number} is green.")
    await vault.begin()
    headers = {"Accept": "text/event-stream"}
    reply = await vault.running.send("GET", f"{vault.tenant.path}/store/progress", key=vault.tenant.key, headers=headers)
    states = events_of(reply.text)
    percentages = [state["percentage"] for state in states]
    assert percentages == sorted(percentages)
    assert all(json.dumps(state["report"]) for state in states)
    assert states[-1]["report"]["inStore"] == 6


async def test_the_queue_takes_turns(settings: Settings, brisk: None) -> None:
    """While one tenant syncs a hundred files, nine others have theirs before its tenth, but one whose reader starts."""
    async with gated(settings) as (big, embedding):
        embedding.gate.clear()
        for number in range(100):
            await big.put(f"{number}.txt", f"big{number} words of the big one.")
        small = [Vault(big.running, await big.running.register("Small")) for _ in range(9)]
        for at, vault in enumerate(small):
            for number in range(3):
                await vault.put(f"{number}.txt", f"small{at} words number {number}.")
        await big.begin()
        await until(lambda: embedding.begun)
        for vault in small:
            await vault.begin()
        await until(lambda: not [1 for task in big.running.app[keys.STORE_SYNC]._tasks.values() if task.done()])
        for vault in small:
            while (await big.running.send("GET", f"{vault.tenant.path}/store/progress", key=vault.tenant.key)).data[
                "totalFiles"
            ] < 3:
                pass
        embedding.gate.set()
        for vault in (*small, big):
            assert (await big.running.settled(vault.tenant))[-1]["status"] == "completed"
        small_ones = [at for at, word in enumerate(embedding.begun) if word.startswith("small")]
        assert sum(word.startswith("big") for word in embedding.begun[: small_ones[-2]]) < 10
