"""What was used over time: the numbers of requests that were really made, whose they are, and what is refused."""

import asyncio
import csv
import io
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.routes import usage_history as routes
from tenantai.server.services import analytics_feed, usage_history
from tenantai.server.services.usage_history import span_of
from tenantai.settings import Settings
from tenantai.storage.analytics_rebuilding import prepare
from tenantai.wire.usage_history import UsageHistoryQuery
from tests.running import Account, Reply, Running, Tenant, serving, until

HISTORY = f"{API}/usage/history"
Slow = tuple[Running, threading.Event]
GET_TENANT = "GET /api/v1/tenants/{tenant_id}"


async def ask(running: Running, tenant: Tenant, *, key: str = "", **query: str) -> Reply:
    return await running.send("GET", HISTORY, key=key or tenant.key, params=query)


async def use(running: Running, tenant: Tenant, count: int, *, key: str = "") -> None:
    for _ in range(count):
        await running.send("GET", tenant.path, key=key or tenant.key)


def by_group(reply: Reply) -> dict[str | None, dict[str, Any]]:
    return {bucket["group"]: bucket for bucket in reply.data["buckets"]}


def operator_key(running: Running) -> str:
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


async def bytes_of(running: Running, tenant: Tenant, path: str, **query: str) -> tuple[str, bytes]:
    async with running.session.get(f"{running.url}{path}", params=query, headers={"x-api-key": tenant.key}) as response:
        assert response.status == 200
        return response.headers["Content-Type"], await response.read()


def parquet_rows(content: bytes, folder: Path) -> list[dict[str, Any]]:
    path = folder / "read.parquet"
    path.write_bytes(content)
    found = duckdb.connect().execute(f"SELECT * FROM '{path}'")
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def rows_of(content: bytes, form: str, folder: Path) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode())))
    return [json.loads(line) for line in content.splitlines()] if form == "jsonl" else parquet_rows(content, folder)


async def test_by_endpoint(running: Running, acme: Tenant, globex: Tenant) -> None:
    """The answer counts every request made before it, the tenant's own alone, and those that failed as errors."""
    await use(running, acme, 5)
    await use(running, globex, 3)
    await running.send("GET", f"{acme.path}/accounts/nobody", key=acme.key)
    reply = await ask(running, acme, interval="hour", groupBy="endpoint")
    found = by_group(reply)
    assert found[GET_TENANT]["requests"] == 5
    missing = found["GET /api/v1/tenants/{tenant_id}/accounts/{account_id}"]
    assert (missing["requests"], missing["errors"]) == (1, 1)
    assert reply.data["groupBy"] == "endpoint"
    assert reply.data["completeThrough"] <= reply.data["to"]


async def test_it_agrees_with_usage(running: Running, acme: Tenant) -> None:
    """The sum of all intervals is what /usage says was used."""
    await use(running, acme, 4)
    await running.answer(acme, "How does the vault open?")
    told = (await running.send("GET", f"{API}/usage", key=acme.key)).data
    buckets = (await ask(running, acme, interval="month")).data["buckets"]
    assert sum(bucket["requests"] for bucket in buckets) == told["requests"]["used"]
    assert sum(bucket["totalTokens"] for bucket in buckets) == told["tokens"]["used"] > 0
    models = by_group(await ask(running, acme, groupBy="model"))
    assert models[None]["totalTokens"] == 0
    assert sum(bucket["totalTokens"] for bucket in models.values()) == told["tokens"]["used"]


async def test_refused_requests_are_apart(settings: Settings, brisk: None) -> None:
    """What a limit turned away is told as refused, and is in no other number."""
    plan = settings.plans.pro.model_copy(update={"requests_per_minute": 3})
    narrow = settings.model_copy(update={"plans": settings.plans.model_copy(update={"pro": plan})})
    async with serving(narrow) as running:
        acme = await running.register("Acme")
        await use(running, acme, 6)
        reply = await running.send("GET", f"{HISTORY}?groupBy=status&tenantId={acme.id}", key=operator_key(running))
        found = by_group(reply)
        assert (found["429"]["requests"], found["429"]["refused"]) == (0, 4)
        assert found["200"]["requests"] + found["201"]["requests"] == 3


async def test_whose(running: Running, acme: Tenant, globex: Tenant, second: Account) -> None:
    """A tenant sees its own, a key of an account that account's; the operator names a tenant, or sees the operator's own."""
    bound, _ = await running.issue(acme, account=second)
    await use(running, acme, 3)
    await use(running, acme, 2, key=bound)
    assert (await ask(running, acme, tenantId=globex.id)).status == 403
    assert by_group(await ask(running, acme, key=bound, groupBy="endpoint"))[GET_TENANT]["requests"] == 2
    assert by_group(await ask(running, acme, groupBy="account"))[second.id]["requests"] >= 2
    operator = operator_key(running)
    assert by_group(await ask(running, acme, key=operator, tenantId=acme.id, groupBy="endpoint"))[GET_TENANT]["requests"] == 5
    assert GET_TENANT not in by_group(await ask(running, acme, key=operator, groupBy="endpoint"))
    assert (await ask(running, acme, key=operator, tenantId="nobody")).status == 404
    without, _ = await running.issue(acme, scopes=("tenant:read",))
    assert (await ask(running, acme, key=without)).status == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "week"}, "interval"),
        ({"groupBy": "colour"}, "groupBy"),
        ({"from": "yesterday"}, "from"),
        ({"format": "xml"}, "format"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "2026-01-01", "to": "2026-02-02", "interval": "hour"}, "from"),
        ({"from": "2020-01-01", "to": "2026-02-02", "interval": "day"}, "from"),
        ({"from": "0001-01-01", "to": "0001-01-01", "interval": "day"}, "from"),
        ({"from": "0001-01-01", "to": "9999-12-31T23:59:59Z", "interval": "month"}, "from"),
    ],
    ids=str,
)
async def test_what_is_none(running: Running, acme: Tenant, query: dict[str, str], field: str) -> None:
    """What is not well formed, ends before it begins or is too long is refused with the field that is wrong."""
    assert (await ask(running, acme, **query)).fields == {field}


@pytest.mark.parametrize("interval", ["hour", "day", "month"])
@pytest.mark.parametrize("until_", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
async def test_ends_of_time(running: Running, acme: Tenant, until_: str, interval: str) -> None:
    """The first and the last moments that there are make no fault."""
    assert (await ask(running, acme, to=until_, interval=interval)).status in {200, 400}


@pytest.mark.parametrize(
    ("interval", "since", "until_", "first", "last"),
    [
        ("hour", "2026-01-01T10:20:00Z", "2026-01-01T11:00:00Z", "2026-01-01T10", "2026-01-01T11"),
        ("hour", None, "2026-01-01T11:00:01Z", "2025-12-31T12", "2026-01-01T12"),
        ("day", "2026-01-01T10:20:00+02:00", "2026-01-03T01:00:00+02:00", "2026-01-01T00", "2026-01-03T00"),
        ("day", None, "2026-03-01", "2026-01-30T00", "2026-03-01T00"),
        ("month", "2025-11-05", "2026-01-02", "2025-11-01T00", "2026-02-01T00"),
        ("month", None, "2026-12-31", "2026-01-01T00", "2027-01-01T00"),
    ],
    ids=str,
)
def test_whole_intervals(interval: str, since: str | None, until_: str, first: str, last: str) -> None:
    """A span is taken as the whole intervals that it touches; without a beginning it has a useful length."""
    given = {"interval": interval, "to": until_, **({"from": since} if since else {})}
    span = span_of(UsageHistoryQuery.model_validate(given), moment=datetime(2030, 1, 1, tzinfo=UTC))
    assert (span.since.isoformat()[:13], span.until.isoformat()[:13]) == (first, last)


async def test_too_many_buckets(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that would be too long is refused, with what to ask for instead."""
    monkeypatch.setattr(usage_history, "BUCKETS_MAX", 1)
    await use(running, acme, 1)
    reply = await ask(running, acme, groupBy="endpoint")
    assert reply.fields == {"groupBy"}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_exports(running: Running, acme: Tenant, globex: Tenant, tmp_path: Path, form: str) -> None:
    """The events themselves come as a file, the tenant's own, and their sum is the history's."""
    await use(running, acme, 4)
    await use(running, globex, 9)
    whole = sum(bucket["requests"] for bucket in (await ask(running, acme)).data["buckets"])
    media_type, content = await bytes_of(running, acme, HISTORY, format=form)
    rows = rows_of(content, form, tmp_path)
    assert sum(int(row["requests"]) for row in rows) == whole + 1
    assert set(rows[0]) == {
        *("created_at", "endpoint", "key_id", "account_id", "model"),
        *("status", "requests", "refused", "input_tokens", "output_tokens"),
    }
    assert media_type.split(";")[0] in {"text/csv", "application/jsonl", "application/vnd.apache.parquet"}
    assert running.app[keys.LIVE_STREAMS].used(acme.id) == 0
    assert list(running.app[keys.ANALYTICS].scratch.iterdir()) == []


async def test_audit_as_parquet(running: Running, acme: Tenant, globex: Tenant, tmp_path: Path) -> None:
    """The audit log as Parquet has the entries, fields and order of the other kinds of file, with the same filters."""
    for name in ("One", "Two", "Three"):
        await running.add_account(acme, name)
    for query in ({}, {"eventType": "account.created"}, {"actor": "nobody"}):
        _, lines = await bytes_of(running, acme, f"{API}/audit", format="jsonl", **query)
        _, content = await bytes_of(running, acme, f"{API}/audit", format="parquet", **query)
        rows = [{**row, "details": json.loads(row["details"])} for row in parquet_rows(content, tmp_path)]
        assert rows == [json.loads(line) for line in lines.splitlines()]


async def test_ready_tells_of_analytics(running: Running) -> None:
    """/ready says how analytics are; while they are down or made anew the server is ready all the same."""
    feed = running.app[keys.ANALYTICS_FEED]
    await until(lambda: feed.status.state == "up")
    assert (await running.send("GET", f"{API}/ready")).data["checks"]["analytics"]["status"] == "up"
    feed.status = analytics_feed.Status("down", "broken")
    ready = await running.send("GET", f"{API}/ready")
    assert (ready.status, ready.data["status"], ready.data["checks"]["analytics"]["error"]) == (200, "degraded", "broken")


async def test_ready_asks_analytics(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Analytics that say they are up are asked: closed ones are down, and stuck ones, which many probes ask once."""
    feed, asked, gate = running.app[keys.ANALYTICS_FEED], list[float](), asyncio.Event()
    await until(lambda: feed.status.state == "up")

    async def stuck() -> None:
        asked.append(1)
        await gate.wait()

    with monkeypatch.context() as patch:
        patch.setattr(feed, "ask", stuck)
        replies = await asyncio.gather(*(running.send("GET", f"{API}/ready") for _ in range(3)))
        gate.set()
    assert [reply.status for reply in replies] == [200] * 3
    assert {reply.data["checks"]["analytics"]["error"] for reply in replies} == {"no answer within 1 s"}
    assert len(asked) == 1
    feed._analytics.close()
    checks = (await running.send("GET", f"{API}/ready")).data["checks"]
    assert (checks["analytics"]["status"], checks["analytics"]["critical"]) == ("down", False)


@pytest.fixture
async def slow(settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    """A server whose analytics can't be fed before a gate is opened."""
    gate = threading.Event()

    def late(*given: Any) -> Any:
        gate.wait(20)
        return prepare(*given)

    monkeypatch.setattr("tenantai.server.services.analytics_feed.prepare", late)
    monkeypatch.setattr(routes, "CATCH_UP_SECONDS", 0.01)
    async with serving(settings) as running:
        yield running, gate
        gate.set()


async def test_while_they_are_made(slow: Slow) -> None:
    """A question before analytics are there is told so at once; nothing else waits for them."""
    running, gate = slow
    acme = await running.register("Acme")
    await use(running, acme, 2)
    reply = await ask(running, acme)
    assert (reply.status, reply.error["code"]) == (503, "NOT_READY")
    assert (await running.send("GET", f"{API}/ready")).data["checks"]["analytics"]["status"] == "rebuilding"
    gate.set()
    await until(lambda: running.app[keys.ANALYTICS_FEED].status.state == "up")
    assert by_group(await ask(running, acme, groupBy="endpoint"))[GET_TENANT]["requests"] == 2


async def test_what_is_behind_says_so(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the newest events are not taken in time, the answer says up to when it is whole."""
    await use(running, acme, 2)
    whole = (await ask(running, acme)).data
    monkeypatch.setattr(routes, "CATCH_UP_SECONDS", 0.01)
    async with running.app[keys.ANALYTICS_FEED].held():
        await use(running, acme, 3)
        behind = (await ask(running, acme)).data
    assert behind["buckets"] == whole["buckets"]
    assert behind["completeThrough"] == whole["completeThrough"]


async def test_after_a_restart(settings: Settings, brisk: None) -> None:
    """What was counted before a restart is counted after it, once, with or without the file of analytics."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        await use(running, acme, 3)
        assert by_group(await ask(running, acme, groupBy="endpoint"))[GET_TENANT]["requests"] == 3
    for spoil in (False, True):
        if spoil:
            (settings.data_dir / "analytics" / "analytics.duckdb").write_bytes(b"not a database")
        async with serving(settings) as running:
            await until(lambda: running.app[keys.ANALYTICS_FEED].status.state == "up")
            assert by_group(await ask(running, acme, groupBy="endpoint"))[GET_TENANT]["requests"] == 3
