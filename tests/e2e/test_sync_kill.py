"""A server that is killed at any point of a sync goes on with it, does nothing twice, and leaves no sync in progress."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tenantai.settings import Settings
from tenantai.storage.migrating import Layout
from tests.e2e.test_kill import call, compare_records, process, register
from tests.running import events_of

ROUNDS = 8
PATHS = 30


def text_of(number: int) -> str:
    """Return a document, of which there are fewer than paths, so that bytes move and stand at two places."""
    return " ".join(f"Sentence {n} of the unique{number}word tells of lamps." for n in range(3 + number % 7))


async def shuffle(session: aiohttp.ClientSession, vault: str, held: dict[str, str], rounds: random.Random) -> None:
    """Put, change, move and delete some assets."""
    for _ in range(12):
        path = f"folder/{rounds.randrange(PATHS)}.txt"
        if path in held and rounds.random() < 0.4:
            await call(session, "DELETE", f"{vault}/{held.pop(path)}")
            continue
        form = aiohttp.FormData()
        form.add_field("file", text_of(rounds.randrange(PATHS)).encode(), filename="file")
        asset: Any = (await call(session, "POST", vault, data=form, params={"path": path}))["asset"]
        held[path] = asset["id"]


async def progress_of(session: aiohttp.ClientSession, store: str) -> dict[str, Any]:
    """Follow the newest operation to its end."""
    async with session.get(f"{store}/progress", headers={"Accept": "text/event-stream"}) as live:
        return events_of(await live.text())[-1]


async def test_killed_while_syncing(settings: Settings) -> None:
    """After kills at random points the sync that was running ends, and one more makes store and vault the same."""
    rounds, held = random.Random(20260724), dict[str, str]()
    data_dir, headers, path = settings.data_dir, dict[str, str](), ""
    for _ in range(ROUNDS):
        async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
            if not headers:
                path, _files = await register(session, url)
                headers["x-api-key"] = session.headers["x-api-key"]
            await progress_of(session, f"{url}{path}/store")
            await shuffle(session, f"{url}{path}/assets", held, rounds)
            with suppress(TimeoutError):
                async with asyncio.timeout(rounds.uniform(0.0, 0.3)):
                    await call(session, "POST", f"{url}{path}/store/sync")
                    await progress_of(session, f"{url}{path}/store")
    async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
        store = f"{url}{path}/store"
        assert (await progress_of(session, store))["status"] == "completed"
        await call(session, "POST", f"{store}/sync")
        report = (await progress_of(session, store))["report"]
        assert (report["matches"], report["inVault"], report["inStore"]) == (True, len(held), len(held))
        assert (await call(session, "POST", f"{store}/sync"))["isNew"] is True
        again = await progress_of(session, store)
        assert (again["totalFiles"], again["report"]["unchanged"]) == (0, len(held))
        files: Any = (await call(session, "GET", f"{store}?limit=200"))["files"]
        assert {file["asset_path"]: file["asset_id"] for file in files} == held
        proof = await call(session, "GET", f"{url}/api/v1/audit/verify")
        assert (proof["isValid"], proof["isComplete"]) == (True, True)
    compare_records(data_dir, {file["id"]: file["chunk_count"] for file in files})
    compare_with_log(data_dir)


def compare_with_log(data_dir: Path) -> None:
    """Hold operations and files against the log: each sync began and ended once, and each file came once."""
    with closing(sqlite3.connect(Layout(data_dir).database)) as connection:
        count = Counter(row[0] for row in connection.execute("SELECT event_type FROM audit_entries"))
        syncs = connection.execute("SELECT count(*) FROM operations WHERE kind = 'sync'").fetchone()[0]
        assert count["sync.started"] == count["sync.completed"] == syncs
        assert connection.execute("SELECT count(*) FROM operations WHERE status = 'in_progress'").fetchone() == (0,)
        imported = "SELECT count(DISTINCT subject_id), count(*) FROM audit_entries WHERE event_type = 'file.imported'"
        distinct, entries = connection.execute(imported).fetchone()
        assert distinct == entries
        live = connection.execute("SELECT count(*) FROM files").fetchone()[0]
        assert live == entries - count["file.deleted"]
