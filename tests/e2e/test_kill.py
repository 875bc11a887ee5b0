"""A server that is killed at any point of an ingest loses nothing, doubles nothing and leaves nothing half searchable."""

import asyncio
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import pytest

from tenantai.server.services.indexing import EMBED_CHUNKS
from tenantai.settings import Settings
from tenantai.storage.migrating import Layout
from tests.running import WAIT_SECONDS, events_of, until

ROUNDS = 6
BIG = 500
SERVED = Path(__file__).with_name("served.py")


@asynccontextmanager
async def process(data_dir: Path) -> AsyncIterator[str]:
    """Run a server on the folder while the block runs, then SIGKILL it; yields its address."""
    async with sticking_process(data_dir) as (url, _):
        yield url


@asynccontextmanager
async def sticking_process(data_dir: Path, *sticks: int | str) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
    """Run a server that gets stuck somewhere, if told where; yields its address and what else it tells."""
    served = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SERVED), str(data_dir), *map(str, sticks)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert served.stderr is not None
    try:
        url = (await asyncio.wait_for(served.stderr.readline(), WAIT_SECONDS)).decode().strip()
        assert url.startswith("http"), url
        yield url, served.stderr
    finally:
        with suppress(ProcessLookupError):
            served.kill()
        await served.communicate()


def text_of(number: int) -> str:
    """Return a document with a word of its own, of one to a few chunks."""
    return " ".join(f"Sentence {n} of the unique{number}word tells of lamps and of doors." for n in range(5 + number * 12))


async def call(session: aiohttp.ClientSession, method: str, url: str, **given: object) -> dict[str, object]:
    async with session.request(method, url, **given) as response:  # type: ignore[arg-type]
        body = await response.json()
        assert body["success"], body
        return dict(body["data"])


async def upload_all(session: aiohttp.ClientSession, files_url: str, numbers: list[int], taken: set[int]) -> None:
    """Upload documents one after another, noting each that the server has answered for."""
    for number in numbers:
        form = aiohttp.FormData()
        form.add_field("file", text_of(number).encode(), filename=f"{number}.txt")
        await call(session, "POST", files_url, data=form)
        taken.add(number)


async def test_killed_while_ingesting(settings: Settings) -> None:
    """After kills at random points, a restart indexes every file that was accepted, each exactly once."""
    random_points = random.Random(20260723)
    data_dir, taken = settings.data_dir, set[int]()
    headers: dict[str, str] = {}
    for round_number in range(ROUNDS):
        async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
            if not headers:
                path, files_path = await register(session, url)
                headers["x-api-key"] = session.headers["x-api-key"]
            numbers = [round_number * 2, round_number * 2 + 1]
            uploading = asyncio.create_task(upload_all(session, url + files_path, numbers, taken))
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    follow(session, f"{url}{path}", asyncio.shield(uploading)), random_points.uniform(0.05, 0.5)
                )
        with suppress(aiohttp.ClientError, ConnectionError):
            await uploading
    await finish_and_compare(data_dir, taken, path, headers)


@pytest.mark.parametrize("slices", [0, 1, 2])
async def test_killed_between_two_slices(settings: Settings, slices: int) -> None:
    """Of a file killed when some slices of its chunks are stored nothing is found; after a restart all of it is, once."""
    data_dir, taken = settings.data_dir, set[int]()
    async with sticking_process(data_dir, slices) as (url, told), aiohttp.ClientSession() as session:
        path, files_path = await register(session, url)
        headers = {"x-api-key": session.headers["x-api-key"]}
        await upload_all(session, url + files_path, [BIG], taken)
        assert await asyncio.wait_for(told.readuntil(b"stuck\n"), WAIT_SECONDS)
        query = {"query": f"unique{BIG}word", "topK": 50}
        assert (await call(session, "POST", f"{url}{path}/store/search", json=query))["results"] == []
    with closing(sqlite3.connect(Layout(data_dir).database)) as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (slices * EMBED_CHUNKS,)
        assert connection.execute("SELECT state FROM files").fetchall() == [("indexing",)]
    await finish_and_compare(data_dir, taken, path, headers)
    with closing(sqlite3.connect(Layout(data_dir).database)) as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone()[0] > 2 * EMBED_CHUNKS


async def test_a_percentage_outlives_a_kill(settings: Settings) -> None:
    """What was told of an operation, to a tenant and to one account, is told to be no less after a kill: work is begun anew."""
    data_dir = settings.data_dir
    async with sticking_process(data_dir, 2) as (url, told), aiohttp.ClientSession() as session:
        path, files_path = await register(session, url)
        bound = {"name": "bound", "scopes": ["store:read"], "accountId": files_path.split("/")[-2]}
        made = await call(session, "POST", f"{url}{path}/api-keys", json=bound)
        keys = [session.headers["x-api-key"], str(made["apiKey"])]
        await upload_all(session, url + files_path, [BIG], set())
        assert await asyncio.wait_for(told.readuntil(b"stuck\n"), WAIT_SECONDS)
        before = [await progress_of(session, url + path, key) for key in keys]
    assert all(float(str(one["percentage"])) > 20 for one in before)
    async with sticking_process(data_dir, 0) as (url, told), aiohttp.ClientSession() as session:
        assert await asyncio.wait_for(told.readuntil(b"stuck\n"), WAIT_SECONDS)
        after = [await progress_of(session, url + path, key) for key in keys]
    for was, now in zip(before, after, strict=True):
        assert (now["operationId"], now["status"]) == (was["operationId"], "in_progress")
        assert float(str(now["percentage"])) >= float(str(was["percentage"]))


async def progress_of(session: aiohttp.ClientSession, tenant_url: str, key: str) -> dict[str, object]:
    return await call(session, "GET", f"{tenant_url}/store/progress", headers={"x-api-key": key})


@pytest.mark.parametrize("is_asset", [False, True])
async def test_killed_before_bytes_are_recorded(settings: Settings, is_asset: bool) -> None:
    """Bytes that were kept and not recorded are gone soon after the next start; those that something names stay."""
    data_dir = settings.data_dir
    async with process(data_dir) as url, aiohttp.ClientSession() as session:
        path, files_path = await register(session, url)
        headers = {"x-api-key": session.headers["x-api-key"]}
        await upload_all(session, url + files_path, [1], set())
        await upload_asset(session, f"{url}{path}/assets", "kept")
    before = blobs_of(data_dir)
    async with sticking_process(data_dir, "kept") as (url, told), aiohttp.ClientSession(headers=headers) as session:
        lost = (
            upload_asset(session, f"{url}{path}/assets", "lost")
            if is_asset
            else upload_all(session, url + files_path, [2], set())
        )
        sending = asyncio.create_task(lost)
        assert await asyncio.wait_for(told.readuntil(b"stuck\n"), WAIT_SECONDS)
        assert len(blobs_of(data_dir)) == len(before) + 1
    await asyncio.gather(sending, return_exceptions=True)
    async with process(data_dir):
        await until(lambda: blobs_of(data_dir) == before)
    assert len(before) == 2


def blobs_of(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "files").rglob("*") if path.is_file() and path.parent.name != "incoming"}


async def upload_asset(session: aiohttp.ClientSession, url: str, name: str) -> None:
    form = aiohttp.FormData()
    form.add_field("file", f"In the vault is {name}.".encode(), filename=f"{name}.txt")
    await call(session, "POST", url, data=form)


async def register(session: aiohttp.ClientSession, url: str) -> tuple[str, str]:
    """Register a tenant with an account, whose key the session sends from now on; the paths of the tenant and its files."""
    tenant = await call(session, "POST", f"{url}/api/v1/register", json={"email": "a@x.org", "organizationName": "A"})
    session.headers["x-api-key"] = str(tenant["apiKey"])
    path = f"/api/v1/tenants/{tenant['tenantId']}"
    account = await call(session, "POST", f"{url}{path}/accounts", json={"name": "A", "role": "admin"})
    return path, f"{path}/accounts/{account['id']}/files"


async def follow(session: aiohttp.ClientSession, tenant_url: str, uploading: Awaitable[None]) -> None:
    """Wait for the uploads, then for the queue to end: the longest that a kill can be waited for."""
    await uploading
    with suppress(aiohttp.ClientError):
        async with session.get(f"{tenant_url}/store/progress", headers={"Accept": "text/event-stream"}) as live:
            await live.read()


async def finish_and_compare(data_dir: Path, taken: set[int], path: str, headers: dict[str, str]) -> None:
    """Restart once more, wait for the queue to end, and compare what is searchable with what should be."""
    async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{url}{path}/store/progress", headers={"Accept": "text/event-stream"}) as live:
            assert events_of(await live.text())[-1]["status"] == "completed"
        files = (await call(session, "GET", f"{url}{path}/store?limit=200"))["files"]
        assert isinstance(files, list)
        names = sorted(int(file["name"].removesuffix(".txt")) for file in files)
        assert set(names) >= taken
        assert len(names) == len(set(names))
        assert {file["state"] for file in files} == {"ready"}
        for number in names:
            query = {"query": f"unique{number}word", "topK": 50}
            hits = (await call(session, "POST", f"{url}{path}/store/search", json=query))["results"]
            assert isinstance(hits, list)
            assert {hit["fileName"] for hit in hits if f"unique{number}word" in hit["text"]} == {f"{number}.txt"}
    compare_records(data_dir, {file["id"]: int(file["chunk_count"]) for file in files})
    blobs = [blob for blob in (data_dir / "files").rglob("*") if blob.is_file() and blob.parent.name != "incoming"]
    assert len(blobs) >= len(files)


def compare_records(data_dir: Path, chunk_counts: dict[str, int]) -> None:
    """Hold chunks, vectors, texts and the full-text index against each other."""
    with closing(sqlite3.connect(Layout(data_dir).database)) as connection:

        def column(sql: str) -> list[object]:
            return [row[0] for row in connection.execute(sql)]

        counted = dict(connection.execute("SELECT file_id, count(*) FROM chunks GROUP BY file_id").fetchall())
        assert counted == chunk_counts
        chunks = column("SELECT number FROM chunks ORDER BY number")
        assert column("SELECT chunk_number FROM vectors ORDER BY chunk_number") == chunks
        assert column("SELECT DISTINCT doc FROM full_text_terms ORDER BY doc") == chunks
        assert sorted(column("SELECT file_id FROM file_texts"), key=str) == sorted(chunk_counts)
        connection.execute("INSERT INTO full_text (full_text) VALUES ('integrity-check')")
        ordinals = connection.execute("SELECT file_id, max(ordinal) + 1, count(DISTINCT ordinal) FROM chunks GROUP BY file_id")
        assert all(last == number for _, last, number in ordinals)
