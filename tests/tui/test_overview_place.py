"""The overview: over all tenants for the operator, of its own for a tenant; it refreshes itself and spares the limits."""

import asyncio
import itertools
import time

import pytest
from textual.pilot import Pilot
from textual.widgets import Sparkline, Static

from tenantai.client import Client
from tenantai.providers.scripted import ScriptedChat
from tenantai.server import keys
from tenantai.settings import Settings
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tenantai.tui.screens import overview
from tenantai.tui.screens.overview import HOW_OFTEN, NOTHING, Overview
from tenantai.tui.widgets.overview_text import quotas_text
from tenantai.tui.widgets.record_list import RecordList
from tenantai.wire.usage import UsageReport
from tests.running import API, Running, Tenant, serving, until
from tests.tui.conftest import Opener, settled


def place_of(console: Console) -> Overview:
    screen = console.screen
    assert isinstance(screen, Overview)
    return screen


def says(console: Console, name: str) -> str:
    """Return what a panel says."""
    return str(place_of(console).query_one(f"#{name}", Static).render())


def bars(console: Console, name: str) -> list[float]:
    return list(place_of(console).query_one(f"#{name}-bars", Sparkline).data or [])


async def quiet(console: Console, pilot: Pilot[None]) -> None:
    """Wait until everything that was asked has come."""
    await until(lambda: not any(w.group.startswith("load") and not w.is_finished for w in console.workers))
    await settled(console, pilot)


async def test_the_operator_sees_all_tenants(
    opened: Opener, running: Running, acme: Tenant, globex: Tenant, operator: str
) -> None:
    """Health, tenants, the use of all, the limits of the one that is chosen, and alerts; Enter on an alert chooses its tenant."""
    async with Client(running.url, operator) as client:
        await client.tenants.limit(globex.id, {"requestsPerMonth": 10})
    for _ in range(8):
        await running.send("GET", globex.path, key=globex.key)
    await running.answer(acme, "When?")
    await running.app[keys.ANALYTICS_FEED].catch_up(seconds=10)
    async with opened(operator, tenant=acme.id) as (console, pilot):
        await quiet(console, pilot)
        assert "ready" in says(console, "health")
        assert "database" in says(console, "health")
        assert "2 tenants" in says(console, "now")
        assert len(bars(console, "requests")) == 60
        assert sum(bars(console, "requests")) >= 9
        assert sum(bars(console, "tokens")) > 0
        assert place_of(console).query_one("#limits").border_title == "Limits of Acme"
        assert "tokens, month" in says(console, "quotas")
        await pilot.press("s")
        await until(lambda: len(bars(console, "requests")) == 24)
        alerts = place_of(console).query_one("#alerts", RecordList)
        assert {alert.tenant_id for alert in alerts.records} == {globex.id}
        alerts.table.focus()
        await pilot.press("enter")
        await until(lambda: console.tenant_id == globex.id)


async def test_what_is_under_way(settings: Settings, tmp_path: str, gate: asyncio.Event) -> None:
    """Answers that stream now are counted, under the name of their tenant."""
    async with serving(settings, chat=ScriptedChat([("Well", gate, ".")])) as running:
        acme = await running.register("Acme")
        key = (settings.data_dir / "operator.key").read_text().strip()
        async with running.opened(acme, "When?") as stream:
            await stream.until("text-delta")
            console = Console(Start(running.url, key, memory=Memory(None)))
            async with console.run_test(size=(120, 36)) as pilot:
                await until(lambda: console.times_online > 0)
                await quiet(console, pilot)
                assert "1 answers stream" in says(console, "now")
                assert "1  Acme" in says(console, "now")
                gate.set()
                await until(lambda: running.chat.streams_open == 0)
                await pilot.press("ctrl+r")
                await until(lambda: "0 answers stream" in says(console, "now"))
                assert not console._faults


async def test_a_tenant_sees_its_own(opened: Opener, running: Running, acme: Tenant, globex: Tenant) -> None:
    """A tenant's key sees its limits, its 24 hours and its store, and nothing of others."""
    await running.upload(acme, "The lamp is green.")
    for _ in range(7):
        await running.send("GET", globex.path, key=globex.key)
    await running.app[keys.ANALYTICS_FEED].catch_up(seconds=10)
    async with opened(acme.key) as (console, pilot):
        await quiet(console, pilot)
        used = (await running.send("GET", f"{API}/usage", key=acme.key)).data["requests"]["used"]
        assert len(bars(console, "requests")) == 24
        assert 0 < sum(bars(console, "requests")) <= used
        assert "requests, month" in says(console, "quotas")
        assert "completed" in says(console, "now")
        assert not place_of(console).query_one("#alerts").region.area
        await pilot.press("c")
        assert console.clipboard.endswith(f"{API}/usage")


async def test_it_refreshes_itself_and_spares_the_limits(
    opened: Opener, running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How the server is comes again and again, free of charge; what is metered is asked once in half a minute, in turn."""
    monkeypatch.setattr(overview, "EVERY_SECONDS", 0.02)
    seen: list[float] = []
    original = Overview._ask_free

    def counted(self: Overview) -> None:
        seen.append(time.monotonic())
        original(self)

    monkeypatch.setattr(Overview, "_ask_free", counted)
    async with opened(acme.key) as (console, pilot):
        await quiet(console, pilot)

        async def used() -> int:
            return int((await running.send("GET", f"{API}/usage", key=acme.key)).data["requests"]["used"])

        before, count = await used(), len(seen)
        await until(lambda: len(seen) > count + 5)
        assert await used() == before + 1
        monkeypatch.setattr(overview, "METERED_EVERY_SECONDS", 0.0)
        place = place_of(console)
        turn = place._turn
        await until(lambda: place._turn > turn + 3)
        assert await used() > before + 2


async def test_what_a_key_may_not_read(opened: Opener, running: Running, acme: Tenant) -> None:
    """Without usage:read the limits say why they are empty, and nothing is asked in vain."""
    key, _ = await running.issue(acme, scopes=("tenant:read",))
    async with opened(key) as (console, pilot):
        await quiet(console, pilot)
        assert says(console, "quotas") == NOTHING
        assert says(console, "now").count("may not read it") == 2
        assert "ready" in says(console, "health")
        assert says(console, "foot") == HOW_OFTEN


async def test_what_a_key_may_read_of_the_store_only(opened: Opener, running: Running, acme: Tenant) -> None:
    """With store:read alone the store is told, and of the rest that the key may not read it; nothing is loading for good."""
    await running.upload(acme, "The lamp is green.")
    key, _ = await running.issue(acme, scopes=("tenant:read", "store:read"))
    async with opened(key) as (console, pilot):
        await quiet(console, pilot)
        assert says(console, "quotas") == NOTHING
        assert "Its store: the last operation is completed" in says(console, "now")
        assert "may not read it (usage:read)" in says(console, "now")
        assert "may not read it (usage:read)" in says(console, "requests")


def test_each_quota_says_how_long_it_lasts() -> None:
    """A quota that runs out names the day, another the end of the month."""
    use = {"used": 1, "limit": 10, "remaining": 9, "percent_used": 10.0}
    window = {**use, "window_seconds": 60, "reset_at": "2026-11-27T10:00:00Z"}
    forecast = {"requests": {"per_day": 3.0, "used_up_on": "2026-11-30"}, "tokens": {"per_day": 2.0, "used_up_on": None}}
    windows = {"rate_limit": window, "hourly": window, "daily": {**use, "reset_at": "2026-11-28T00:00:00Z"}}
    report = UsageReport.model_validate(
        {
            "plan": "pro",
            "period": {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T12:00:00Z"},
            **dict.fromkeys(("requests", "tokens", "storage", "streams"), use),
            **windows,
            "forecast": forecast,
        }
    )
    said = str(quotas_text(report)).splitlines()
    assert said[1] == "  used up on 2026-11-30, if it goes on with 3 a day"
    assert said[3] == "  lasts to 2026-12-01, with 2 a day"
    assert len(said) == 10
    gone = report.model_copy(update={"tokens": report.tokens.model_copy(update={"remaining": 0})})
    assert str(quotas_text(gone)).splitlines()[3] == "  used up until 2026-12-01"


async def test_a_small_terminal_has_no_gap_between_lists(
    opened: Opener, running: Running, acme: Tenant, globex: Tenant, operator: str
) -> None:
    """At 80 columns the panels stand one below the other, each as high as what it says."""
    async with opened(operator, tenant=acme.id, size=(80, 24)) as (console, pilot):
        await quiet(console, pilot)
        panels = list(place_of(console).query_one("#panels").children)
        assert len(panels) == 6
        for above, below in itertools.pairwise(panels):
            assert above.virtual_region.bottom == below.virtual_region.y, (above, below)


async def test_a_refusal_is_said_once(opened: Opener, running: Running, acme: Tenant, operator: str) -> None:
    """Too many requests: the last line says it and when it asks again, and no notice piles up."""
    async with Client(running.url, operator) as client, opened(acme.key) as (console, pilot):
        await quiet(console, pilot)
        await client.tenants.limit(acme.id, {"requestsPerMinute": 1})
        await pilot.press("ctrl+r")
        await until(lambda: "Asked again in" in says(console, "foot"))
        await quiet(console, pilot)
        assert "requests, month" in says(console, "quotas")
        assert not console._notifications


async def test_what_was_loaded_stays(opened: Opener, running: Running, acme: Tenant) -> None:
    """While the server is gone, the panels say what they said."""
    async with opened(acme.key) as (console, pilot):
        await quiet(console, pilot)
        quotas = says(console, "quotas")
        await running.runner.cleanup()
        await pilot.press("ctrl+r")
        await until(lambda: console.link_state.status == "offline")
        await quiet(console, pilot)
        assert says(console, "quotas") == quotas
        assert "ready" in says(console, "health")
