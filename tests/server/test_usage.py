"""What is counted, what is refused, and what every answer says of it."""

import asyncio
import json
from typing import Any

import pytest

from tenantai.providers.protocols import Usage
from tenantai.providers.scripted import ScriptedChat
from tenantai.server.app import operator_secret
from tenantai.server.keys import DATABASE, METER, RECORDING, SETTINGS
from tenantai.server.metering import USAGE_HEADERS
from tenantai.server.services.metering import recording
from tenantai.server.services.metering.proof import drift
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import tenants
from tenantai.storage.database import compiled
from tenantai.storage.usage_journal import SEGMENT_BYTES
from tests.running import API, MANY, Running, Tenant, serving, until, until_seen

NARROW: dict[str, Any] = {
    "requests_per_minute": MANY,
    "requests_per_hour": MANY,
    "requests_per_day": MANY,
    "requests_per_month": MANY,
}


def operator_key(running: Running) -> str:
    """Return the operator's key."""
    return operator_secret(running.app[SETTINGS])


def with_limits(settings: Settings, **limits: int) -> Settings:
    """Return settings whose usual plan has these limits."""
    return settings.model_copy(update={"plans": Plans(pro=Plan(**{**NARROW, **limits}))})


async def usage_of(running: Running, tenant: Tenant) -> dict[str, Any]:
    """Return what a tenant reads of its own usage."""
    return (await running.send("GET", f"{API}/usage", key=tenant.key)).data


async def recorded(running: Running, sql: str) -> list[tuple[Any, ...]]:
    """Return rows once all that was counted is in the database."""
    await running.app[RECORDING].take()
    return [tuple(row) for row in await running.app[DATABASE].reading.all(compiled(sql))]


async def test_headers_on_every_answer(running: Running, acme: Tenant, globex: Tenant) -> None:
    """Successes, refusals of every kind and streams carry the four headers; what no key asks does not."""
    for method, path, given in (
        ("GET", acme.path, {}),
        ("GET", f"{acme.path}/accounts/nobody", {}),
        ("GET", globex.path, {}),
        ("POST", f"{API}/chat", {"json": {}}),
        ("POST", f"{API}/chat", {"json": {"tenantId": acme.id, "message": "What?"}}),
        ("GET", f"{API}/audit?format=csv", {}),
    ):
        reply = await running.send(method, path, key=acme.key, **given)
        assert set(USAGE_HEADERS) <= set(reply.headers), (path, reply.status)
    for path in (f"{API}/health", f"{API}/ready", f"{API}/openapi.json"):
        assert not set(USAGE_HEADERS) & set((await running.send("GET", path)).headers)
    assert not set(USAGE_HEADERS) & set((await running.send("GET", acme.path, key="sk_live_no")).headers)


async def test_headers_count(settings: Settings) -> None:
    """Each answer says what is left after it."""
    async with serving(with_limits(settings, requests_per_month=8)) as running:
        acme = await running.register("Acme")  # two requests: the tenant's account is made with its key
        before = (await running.send("GET", acme.path, key=acme.key)).headers
        after = (await running.send("GET", acme.path, key=acme.key)).headers
        left = int(before["X-Usage-Requests-Remaining"])
        assert int(after["X-Usage-Requests-Remaining"]) == left - 1
        assert after["X-Usage-Requests-Percent"] == f"{(8 - left + 1) / 8 * 100:.1f}"
        assert after["X-Usage-Tokens-Percent"] == "0.0"


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("requests_per_minute", "RATE_LIMIT_EXCEEDED"),
        ("requests_per_hour", "RATE_LIMIT_EXCEEDED"),
        ("requests_per_day", "DAILY_LIMIT_EXCEEDED"),
        ("requests_per_month", "QUOTA_EXCEEDED"),
    ],
)
async def test_refusal_names_its_limit(settings: Settings, limit: str, code: str) -> None:
    """A 429 says which limit, how much of it, when to come back; it is in no quota; another tenant goes on."""
    async with serving(with_limits(settings, **{limit: 5})) as running:
        acme = await running.register("Acme")
        replies = [await running.send("GET", acme.path, key=acme.key) for _ in range(8)]
        refused = [reply for reply in replies if reply.status == 429]
        assert refused
        error = refused[-1].error
        assert error["code"] == code
        assert (error["details"]["reason"], error["details"]["limit"], error["details"]["used"]) == (limit, 5, 5)
        assert error["message"].startswith("This tenant has made 5 requests ")
        assert "and its limit is 5. Wait until 20" in error["message"]
        assert int(refused[-1].headers["Retry-After"]) >= 1
        assert set(USAGE_HEADERS) <= set(refused[-1].headers)
        sums = "SELECT sum(requests), sum(refused) FROM usage_events WHERE tenant_id = '{}'"
        assert await recorded(running, sums.format(acme.id)) == [(5, len(refused))]
        globex = await running.register("Globex")
        assert (await running.send("GET", globex.path, key=globex.key)).status == 200


async def test_a_limit_that_was_lowered_says_what_was_used(settings: Settings) -> None:
    """A refusal tells what was used and the limit as two numbers, and counts one thing as one."""
    async with serving(with_limits(settings, requests_per_day=50)) as running:
        acme = await running.register("Acme")
        for _ in range(4):
            assert (await running.send("GET", acme.path, key=acme.key)).status == 200
        limited = await running.send("PATCH", acme.path, key=operator_key(running), json={"limits": {"requestsPerDay": 1}})
        assert limited.status == 200
        error = (await running.send("GET", acme.path, key=acme.key)).error
    assert error["message"].startswith("This tenant has made 5 requests today, and its limit is 1. Wait until ")


async def test_of_many_at_once_the_limit_goes_through(settings: Settings) -> None:
    """Requests that come together are let in up to the limit exactly."""
    async with serving(with_limits(settings, requests_per_month=10)) as running:
        acme = await running.register("Acme")
        replies = await asyncio.gather(*(running.send("GET", acme.path, key=acme.key) for _ in range(30)))
        counted = 10 - 1  # making the account was one
        assert sorted(reply.status for reply in replies) == [200] * counted + [429] * (30 - counted)


async def test_tokens(settings: Settings) -> None:
    """A chat's tokens are counted before its answer ends, and once they are used up chats are refused, and nothing else."""
    async with serving(with_limits(settings, tokens_per_month=1)) as running:
        acme = await running.register("Acme")
        first = await running.send("POST", f"{API}/chat", key=acme.key, json={"tenantId": acme.id, "message": "What?"})
        assert first.status == 200
        used = (await usage_of(running, acme))["tokens"]
        assert used["used"] >= 1
        assert (used["remaining"], used["percentUsed"]) == (0, 100.0)
        second = await running.send("POST", f"{API}/chat", key=acme.key, json={"tenantId": acme.id, "message": "What?"})
        assert (second.status, second.error["code"]) == (429, "QUOTA_EXCEEDED")
        assert second.error["details"]["reason"] == "tokens_per_month"
        assert (await running.send("GET", acme.path, key=acme.key)).status == 200
        rows = await recorded(running, "SELECT sum(input_tokens + output_tokens), max(model) FROM usage_events")
        assert rows[0][0] == used["used"]
        assert rows[0][1]


async def test_tokens_while_an_answer_is_said(settings: Settings, gate: asyncio.Event) -> None:
    """Tokens are counted while an answer is being said, and what was estimated too high is taken back at its end."""
    async with serving(settings, chat=ScriptedChat([["word " * 400, gate, Usage(5, 3)]])) as running:
        acme = await running.register("Acme")
        meter = running.app[METER]
        async with running.opened(acme, "What is there to say?") as stream:
            await stream.until("text-delta")
            meter.charge_so_far()
            (ledger,) = (ledger for ledger in meter._ledgers.values() if ledger.tenant.id == acme.id)
            assert ledger.month_tokens > 100
            meter.charge_so_far()
            before = ledger.month_tokens
            meter.charge_so_far()
            assert ledger.month_tokens == before
            gate.set()
            await stream.until("finish")
        meter.charge_so_far()
        assert ledger.month_tokens == 8
        rows = await recorded(running, "SELECT sum(input_tokens), sum(output_tokens) FROM usage_events WHERE model != ''")
        assert rows == [(5, 3)]
        assert dict(meter.tokens) == {("scripted", "input"): 5, ("scripted", "output"): 3}


async def test_tokens_of_a_stream_that_is_left(settings: Settings, gate: asyncio.Event) -> None:
    """What an answer used until its client left is counted."""
    async with serving(settings, chat=ScriptedChat([["Half an answer, ", gate, "never"]])) as running:
        acme = await running.register("Acme")
        async with running.opened(acme, "What?") as stream:
            await stream.until("text-delta")
        ledger = await running.app[METER].ledger(await tenants.get(running.app[DATABASE].reading, acme.id))
        await until(lambda: ledger.month_tokens)
        rows = await recorded(
            running, "SELECT sum(requests), sum(input_tokens + output_tokens) FROM usage_events WHERE model != ''"
        )
        assert rows == [(0, ledger.month_tokens)]


async def test_clock_set_back(settings: Settings) -> None:
    """Where the clock was set back, quotas go on from what the days before had used, and windows forget what lies ahead."""
    async with serving(with_limits(settings, requests_per_minute=9)) as running:
        acme = await running.register("Acme")
        meter, clock = running.app[METER], running.app[METER].now
        before = (await usage_of(running, acme))["requests"]["used"]
        meter.now = lambda: clock() + 40 * 86400
        assert (await usage_of(running, acme))["requests"]["used"] == 1
        await running.app[RECORDING].take()
        meter.now = clock
        await usage_of(running, acme)
        await running.app[RECORDING].take()
        await meter.read_again()
        assert (await usage_of(running, acme))["requests"]["used"] == before + 2
        meter.now = lambda: clock() + 1800
        asked = [await running.send("GET", f"{API}/usage", key=acme.key) for _ in range(20)]
        assert asked[-1].status == 429
        await running.app[RECORDING].take()
        meter.now = clock
        meter.forget(acme.id)
        used = await usage_of(running, acme)
        assert used["rateLimit"]["used"] <= before + 3
        assert used["requests"]["used"] > before + 3


async def test_segment_that_begins_while_others_are_taken(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of a new segment are counted, however early its file is seen."""
    journal = running.app[METER]._journal
    segments = journal.segments

    def begin_first() -> list[str]:
        monkeypatch.undo()
        journal._begin(SEGMENT_BYTES)
        return segments()

    monkeypatch.setattr(journal, "segments", begin_first)
    await running.app[RECORDING].take()
    used = (await usage_of(running, acme))["requests"]["used"]
    rows = await recorded(running, f"SELECT sum(requests) FROM usage_events WHERE tenant_id = '{acme.id}'")
    assert rows == [(used,)]


async def test_counts_outlive_the_server(settings: Settings) -> None:
    """After a restart quotas and windows go on where they were, and counters equal their events."""
    narrow = with_limits(settings, requests_per_minute=6)
    async with serving(narrow) as running:
        acme = await running.register("Acme")
        for _ in range(3):
            await running.send("GET", acme.path, key=acme.key)
        before = await usage_of(running, acme)
    async with serving(narrow) as running:
        after = await usage_of(running, acme)
        assert after["requests"]["used"] == before["requests"]["used"] + 1
        assert after["rateLimit"]["used"] == 6
        assert (await running.send("GET", acme.path, key=acme.key)).status == 429
        rows = await recorded(
            running,
            "SELECT period, requests - (SELECT sum(requests) FROM usage_events e WHERE e.tenant_id = c.tenant_id) "
            "FROM usage_counters c",
        )
        assert sorted(rows) == [("day", 0), ("month", 0)]


async def test_piece_of_the_journal_is_taken_once(running: Running, acme: Tenant) -> None:
    """Taking again, also side by side, adds nothing."""
    await running.send("GET", acme.path, key=acme.key)
    await asyncio.gather(*(running.app[RECORDING].take() for _ in range(5)))
    once = await recorded(running, "SELECT sum(requests) FROM usage_events")
    assert await recorded(running, "SELECT sum(requests) FROM usage_events") == once


async def test_events_that_no_counter_holds(running: Running, acme: Tenant) -> None:
    """The proof finds counters that are gone while their events are there; what retention archived is not missed."""
    await running.app[RECORDING].take()
    database, moment = running.app[DATABASE], running.app[METER].now()
    counters, found = await drift(database.reading, moment=moment)
    assert (counters, found) == (2, [])
    await database.write_one(compiled("DELETE FROM usage_counters WHERE period = 'month'"))
    counters, found = await drift(database.reading, moment=moment)
    assert counters == 2
    assert [line.partition(":")[2] for line in found] == [" counted 0 requests and 0 tokens, recorded 1 requests and 0 tokens"]
    await database.write_one(compiled("DELETE FROM usage_counters"))
    assert len((await drift(database.reading, moment=moment))[1]) == 2
    await database.write_one(compiled("UPDATE usage_events SET created_at = '2020-01-01T00:00:00.000Z'"))
    assert (await drift(database.reading, moment=moment)) == (0, [])


async def test_alerts(settings: Settings) -> None:
    """At 50, 80 and 100 percent of a quota the audit log has an entry, once each."""
    async with serving(with_limits(settings, requests_per_month=10)) as running:
        acme = await running.register("Acme")
        for _ in range(12):
            await running.send("GET", acme.path, key=acme.key)
            await running.app[RECORDING].take()
        rows = await recorded(running, "SELECT details FROM audit_entries WHERE event_type = 'usage.alert' ORDER BY sequence")
        assert [(d["limit"], d["percent"], d["used"]) for d in map(json.loads, (row[0] for row in rows))] == [
            ("requests_per_month", 50, 5),
            ("requests_per_month", 80, 8),
            ("requests_per_month", 100, 10),
        ]


@pytest.mark.parametrize("change", [{"limits": {"requestsPerMonth": 10}}, {"plan": "free"}], ids=["limit", "plan"])
async def test_alerts_of_a_limit_that_is_lowered(settings: Settings, change: dict[str, Any]) -> None:
    """Where a limit is lowered beneath what is used, its marks are told once with the next recording, also over a restart."""
    plans = Plans(pro=Plan(**{**NARROW, "requests_per_month": 1000}), free=Plan(**{**NARROW, "requests_per_month": 10}))
    sql = "SELECT details FROM audit_entries WHERE event_type = 'usage.alert' ORDER BY sequence"
    async with serving(settings.model_copy(update={"plans": plans})) as running:
        acme = await running.register("Acme")
        for _ in range(8):
            await running.send("GET", acme.path, key=acme.key)
        assert await recorded(running, sql) == []
        assert (await running.send("PATCH", acme.path, key=operator_key(running), json=change)).status == 200
        await running.send("GET", acme.path, key=acme.key)
        assert [json.loads(row[0])["percent"] for row in await recorded(running, sql)] == [50, 80, 100]
    async with serving(settings.model_copy(update={"plans": plans})) as running:
        assert (await running.send("GET", acme.path, key=acme.key)).status == 429
        assert len(await recorded(running, sql)) == 3


async def test_report(running: Running, acme: Tenant) -> None:
    """The report has every limit, with used, limit, remaining and percent that agree."""
    report = await usage_of(running, acme)
    for name in ("requests", "tokens", "rateLimit", "hourly", "daily", "storage", "streams"):
        use = report[name]
        assert use["remaining"] == use["limit"] - use["used"]
        assert 0 <= use["percentUsed"] <= 100
    assert report["requests"]["used"] == report["daily"]["used"] == report["hourly"]["used"] == report["rateLimit"]["used"] == 2
    assert report["rateLimit"]["windowSeconds"] == 60
    assert report["period"]["start"] <= report["daily"]["resetAt"] <= report["period"]["end"]
    assert report["forecast"]["requests"]["usedUpOn"] is None


async def test_forecast(settings: Settings) -> None:
    """A quota that is used up is said to be, today; one that will be, within the month."""
    async with serving(with_limits(settings, requests_per_month=3)) as running:
        acme = await running.register("Acme")
        report = await usage_of(running, acme)
        while report["requests"]["remaining"]:
            report = await usage_of(running, acme)
        assert (
            report["forecast"]["requests"]["usedUpOn"] == report["daily"]["resetAt"][:10]
            or report["forecast"]["requests"]["usedUpOn"]
        )


async def test_own_limits(running: Running, acme: Tenant) -> None:
    """The operator gives a tenant limits of its own, which hold at once; the tenant itself can't."""
    refused = await running.send("PATCH", acme.path, key=acme.key, json={"limits": {"requestsPerMonth": 10**9}})
    assert refused.status == 403
    operator = operator_key(running)
    changed = await running.send("PATCH", acme.path, key=operator, json={"limits": {"requestsPerMonth": 3, "streams": 1}})
    assert changed.data["limits"] == {"requests_per_month": 3, "streams": 1}
    report = await usage_of(running, acme)
    assert (report["requests"]["limit"], report["streams"]["limit"]) == (3, 1)
    assert (await running.send("GET", acme.path, key=acme.key)).status == 429
    ended = await running.send("PATCH", acme.path, key=operator, json={"limits": None})
    assert ended.data["limits"] is None
    assert (await running.send("GET", acme.path, key=acme.key)).status == 200


async def test_operator_is_not_limited_and_reads_any_tenants(settings: Settings) -> None:
    """The operator's requests are counted for the operator and never refused; it reads a tenant's usage by name."""
    async with serving(with_limits(settings, requests_per_month=2)) as running:
        acme = await running.register("Acme")
        operator = operator_key(running)
        for _ in range(5):
            assert (await running.send("GET", acme.path, key=operator)).status == 200
        report = (await running.send("GET", f"{API}/usage?tenantId={acme.id}", key=operator)).data
        assert report["requests"]["used"] == 1
        assert (await running.send("GET", f"{API}/usage?tenantId=nobody", key=operator)).status == 404


async def test_disk_that_cannot_be_written(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where usage can't be written down for long, requests are refused as not ready, and taken again once it can."""
    journal = running.app[METER]._journal
    monkeypatch.setattr(journal, "is_full", True)
    refused = await running.send("GET", acme.path, key=acme.key)
    assert (refused.status, refused.error["code"]) == (503, "NOT_READY")
    monkeypatch.setattr(journal, "is_full", False)
    assert (await running.send("GET", acme.path, key=acme.key)).status == 200


async def test_sessions_count_for_their_own_tenants(running: Running, acme: Tenant, globex: Tenant) -> None:
    """What Asset Managers do is recorded for their own tenants, though no key tells them apart."""
    password = {"newPassword": "Correct-Horse-1!", "confirmPassword": "Correct-Horse-1!"}
    for tenant in (acme, globex):
        await running.send("POST", f"{tenant.path}/asset-auth/password", key=tenant.key, json=password)
        session = await running.send("POST", f"{tenant.path}/asset-auth/login", json={"password": "Correct-Horse-1!"})
        headers = {"x-asset-session": session.data["sessionToken"]}
        assert (await running.send("GET", f"{tenant.path}/assets", headers=headers)).status == 200
    counts = "SELECT tenant_id, sum(requests) FROM usage_events WHERE key_id = 'asset-session' GROUP BY tenant_id"
    assert sorted(await recorded(running, counts)) == sorted([(acme.id, 1), (globex.id, 1)])


async def test_recording_outlives_a_fault(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody foresaw ends no recording: what was used is in the record once it has passed."""
    monkeypatch.setattr(recording, "RECORD_SECONDS", 0.01)
    take, faults = recording.Recording.take, iter([ValueError("spoiled"), TypeError("spoiled")])

    async def fail(self: recording.Recording, **given: Any) -> None:
        if self._task is not None and (fault := next(faults, None)) is not None:
            raise fault
        await take(self, **given)

    monkeypatch.setattr(recording.Recording, "take", fail)
    async with serving(settings) as running:
        acme = await running.register("Acme")

        async def is_recorded() -> bool:
            return bool(await running.rows("SELECT 1 FROM usage_events WHERE tenant_id = :acme", acme=acme.id))

        await until_seen(is_recorded, seconds=10)
