"""A disk that is really full: requests are refused with a sentence, nothing is half written, all goes on once there is room."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import aiohttp
import pytest

from tenantai.server import keys
from tenantai.server.services import indexing
from tenantai.server.services.metering.proof import drift
from tenantai.settings import Settings
from tenantai.storage.migrating import Layout
from tests.gated_embedding import GatedEmbedding
from tests.running import API, WAIT_SECONDS, Reply, Running, Tenant, events_of, kinds, serving, until

DISK_MEGABYTES = 32
FILLER_BYTES = 256 * 1024
BIG = b"Numbers: " + b" ".join(b"%d" % n for n in range(40_000))


@pytest.fixture
def disk(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings whose data folder is a small disk of its own."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small disk is mounted by root only")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        data_dir = folder / "data"
        shutil.copytree(settings.data_dir, data_dir)
        yield settings.model_copy(update={"data_dir": data_dir})
    finally:
        subprocess.run(["umount", str(folder)], check=True)


class Filler:
    """A file that takes all the room there is."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._data_dir = running.app[keys.SETTINGS].data_dir
        self.path = self._data_dir.parent / "filler"

    async def fill(self) -> None:
        """Take the room, again and again until the database can write no more."""
        while True:
            await asyncio.to_thread(self._take)
            if (await self._running.send("GET", f"{API}/ready")).status == 503:
                return

    def _take(self) -> None:
        with closing(sqlite3.connect(Layout(self._data_dir).database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with self.path.open("ab", buffering=0) as file:
            for size in (FILLER_BYTES, 4096, 1):
                with suppress(OSError):
                    while file.write(b"x" * size) == size:
                        pass

    def free(self) -> None:
        """Give it back."""
        self.path.unlink()


def refused(reply: Reply) -> str:
    """Return the sentence of a refusal for lack of room."""
    assert reply.status == 503, reply.text
    assert reply.error["code"] == "NOT_READY"
    assert reply.headers["Retry-After"].isdigit()
    return str(reply.error["message"])


async def post_asset(running: Running, tenant: Tenant, content: bytes, path: str) -> Reply:
    form = aiohttp.FormData()
    form.add_field("file", content, filename="file")
    return await running.send("POST", f"{tenant.path}/assets", key=tenant.key, data=form, params={"path": path})


def blobs(running: Running) -> list[Path]:
    """Return every file below the folder of bytes."""
    return [path for path in (running.app[keys.SETTINGS].data_dir / "files").rglob("*") if path.is_file()]


async def changes_refused(filler: Filler, running: Running, tenant: Tenant) -> None:
    """Each way to change something is refused, with a sentence; what some other part gave back meanwhile is taken first."""
    new, whole = {"name": "Late", "role": "member"}, {"Accept": "application/json"}
    await filler.fill()
    assert "disk is full" in refused(await running.post_file(tenant, BIG, "big.txt"))
    assert "disk is full" in refused(await post_asset(running, tenant, BIG, "big.txt"))
    await filler.fill()
    assert "Try again" in refused(await running.send("POST", f"{tenant.path}/store/sync", key=tenant.key))
    await filler.fill()
    assert "Try again" in refused(await running.send("POST", f"{tenant.path}/accounts", key=tenant.key, json=new))
    await filler.fill()
    assert "Try again" in refused(await running.ask(tenant, "Where is the boiler?", headers=whole))
    await filler.fill()
    streamed = await running.ask(tenant, "Where is the boiler?")
    assert streamed.status == 200
    assert "error" in kinds(events_of(streamed.text))
    assert (await running.send("GET", f"{API}/health")).status == 200
    assert (await running.send("GET", f"{tenant.path}/store", key=tenant.key)).status == 200


async def test_full_and_free_again(disk: Settings, brisk: None) -> None:
    """What was there stays, nothing half made is left, and each refused request succeeds once there is room."""
    async with serving(disk) as running:
        tenant = await running.register("Acme")
        await running.upload(tenant, "The boiler is in the cellar.", "boiler.txt")
        before = sorted(blobs(running))
        filler = Filler(running)
        await changes_refused(filler, running, tenant)
        assert sorted(blobs(running)) == before
        filler.free()

        assert (await running.send("GET", f"{API}/ready")).status == 200
        assert (await running.post_file(tenant, b"The lift is in the hall.", "lift.txt")).status == 202
        assert (await post_asset(running, tenant, b"The roof is flat.", "roof.txt")).status == 201
        await running.settled(tenant)
        assert (await running.send("POST", f"{tenant.path}/store/sync", key=tenant.key)).status == 202
        assert (await running.settled(tenant))[-1]["status"] == "completed"
        assert (await running.answer(tenant, "Where is the boiler?"))[-1]["type"] == "finish"
        await whole_again(running, tenant)
        assert await analytics(running, "up") == "up"
        history = await running.send("GET", f"{API}/usage/history?groupBy=status", key=tenant.key)
        assert {bucket["group"] for bucket in history.data["buckets"]} >= {"200", "503"}


async def analytics(running: Running, wanted: str) -> str:
    """Wait until analytics are as wanted; how they are."""
    async with asyncio.timeout(WAIT_SECONDS):
        while (await running.send("GET", f"{API}/ready")).data["checks"]["analytics"]["status"] != wanted:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.02)
    return wanted


async def whole_again(running: Running, tenant: Tenant) -> None:
    """Hold files, log and usage against each other."""
    files = await running.files(tenant)
    assert {file["state"] for file in files.values()} == {"ready"}
    assert {path.name for path in blobs(running)} == {file["sha256"] for file in files.values()}
    proof = (await running.send("GET", f"{API}/audit/verify", key=tenant.key)).data
    assert (proof["isValid"], proof["isComplete"]) == (True, True)
    await running.app[keys.RECORDING].take()
    assert (await drift(running.app[keys.DATABASE].reading, moment=running.app[keys.METER].now()))[1] == []
    assert await running.rows("PRAGMA integrity_check") == [("ok",)]


async def test_full_while_indexing(disk: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose chunks can't be stored is not failed: it waits, and is indexed once there is room, by itself."""
    monkeypatch.setattr(indexing, "RETURN_SECONDS", 0.05)
    embedding = GatedEmbedding()
    async with serving(disk, embedding=embedding) as running:
        tenant = await running.register("Acme")
        assert (await running.post_file(tenant, BIG, "big.txt")).status == 202
        await until(lambda: embedding.begun)
        filler = Filler(running)
        await filler.fill()
        embedding.gate.set()
        await until(lambda: not running.app[keys.INDEXING]._running)
        written = running.app[keys.DATABASE].written
        tries = written.commits
        await until(lambda: written.commits > tries + 5)
        assert {file["state"] for file in (await running.files(tenant)).values()} <= {"pending", "indexing"}
        filler.free()
        await running.settled(tenant)
        await whole_again(running, tenant)
        assert await running.search(tenant, "39999")
