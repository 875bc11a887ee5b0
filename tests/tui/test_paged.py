"""Lists that come page by page: added to, renewed as far as they were loaded, and never another walk's."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from tenantai.client import Client
from tenantai.tui.app import Console, Start
from tenantai.tui.screens import paged
from tenantai.tui.screens.paged import Paged
from tenantai.tui.walk import PAGE
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tests.tui.test_record_table import Thing

Work = Callable[[Client], Awaitable[Message | None]]
NOBODY: Any = None


class Things(Paged):
    """A place whose questions wait until a test answers them; `told` is what the things are called by now."""

    SPOT = "overview"

    def __init__(self) -> None:
        super().__init__()
        self.owner, self.told, self.count = "acme", "old", 5 * PAGE
        self.waiting: list[Work] = []
        self.came: list[RecordList[Any]] = []

    def compose_middle(self) -> ComposeResult:
        columns = [Column[Thing]("id", lambda thing: str(thing.id)), Column[Thing]("name", lambda thing: thing.name)]
        yield RecordList(columns, key=lambda thing: thing.id, noun="things")

    @property
    def records(self) -> RecordList[Thing]:
        """The list."""
        return self.query_one(RecordList)

    def load(self) -> None:
        owner = self.owner

        async def things(_client: object) -> AsyncGenerator[Thing]:
            for number in range(self.count):
                yield Thing(number, f"{owner}'s {self.told}")

        self.load_pages(self.records, things, owner=owner)

    def ask(self, work: Work, *, group: str = "load") -> None:
        assert group == "load"
        self.waiting.append(work)

    def page_came(self, records: RecordList[Any]) -> None:
        self.came.append(records)

    async def answer(self, pilot: Pilot[None]) -> None:
        """Answer all that was asked."""
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            message = await work(NOBODY)
            assert message is not None
            self.post_message(message)
        await pilot.pause()

    async def load_all(self, pilot: Pilot[None], *, pages: int) -> None:
        """Load so many pages, one after the other."""
        self.load()
        for page in range(pages):
            if page:
                self.records.post_message(RecordList.WantsMore(self.records))
                await pilot.pause()
            await self.answer(pilot)

    @property
    def shown(self) -> tuple[int, set[str], bool]:
        """How many things are shown, what they are called, and whether there are more."""
        return len(self.records.table.rows), {thing.name for thing in self.records.table.rows}, self.records.has_more


class Showing(Console):
    """A console with that place alone."""

    MODES = {"overview": Things}  # noqa: RUF012  as Textual has it


@asynccontextmanager
async def showing(folder: Path) -> AsyncIterator[tuple[Things, Pilot[None]]]:
    """Show the place."""
    console = Showing(Start(url="http://127.0.0.1:1", api_key="none", folder=folder))
    console._asked_to_connect = True
    async with console.run_test(size=(60, 20)) as pilot:
        assert isinstance(console.screen, Things)
        yield console.screen, pilot
        assert not console._faults


async def test_pages_come_as_far_as_one_looks(tmp_path: Path) -> None:
    """The first page replaces what was shown, further ones are added until there are none; each is told to the place."""
    async with showing(tmp_path) as (place, pilot):
        place.count = 2 * PAGE + 1
        for pages, count, has_more in ((1, PAGE, True), (2, 2 * PAGE, True), (3, 2 * PAGE + 1, False)):
            place.owner = f"owner {pages}"
            await place.load_all(pilot, pages=pages)
            assert place.shown == (count, {f"owner {pages}'s old"}, has_more)
        assert place.came == [place.records] * 6


async def test_what_is_old_is_asked_for_as_far_as_it_was_loaded(tmp_path: Path) -> None:
    """Renewed are all rows that were there in one go, the cursor stays on its record, and the walk goes on behind them."""
    async with showing(tmp_path) as (place, pilot):
        await place.load_all(pilot, pages=3)
        place.records.table.cursor = 2 * PAGE + 7
        place.told = "new"
        place.renew()
        await place.answer(pilot)
        assert place.shown == (3 * PAGE, {"acme's new"}, True)
        assert place.records.current == Thing(2 * PAGE + 7, "acme's new")
        place.records.post_message(RecordList.WantsMore(place.records))
        await pilot.pause()
        await place.answer(pilot)
        assert place.shown[0] == 4 * PAGE


async def test_very_many_rows_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes back to more rows than can be asked for at once keeps them; who reloads them gets so many."""
    monkeypatch.setattr(paged, "RENEWED_MAX", 2 * PAGE)
    async with showing(tmp_path) as (place, pilot):
        await place.load_all(pilot, pages=3)
        place.renew()
        assert not place.waiting
        place.load()
        await place.answer(pilot)
        assert place.shown == (2 * PAGE, {"acme's old"}, True)


async def test_a_page_of_before_is_not_shown(tmp_path: Path) -> None:
    """What was asked of another owner, or given up, comes to nothing; the other owner's list begins with a page."""
    async with showing(tmp_path) as (place, pilot):
        await place.load_all(pilot, pages=2)
        place.load()
        place.owner = "globex"
        place.load()
        await place.answer(pilot)
        assert place.shown == (PAGE, {"globex's old"}, True)
        place.told = "new"
        place.load()
        place.leave_pages(place.records, unless_of="globex")
        await place.answer(pilot)
        assert place.shown[1] == {"globex's new"}
        place.load()
        place.leave_pages(place.records, unless_of="acme")
        place.told = "newest"
        await place.answer(pilot)
        assert place.shown[1] == {"globex's new"}
        place.records.post_message(RecordList.WantsMore(place.records))
        await pilot.pause()
        assert not place.waiting


async def test_more_that_is_wanted_while_all_is_renewed_doubles_nothing(tmp_path: Path) -> None:
    """Where a question for more ends the one that renews, it renews in its place."""
    async with showing(tmp_path) as (place, pilot):
        await place.load_all(pilot, pages=2)
        place.count, place.told = PAGE + 5, "new"
        place.renew()
        place.waiting.clear()
        place.records.post_message(RecordList.WantsMore(place.records))
        await pilot.pause()
        await place.answer(pilot)
        assert place.shown == (PAGE + 5, {"acme's new"}, False)


async def test_a_filter_looks_on_in_pages_that_did_not_come_yet(tmp_path: Path) -> None:
    """Until the screen is full of what it shows, or nothing more comes; what the filter leaves may be on any page."""
    async with showing(tmp_path) as (place, pilot):
        place.count = 3 * PAGE
        await place.load_all(pilot, pages=1)
        place.records.action_filter(str(2 * PAGE + 5))
        for _ in range(3):
            await pilot.pause()
            await place.answer(pilot)
        assert [thing.id for thing in place.records.table.rows] == [2 * PAGE + 5]
        assert not place.records.has_more
        place.records.clear()
        await pilot.pause()
        assert len(place.records.table.rows) == 3 * PAGE
        assert not place.waiting


async def test_a_filter_that_fills_the_screen_asks_for_no_more(tmp_path: Path) -> None:
    """More come as one goes down, as without a filter."""
    async with showing(tmp_path) as (place, pilot):
        await place.load_all(pilot, pages=1)
        place.records.action_filter("old")
        await pilot.pause()
        assert not place.waiting


async def test_an_order_is_of_all_rows(tmp_path: Path) -> None:
    """What is first in it may be on the last page."""
    async with showing(tmp_path) as (place, pilot):
        place.count = 2 * PAGE + 1
        await place.load_all(pilot, pages=1)
        table = place.records.table
        table.sorted_by = (0, True)
        table.post_message(table.Sorted(table))
        for _ in range(4):
            await pilot.pause()
            await place.answer(pilot)
        assert len(table.rows) == place.count
        assert not place.records.has_more
