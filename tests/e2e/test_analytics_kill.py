"""A server that is killed at any point counts every event once, in analytics too."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import aiohttp
import duckdb

from tenantai.settings import Settings
from tenantai.storage.migrating import Layout
from tests.e2e.test_kill import call, process, register
from tests.running import API, until

ROUNDS, ASKERS = 6, 3


def are(answered: list[int], count: int) -> bool:
    """Whether so many were answered."""
    return len(answered) >= count


async def load(session: aiohttp.ClientSession, url: str, path: str, answered: list[int]) -> None:
    """Make requests, and ask what was used, until the server is gone."""
    while True:
        for number in range(10):
            await call(session, "GET", f"{url}{path}")
            answered.append(number)
        await call(session, "POST", f"{url}{path}/accounts", json={"name": "A", "role": "member"})
        with suppress(AssertionError):
            await call(session, "GET", f"{url}{API}/usage/history?groupBy=endpoint")


async def test_killed_while_counting(settings: Settings) -> None:
    """After kills at random points analytics hold the events of the database, each once, and so do the hours."""
    chance, headers, path = random.Random(20260725), dict[str, str](), ""
    for _ in range(ROUNDS):
        async with process(settings.data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
            if not headers:
                path, _files = await register(session, url)
                headers["x-api-key"] = session.headers["x-api-key"]
            answered: list[int] = []
            asking = [asyncio.create_task(load(session, url, path, answered)) for _ in range(ASKERS)]
            await until(partial(are, answered, chance.randint(50, 300)))
        await asyncio.gather(*asking, return_exceptions=True)
        assert compared(settings.data_dir, is_whole=False) > 0
    async with process(settings.data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
        await call(session, "GET", f"{url}{API}/usage/history")
    compared(settings.data_dir, is_whole=True)


def compared(data_dir: Path, *, is_whole: bool) -> int:
    """Hold analytics against the database; how many events there are."""
    with closing(sqlite3.connect(Layout(data_dir).database)) as record:
        recorded = dict(record.execute("SELECT number, requests FROM usage_events"))
        entries = [number for (number,) in record.execute("SELECT number FROM audit_entries ORDER BY number")]
    copy = data_dir / "copy.duckdb"
    for name in ("analytics.duckdb", "analytics.duckdb.wal"):
        source, target = Layout(data_dir).analytics / name, copy.with_name(name.replace("analytics", "copy"))
        target.unlink(missing_ok=True)
        if source.exists():
            target.write_bytes(source.read_bytes())
    with duckdb.connect(copy) as counting:
        counted = counting.execute("SELECT number, requests FROM usage_events").fetchall()
        taken = dict(counting.execute("SELECT log, number FROM cursors WHERE log != 'hours'").fetchall())
        (added_up,) = counting.execute("SELECT coalesce(sum(requests), 0) FROM usage_hours").fetchall()[0]
        found = [number for (number,) in counting.execute("SELECT number FROM audit_entries ORDER BY number").fetchall()]
    assert not [number for number, count in Counter(number for number, _ in counted).items() if count > 1]
    assert dict(counted) == {number: requests for number, requests in recorded.items() if number <= taken["usage"]}
    assert added_up == sum(requests for _, requests in counted)
    assert found == [number for number in entries if number <= taken["audit"]]
    if is_whole:
        assert (len(counted), len(found)) == (len(recorded), len(entries))
    return len(recorded)
