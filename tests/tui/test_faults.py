"""Faults of the console itself: however many, they end in one report, and the console goes on."""

from collections.abc import Callable
from typing import Any

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Static

from tenantai.tui.app import Console
from tenantai.tui.screens.keys import Keys
from tenantai.tui.screens.report import Report
from tenantai.tui.widgets.record_table import RecordTable
from tests.running import Tenant, until
from tests.tui.conftest import Opener, asked, settled


def broken(*_: Any) -> Any:
    """What something of the console does that has a fault."""
    raise ZeroDivisionError("by nothing")


def title(report: Report) -> str:
    return str(report.query_one(".title", Static).content)


async def left(console: Console, pilot: Pilot[None]) -> None:
    """Leave the report, and go to another place."""
    await pilot.press("escape")
    await until(lambda: not isinstance(console.screen, Report))
    await pilot.press("1")
    await until(lambda: console.current_mode == "overview")
    await settled(console, pilot)


async def test_many_faults_at_once_are_one_report(opened: Opener, acme: Tenant) -> None:
    """Twenty faults at once open one report, which counts the others; the console goes on."""
    async with opened(acme.key, place="keys") as (console, pilot):
        for _ in range(20):
            console.call_later(broken)
        report = await asked(console, pilot, Report)
        await until(lambda: "and 19 more since" in title(report))
        assert [type(screen) for screen in console.screen_stack] == [Keys, Report]
        await left(console, pilot)
        console._faults.clear()


async def test_a_fault_that_never_ends_opens_no_second_report(opened: Opener, acme: Tenant) -> None:
    """What fails over and over is reported once and counted from then on; keys still work all the while."""
    async with opened(acme.key, place="keys") as (console, pilot):
        timer = console.screen.set_interval(0.01, broken)
        report = await asked(console, pilot, Report)
        await until(lambda: len(console._faults) > 20)
        assert "more since" in title(report)
        await left(console, pilot)
        known = len(console._faults)
        await until(lambda: len(console._faults) > known + 20)
        assert not isinstance(console.screen, Report)
        timer.stop()
        console._faults.clear()


def in_layout(table: RecordTable[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a table fail as its screen is laid out."""
    table.styles.height = "auto"
    monkeypatch.setattr(type(table), "get_content_height", broken)


def in_drawing(table: RecordTable[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a table fail as its lines are drawn."""
    monkeypatch.setattr(type(table), "render_line", broken)
    table.refresh()


@pytest.mark.parametrize("fails", [in_layout, in_drawing])
async def test_what_cannot_be_drawn_is_hidden(
    opened: Opener, acme: Tenant, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., None]
) -> None:
    """A pane that fails in each frame is hidden, so that the report can be read; ctrl+r shows it again once it can be drawn."""
    async with opened(acme.key, place="keys") as (console, pilot):
        place = console.screen
        assert isinstance(place, Keys)
        table = place.records.table
        monkeypatch.setattr(Console, "is_headless", property(lambda _: False))
        with monkeypatch.context() as while_broken:
            fails(table, while_broken)
            await asked(console, pilot, Report)
            await until(lambda: not table.display)
            lines = console.screen._compositor.render_strips()
            assert "ZeroDivisionError" in "\n".join(line.text for line in lines)
            assert len(console._faults) < 20
            await left(console, pilot)
        table.styles.height = "1fr"
        await pilot.press("6")
        await until(lambda: console.screen is place)
        await pilot.press("ctrl+r")
        await settled(console, pilot)
        assert table.display
        assert isinstance(table.render_lines(Region(0, 0, 60, 3))[1], Strip)
        assert "first key" in "\n".join(line.text for line in console.screen._compositor.render_strips())
        console._faults.clear()
