"""What was used over time, asked over HTTP while 1, 3 and 10 million usage events are there: of one tenant, and of 1,000 tenants.

The events are of the last 365 days (1 million of them of the first tenth; each span ends with the newest), come into the database
in the order of their time, and go into analytics by the feed that runs in the server. Endpoints, keys and models are drawn by
rank (the second is half as likely as the first, the third a third); a tenant has 5 keys, of which each has its account; two
endpoints of 30 have a model.
"""

import asyncio
import gc
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import numpy as np

from benchmarks.figures import Figure, Outcome, quantile
from benchmarks.servers import listening
from tenantai.identifiers import timestamp
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.server import keys
from tenantai.server.app import Models, create_app
from tenantai.server.protocol import Runner
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.settings import Settings
from tenantai.storage.migrating import Layout

MILLION = 1_000_000
SIZES = (MILLION, 3 * MILLION, 10 * MILLION)
TENANTS, KEYS, ENDPOINTS = 1_000, 5, 30
DAYS = 365
CHUNK = 100_000
QUESTIONS = 30
TICK_SECONDS = 0.001
COLUMNS = "tenant_id, created_at, endpoint, key_id, account_id, model, status, requests, refused, input_tokens, output_tokens"
STATUSES = (200, 404, 429, 500)


async def measure() -> Outcome:
    """Fill, feed and ask, for one tenant and for many."""
    return [*await _measured(1), *await _measured(TENANTS)]


@dataclass(frozen=True)
class Served:
    """A server with its folder, and how to ask it as the operator."""

    data_dir: Path
    url: str
    session: aiohttp.ClientSession
    feed: AnalyticsFeed
    tenants: Sequence[str]

    async def seconds(self, tenant_id: str, **query: str) -> float:
        """Return how long an answer takes."""
        began = time.perf_counter()
        params = {"tenantId": tenant_id, **query}
        async with self.session.get(f"{self.url}/api/v1/usage/history", params=params) as response:
            body = await response.json()
        assert response.status == 200, body
        assert body["data"]["buckets"]
        return time.perf_counter() - began


async def _measured(tenant_count: int) -> list[Figure]:
    who = "one tenant" if tenant_count == 1 else f"{tenant_count:,} tenants"
    figures: list[Figure] = []
    async with _served(tenant_count) as server:
        rows, there = _rows(server.tenants, SIZES[-1]), 0
        for size in SIZES:
            fed, stops = await _feed(server, rows, size - there)
            name = f"{size // MILLION} million events of {who}"
            figures += await _asked(server, name, share=size / SIZES[-1])
            figures.append(
                Figure(
                    f"{name}: file of analytics", _megabytes(server, "analytics"), "MB", "events and hours, after a checkpoint"
                )
            )
            if size == SIZES[-1]:
                figures += [
                    Figure(f"{name}: fed", (size - there) / fed, "events/s", "from the database into analytics, the last step"),
                    Figure(
                        f"{name}: longest stop of the event loop meanwhile",
                        1000 * max(stops),
                        "ms",
                        "how late a tick of 1 ms comes",
                    ),
                    Figure(f"{name}: database", _megabytes(server, "database"), "MB", "SQLite, the same events with two indexes"),
                ]
            there = size
    return figures


async def _asked(server: Served, name: str, *, share: float) -> list[Figure]:
    """Ask for spans that end with the newest event, when a share of the year has passed."""
    chance, newest = random.Random(7), _begin() + timedelta(days=DAYS) * share
    asked = {
        "by day and endpoint, a year": {"interval": "day", "groupBy": "endpoint", **_span(newest, DAYS)},
        "by day and endpoint, 30 days": {"interval": "day", "groupBy": "endpoint", **_span(newest, 30)},
        "by hour and key, 31 days": {"interval": "hour", "groupBy": "key", **_span(newest, 30)},
        "by month and model, a year": {"interval": "month", "groupBy": "model", **_span(newest, DAYS)},
    }
    figures = []
    for what, query in asked.items():
        took = [await server.seconds(chance.choice(server.tenants), **query) for _ in range(QUESTIONS)]
        how = f"{QUESTIONS} requests over HTTP, one after another, the answer read whole"
        below = 300 if share == 1 and "endpoint" in what else None
        figures.append(Figure(f"{name}: {what}, median", 1000 * statistics.median(took), "ms", how, below=below))
        figures.append(Figure(f"{name}: {what}, p95", 1000 * quantile(took, 0.95), "ms", "the same"))
    return figures


def _span(newest: datetime, days: int) -> dict[str, str]:
    return {"from": timestamp(newest - timedelta(days=days - 1)), "to": timestamp(newest)}


def _begin() -> datetime:
    return datetime.now(UTC) - timedelta(days=DAYS) + timedelta(hours=2)


async def _feed(server: Served, rows: Iterator[list[tuple[object, ...]]], count: int) -> tuple[float, list[float]]:
    """Write events into the database, and wait until they are in analytics; how long that took, and how late ticks came."""
    async with server.feed.held():
        await asyncio.to_thread(_write, server.data_dir, rows, count)
    stops: list[float] = []
    ticking = asyncio.create_task(_tick(stops))
    began = time.perf_counter()
    await server.feed.catch_up(seconds=3600)
    took = time.perf_counter() - began
    ticking.cancel()
    await server.feed.on_thread(lambda session: session.rows("CHECKPOINT"))
    return took, stops


async def _tick(stops: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        stops.append(time.perf_counter() - began - TICK_SECONDS)


def _write(data_dir: Path, rows: Iterator[list[tuple[object, ...]]], count: int) -> None:
    with closing(sqlite3.connect(Layout(data_dir).database, timeout=60)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        marks = ", ".join("?" * len(COLUMNS.split(", ")))
        for _ in range(count // CHUNK):
            with connection:
                connection.executemany(f"INSERT INTO usage_events ({COLUMNS}) VALUES ({marks})", next(rows))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(tenants: Sequence[str], total: int) -> Iterator[list[tuple[object, ...]]]:
    """Yield events in the order of their time, a chunk at a time."""
    chance = np.random.default_rng(7)
    began, step = _begin(), timedelta(days=DAYS) / total
    endpoints = [f"{'GET' if n % 3 else 'POST'} /api/v1/tenants/{{tenant_id}}/resource-{n}" for n in range(ENDPOINTS)]
    places = {tenant: [(f"{tenant[:24]}{n:012d}", f"{tenant[:24]}{n + 500:012d}") for n in range(KEYS)] for tenant in tenants}
    for first in range(0, total, CHUNK):
        whose = chance.integers(len(tenants), size=CHUNK)
        which, key, model = (_ranked(chance, count) for count in (ENDPOINTS, KEYS, 3))
        status = chance.choice(STATUSES, size=CHUNK, p=(0.94, 0.04, 0.01, 0.01))
        tokens = chance.integers(1, 4000, size=CHUNK)
        chunk: list[tuple[object, ...]] = []
        for at in range(CHUNK):
            tenant, has_model = tenants[whose[at]], which[at] < 2
            key_id, account_id = places[tenant][key[at]]
            refused = int(status[at] == 429)
            name = f"model-{model[at]}" if has_model else None
            used = (int(tokens[at]), int(tokens[at]) // 4) if has_model else (0, 0)
            moment = (began + step * (first + at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            chunk.append(
                (tenant, moment, endpoints[which[at]], key_id, account_id, name, int(status[at]), 1 - refused, refused, *used)
            )
        yield chunk


def _ranked(chance: np.random.Generator, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Draw places of a ranking, each half as likely as the one at half its rank."""
    weights = 1 / np.arange(1, count + 1)
    return chance.choice(count, size=CHUNK, p=weights / weights.sum())


@asynccontextmanager
async def _served(tenant_count: int) -> AsyncIterator[Served]:
    """Run a server whose tenants were made over the year before."""
    with tempfile.TemporaryDirectory(prefix="tenantai-bench-") as folder:
        settings = Settings(data_dir=Path(folder), usage_retention_days=0)
        app = create_app(settings, Models(ScriptedChat(), ScriptedEmbedding()))
        async with listening(app, Runner(app, shutdown_timeout_seconds=1)) as url:
            year = time.time() - 2 * DAYS * 86400
            ids = [_id(year + n * DAYS * 86400 / tenant_count, n) for n in range(tenant_count)]
            with closing(sqlite3.connect(Layout(settings.data_dir).database)) as connection, connection:
                rows = [(tenant, tenant, tenant, "pro", timestamp(), timestamp()) for tenant in ids]
                connection.executemany(
                    "INSERT INTO tenants (id, name, email, plan, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)", rows
                )
            key = (settings.data_dir / "operator.key").read_text().strip()
            async with aiohttp.ClientSession(headers={"x-api-key": key}) as session:
                gc.freeze()  # as serve does
                yield Served(settings.data_dir, url, session, app[keys.ANALYTICS_FEED], ids)


def _id(moment: float, number: int) -> str:
    """Return a UUID of version 7 of a time."""
    begin = f"{int(moment * 1000):012x}"
    return f"{begin[:8]}-{begin[8:]}-7000-8000-{number:012x}"


def _megabytes(server: Served, what: str) -> float:
    layout = Layout(server.data_dir)
    path = layout.database if what == "database" else layout.analytics / "analytics.duckdb"
    return path.stat().st_size / 2**20
