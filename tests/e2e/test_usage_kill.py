"""After a SIGKILL under load no acknowledged request is missing from the usage, and counters equal their events."""

import asyncio
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tenantai.server.services.metering.proof import drift
from tenantai.settings import Settings
from tenantai.storage.database import Database
from tenantai.storage.migrating import Layout
from tests.e2e.test_kill import call, process, register, sticking_process
from tests.running import API, until

ROUNDS, WORKERS = 4, 8


class Load:
    """Requests one after another, counted once they are answered."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address
        self.sent = self.answered = 0

    async def run(self) -> None:
        """Ask until the server is gone."""
        while True:
            self.sent += 1
            async with self._session.get(self._address) as response:
                await response.read()
            self.answered += 1


async def test_killed_under_load(settings: Settings) -> None:
    """What was answered is counted; of what was sent and not answered, at most that."""
    chance, data_dir = random.Random(20261124), settings.data_dir
    key, path, least, most = "", "", 0, 0
    for _ in range(ROUNDS):
        async with process(data_dir) as url, aiohttp.ClientSession(headers={"x-api-key": key} if key else {}) as session:
            if not key:
                path, _files = await register(session, url)
                key = session.headers["x-api-key"]
                least = most = await used_of(session, url)
            loads = [Load(session, f"{url}{path}") for _ in range(WORKERS)]
            running = [asyncio.create_task(load.run()) for load in loads]
            await until(partial(are_answered, loads, chance.randint(50, 600)))
        await asyncio.gather(*running, return_exceptions=True)
        least += sum(load.answered for load in loads)
        most += sum(load.sent for load in loads)
        async with process(data_dir) as url, aiohttp.ClientSession(headers={"x-api-key": key}) as session:
            used = await used_of(session, url) - 1
            least, most = least + 1, most + 1
            assert least - 1 <= used <= most
            most = used + 1
        assert await drifting(data_dir) == []


async def test_killed_while_answering(settings: Settings) -> None:
    """The tokens of an answer that a kill cuts off are counted, those of its last second aside; its message is interrupted."""
    data_dir = settings.data_dir
    async with sticking_process(data_dir, "saying") as (url, _), aiohttp.ClientSession() as session:
        path, _files = await register(session, url)
        headers = {"x-api-key": session.headers["x-api-key"]}
        question = {"tenantId": path.rsplit("/", 1)[1], "message": "What is there to say?"}
        async with session.post(f"{url}{API}/chat", json=question) as stream:
            conversation = stream.headers["X-Conversation-Id"]
            for _ in range(20):
                while not (await stream.content.readline()).startswith(b'data: {"type":"text-delta"'):
                    pass
            while not (used := await tokens_of(session, url)):
                pass
    async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
        assert await tokens_of(session, url) >= used
        messages: Any = (await call(session, "GET", f"{url}{API}/chat/history/{conversation}"))["messages"]
        assert [message["status"] for message in messages] == ["complete", "interrupted"]
    assert await drifting(data_dir) == []


async def tokens_of(session: aiohttp.ClientSession, url: str) -> int:
    """Return how many tokens of the month the server has counted."""
    report: Any = await call(session, "GET", f"{url}{API}/usage")
    return int(report["tokens"]["used"])


async def used_of(session: aiohttp.ClientSession, url: str) -> int:
    """Return how many requests of the month the server has counted."""
    report: Any = await call(session, "GET", f"{url}{API}/usage")
    return int(report["requests"]["used"])


def are_answered(loads: list[Load], at_least: int) -> bool:
    """Whether so many requests were answered."""
    return sum(load.answered for load in loads) >= at_least


async def drifting(data_dir: Path) -> list[str]:
    """Return the counters that differ from their events."""
    database = Database(Layout(data_dir).database)
    await database.open()
    try:
        counters, found = await drift(database.reading, moment=time.time())
        assert counters
        return found
    finally:
        await database.close()
