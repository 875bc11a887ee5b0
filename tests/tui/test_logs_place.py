"""The place of the server's log: live, filtered, paused, and left for what a line is about."""

import io
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from tenantai.server import log_ring
from tenantai.server import logs as server_logs
from tenantai.server.log_ring import LogRing
from tenantai.server.services import log_tail
from tenantai.settings import Settings
from tenantai.tui.app import Console
from tenantai.tui.screens import logs
from tenantai.tui.screens.audit import Audit
from tenantai.tui.screens.logs import Logs
from tenantai.tui.screens.questions import Choose
from tenantai.tui.widgets.details_pane import DetailsPane
from tests.running import Running, Tenant, serving, until
from tests.tui.conftest import Opener, settled


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> LogRing:
    """An empty ring in place of the process's own."""
    made = LogRing()
    for module in (log_ring, server_logs):
        monkeypatch.setattr(module, "log_ring", made)
    monkeypatch.setattr("tenantai.server.app.log_ring", made)
    monkeypatch.setattr(log_tail, "LOOK_EVERY_SECONDS", 0.01)
    return made


@pytest.fixture
def to_json() -> Iterator[None]:
    """The access log is written as JSON, as where it goes into a file."""
    server_logs.access_log.configure(io.StringIO())
    yield
    server_logs.access_log.configure(None)


@pytest.fixture
async def running(ring: LogRing, to_json: None, settings: Settings, brisk: None) -> AsyncIterator[Running]:
    """A server whose log is kept in the ring."""
    async with serving(settings) as server:
        yield server


def line(message: str, level: str = "info", **more: object) -> str:
    return json.dumps({"level": level, "timestamp": "2026-01-01T00:00:00.000Z", "message": message, **more})


def place_of(console: Console) -> Logs:
    screen = console.screen
    assert isinstance(screen, Logs)
    return screen


def ours(place: Logs) -> list[str]:
    """Return the messages that are shown, without those of requests."""
    return [one.message for one in place.records.table.rows if one.message != "request"]


async def typed(console: Console, text: str) -> Logs:
    """Filter, and return the place once the answer is there."""
    place = place_of(console)
    before = place.wanted
    place.records.action_filter(text)
    await until(lambda: place.wanted is not before)
    return place


async def test_lines_come_live_and_the_cursor_stays(opened: Opener, ring: LogRing, operator: str) -> None:
    """What is written comes on top without a key; the cursor stays on its line, and the pane tells all of it."""
    ring.keep([line("first", reason="No way \x1b[2Jthrough", tenant_id="t-1")])
    async with opened(operator, place="logs") as (console, pilot):
        place = place_of(console)
        await until(lambda: "first" in ours(place))
        place.records.table.cursor = next(at for at, one in enumerate(place.records.table.rows) if one.message == "first")
        ring.keep([line("second", "error"), line("third")])
        await until(lambda: ours(place)[:2] == ["third", "second"])
        assert place.records.current is not None
        assert place.records.current.message == "first"
        await pilot.pause()
        text = place.query_one(DetailsPane).text
        assert "t-1" in text
        assert "No way ␛[2Jthrough" in text
        assert "live" in place.records.count_text()


async def test_it_is_paused_and_goes_on(opened: Opener, ring: LogRing, operator: str) -> None:
    """`f` stops it where it is; `f` again shows what came meanwhile."""
    async with opened(operator, place="logs") as (console, pilot):
        place = place_of(console)
        await until(lambda: any(worker.group == "follow" for worker in console.workers))
        await pilot.press("f")
        assert "paused" in place.records.count_text()
        ring.keep([line("unseen")])
        await pilot.press("j")
        assert "unseen" not in ours(place)
        await pilot.press("f")
        await until(lambda: "unseen" in ours(place))


async def test_the_server_filters_lines(opened: Opener, ring: LogRing, operator: str) -> None:
    """A level, a tenant and words narrow what comes, live too; `!` shows the others."""
    ring.keep([line("fine"), line("odd", "warning", tenant_id="t-1"), line("down", "error", why="no way")])
    async with opened(operator, place="logs") as (console, pilot):
        await settled(console, pilot)
        place = await typed(console, "level:warning")
        assert ours(place) == ["down", "odd"]
        ring.keep([line("fine again"), line("worse", "critical")])
        await until(lambda: ours(place) == ["worse", "down", "odd"])
        assert ours(await typed(console, "level:warning no way")) == ["down"]
        assert ours(await typed(console, "tenant:t-1")) == ["odd"]
        before = place.wanted
        await pilot.press("exclamation_mark")
        await until(lambda: place.wanted is not before)
        assert ours(place) == ["worse", "fine again", "down", "fine"]


async def test_graver_levels_one_after_the_other(opened: Opener, ring: LogRing, operator: str) -> None:
    """`L` narrows to info, warning, error, critical, and shows all again."""
    ring.keep([line("noise", "debug"), line("odd", "warning"), line("down", "error")])
    async with opened(operator, place="logs") as (console, pilot):
        place = place_of(console)
        await until(lambda: ours(place) == ["down", "odd", "noise"])
        for expected in (["down", "odd"], ["down", "odd"], ["down"], [], ["down", "odd", "noise"]):
            before = place.wanted
            await pilot.press("L")
            await until(lambda before=before: place.wanted is not before)  # type: ignore[misc]
            assert ours(place) == expected


async def test_no_more_lines_are_kept_than_bounded(
    opened: Opener, ring: LogRing, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come, the newest are kept and the oldest go."""
    monkeypatch.setattr(logs, "LINES_KEPT", 20)
    async with opened(operator, place="logs") as (console, _):
        place = place_of(console)
        await until(lambda: any(worker.group == "follow" for worker in console.workers))
        ring.keep([line(f"line {number}") for number in range(100)])
        await until(lambda: "line 99" in ours(place))
        assert len(place.records.records) == 20
        assert ours(place)[0] == "line 99"


async def test_a_line_leads_to_what_its_request_changed(
    opened: Opener, ring: LogRing, running: Running, acme: Tenant, operator: str
) -> None:
    """`J` goes to the audit log of the line's tenant, filtered to the line's request."""
    await running.register("Globex")
    made = await running.send(
        "PATCH", acme.path, key=acme.key, json={"name": "Acme Limited"}, headers={"X-Request-Id": "changed-1"}
    )
    assert made.status == 200
    server_logs.access_log.flush()
    async with opened(operator, place="logs") as (console, pilot):
        place = await typed(console, "request:changed-1")
        await until(lambda: len(place.records.records) == 1)
        await pilot.press("J")
        await until(lambda: isinstance(console.screen, Choose))
        await pilot.press("enter")
        await until(lambda: isinstance(console.screen, Audit))
        audit = console.screen
        assert isinstance(audit, Audit)
        await until(lambda: [entry.event_type for entry in audit.records.table.rows] == ["tenant.updated"])
        assert console.tenant_id == acme.id


async def test_another_key_is_told_what_is_needed(opened: Opener, acme: Tenant) -> None:
    """A tenant's key sees no lines and asks for none; the place says whose it is."""
    async with opened(acme.key, place="logs") as (console, pilot):
        place = place_of(console)
        await settled(console, pilot)
        assert place.has_class("not-yours")
        assert not place.records.records
        assert not any(worker.group == "follow" for worker in console.workers)
        assert not place.check_action("follow_live", ())
