"""Lists: drawn by the line, walked by the page, filtered, sorted and marked by key."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from tenantai.tui.app import Console, Start
from tenantai.tui.screens.place import Place
from tenantai.tui.walk import Walk
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.key_footer import KeyFooter
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable


@dataclass(frozen=True)
class Thing:
    """A record."""

    id: int
    name: str


class Things(Place):
    """A place that holds a list and no server."""

    SPOT = "overview"

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[RecordList[Thing]] = []

    def compose_middle(self) -> ComposeResult:
        columns = [
            Column[Thing]("id", lambda thing: str(thing.id), right=True, sort=lambda thing: thing.id),
            Column[Thing]("name", lambda thing: thing.name, grows=True),
        ]
        yield RecordList(columns, key=lambda thing: thing.id, noun="things")

    @on(RecordList.WantsMore)
    def _wants_more(self, event: RecordList.WantsMore) -> None:
        self.wanted.append(event.records)


class Listing(Console):
    """A console with that place alone."""

    MODES = {"overview": Things}  # noqa: RUF012  as Textual has it


@asynccontextmanager
async def listing(folder: Path, count: int, **given: Any) -> AsyncIterator[tuple[RecordList[Thing], Pilot[None]]]:
    """Show a list of so many things."""
    console = Listing(Start(url="http://127.0.0.1:1", api_key="none", folder=folder))
    console._asked_to_connect = True
    async with console.run_test(size=(60, 20)) as pilot:
        records = console.screen.query_one(RecordList)
        records.show([Thing(number, f"thing {number}") for number in range(count)], **given)
        records.table.focus()
        await pilot.pause()
        yield records, pilot
        assert not console._faults


def lines_of(records: RecordList[Thing]) -> list[str]:
    """Return what the table draws."""
    return [records.table.render_line(y).text.rstrip() for y in range(records.table.size.height)]


async def test_only_what_is_on_the_screen_is_drawn(tmp_path: Path) -> None:
    """Of a hundred thousand rows those on the screen are asked for their text, wherever the cursor is."""
    async with listing(tmp_path, 100_000) as (records, pilot):
        asked: list[int] = []

        def told(thing: Thing) -> str:
            asked.append(thing.id)
            return str(thing.id)

        records.table.columns = (Column[Thing]("id", told),)
        records.table._widths = [8]
        await pilot.press("G")
        await pilot.pause()
        assert records.current == Thing(99_999, "thing 99999")
        assert set(asked) <= set(range(99_900, 100_000))
        assert "99999" in lines_of(records)[-2] + lines_of(records)[-1]


async def test_the_style_of_all_lines_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lines a frame has, the colours that the table stands on are asked for once, and those of now."""
    async with listing(tmp_path, 50) as (records, pilot):
        asked: list[Style] = []
        told: Any = RecordTable.rich_style

        def noted(table: RecordTable[Thing]) -> Style:
            asked.append(told.fget(table))
            return asked[-1]

        monkeypatch.setattr(RecordTable, "rich_style", property(noted))
        for theme in ("textual-light", "textual-dark"):
            records.operating.theme = theme
            await pilot.pause()
            asked.clear()
            records.table.refresh()
            lines = records.table.render_lines(Region(0, 0, 60, 10))
            assert len(asked) == 1
            assert {segment.style.bgcolor for segment in lines[5] if segment.style} == {asked[0].bgcolor}


async def test_moving(tmp_path: Path) -> None:
    """J k g G, the arrows and the page keys move the cursor, and stop at the ends."""
    async with listing(tmp_path, 50) as (records, pilot):
        for keys, row in ((("j", "down"), 2), (("k",), 1), (("up", "up", "up"), 0), (("G",), 49), (("j",), 49), (("g",), 0)):
            await pilot.press(*keys)
            assert records.table.cursor == row
        await pilot.press("pagedown")
        assert records.table.cursor == records.table.size.height - 2
        await pilot.press("l", "l", "h")
        assert records.table.column == 0


async def test_filter_invert_and_escape(tmp_path: Path) -> None:
    """`/` filters as one types, `!` shows the others, Escape ends the filter first and the marks next."""
    async with listing(tmp_path, 30) as (records, pilot):
        await pilot.press("space", "slash", *"thing 2")
        await pilot.press("enter")
        assert [thing.id for thing in records.table.rows] == [2, *range(20, 30)]
        assert records.count_text() == "11 of 30 loaded things · with “thing 2” · 1 marked, 1 of them hidden"
        await pilot.press("exclamation_mark")
        assert len(records.table.rows) == 19
        await pilot.press("escape")
        assert records.count_text() == "1–30 of 30 things · 1 marked"
        await pilot.press("escape")
        assert records.count_text() == "1–30 of 30 things"


async def test_marks_outlive_filters_and_sorting(tmp_path: Path) -> None:
    """What is marked stays what an action is for, hidden or not, and is known by its key."""
    async with listing(tmp_path, 5) as (records, pilot):
        await pilot.press("space", "space", "o")
        await pilot.press("o")
        assert [thing.id for thing in records.table.rows] == [4, 3, 2, 1, 0]
        assert [thing.id for thing in records.targets] == [0, 1]
        records.action_filter("thing 4")
        await pilot.pause()
        assert [thing.id for thing in records.hidden_targets] == [0, 1]
        records.show([Thing(1, "renamed"), Thing(4, "thing 4")])
        assert records.targets == [Thing(1, "renamed")]
        await pilot.press("escape", "ctrl+a")
        assert len(records.marked) == 2
        await pilot.press("ctrl+a")
        assert records.targets == [records.current]


async def test_the_cursor_stays_on_its_record(tmp_path: Path) -> None:
    """New records before it, another order and records that went away leave the cursor where it was, or near."""
    async with listing(tmp_path, 10) as (records, pilot):
        await pilot.press("j", "j", "j")
        records.put_first([Thing(100, "newest"), Thing(101, "new")])
        assert records.current == Thing(3, "thing 3")
        assert records.table.cursor == 5
        records.drop({3})
        assert records.table.cursor == 5


async def test_sorting_by_a_click_on_the_header(tmp_path: Path) -> None:
    """A click on a title sorts by it, another turns the order, a third ends it; a click on a row puts the cursor there."""
    async with listing(tmp_path, 12) as (records, pilot):
        for ids in ([0, 1, 10, 11, *range(2, 10)], [9, 8, 7, 6, 5, 4, 3, 2, 11, 10, 1, 0], list(range(12))):
            await pilot.click(RecordTable, offset=(12, 0))
            assert [thing.id for thing in records.table.rows] == ids
        await pilot.click(RecordTable, offset=(12, 4))
        assert records.table.cursor == 3


async def test_a_click_marks(tmp_path: Path) -> None:
    """A click in the column of marks or with ctrl marks a row, or takes its mark away; quick ones in a row open nothing."""
    async with listing(tmp_path, 12) as (records, pilot):
        chosen: list[object] = []
        records.table.action_choose = lambda: chosen.append(records.current)  # type: ignore[method-assign]
        await pilot.click(RecordTable, offset=(0, 3))
        await pilot.click(RecordTable, offset=(12, 5), control=True)
        await pilot.click(RecordTable, offset=(12, 7))
        assert list(records.table.marks) == [2, 4]
        assert records.table.cursor == 6
        await pilot.click(RecordTable, offset=(1, 3), times=2)
        assert list(records.table.marks) == [4, 2]
        await pilot.click(RecordTable, offset=(12, 3), control=True)
        assert list(records.table.marks) == [4]
        assert not chosen


async def test_more_is_asked_for_near_the_end(tmp_path: Path) -> None:
    """Where the cursor comes near the last loaded row, the next page is asked for once; the count says how many there are."""
    async with listing(tmp_path, 200, total=81_204, has_more=True) as (records, pilot):
        assert records.count_text() == "1–200 of 81,204 things"
        await pilot.press("G", "k", "j")
        place = records.screen
        assert isinstance(place, Things)
        assert place.wanted == [records]
        records.add([Thing(number, "more") for number in range(199, 400)], has_more=True)
        assert records.count_text() == "1–400 of 81,204 things"


class Refused(Exception):  # noqa: N818
    """A server that went away."""


async def test_a_walk_goes_on_where_it_broke() -> None:
    """A walk whose page failed begins again and goes on behind what it had handed out."""
    breaks = [True]

    async def numbers(_client: object) -> AsyncGenerator[int]:
        for number in range(7):
            if number == 4 and breaks:
                breaks.pop()
                raise Refused
            yield number

    walk: Walk[int] = Walk(numbers, page=3)
    client: Any = None
    assert await walk.next_page(client) == ([0, 1, 2], True)
    with pytest.raises(Refused):
        await walk.next_page(client)
    assert await walk.next_page(client) == ([3, 4, 5], True)
    assert await walk.next_page(client) == ([6], False)


async def test_keys_that_are_no_longer_shown_are_let_go(tmp_path: Path) -> None:
    """However often the footer changes, it keeps nothing of the keys that it showed before."""
    async with listing(tmp_path, 3) as (records, pilot):
        for _ in range(5):
            records.screen.refresh_bindings()
            await pilot.pause()
        footer = records.screen.query_one(KeyFooter)
        kept = [watcher[0] for watchers in vars(footer)["__watchers"].values() for watcher in watchers]
        assert len(kept) <= 2 * len(footer.children)
