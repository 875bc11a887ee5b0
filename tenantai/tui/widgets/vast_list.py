"""A list of more records than memory should hold: rows are asked for where one looks, and those far away are let go.

What must stay true: what is held is bounded however long one scrolls, and a row that is not held is drawn as one that is coming.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from textual import on
from textual.message import Message

from tenantai.tui import shown
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.filter_input import PLACEHOLDER, Completing
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
AHEAD = 60


class Rows(Protocol[R_co]):
    """Where a vast list has its rows from; what is not held is None, and is asked for where it is lacked."""

    def __len__(self) -> int:
        """How many rows there are, as far as is known."""
        ...

    def at(self, row: int) -> R_co | None:
        """Return the record of a row where it is held."""
        ...

    def row_of(self, key: Hashable) -> int | None:
        """Return the row of a record, where it is known."""
        ...

    def lacks(self, first: int, last: int, *, is_urged: bool) -> bool:
        """Tell whether some of these rows must be asked for; `is_urged` where a person looks for more, not only the screen."""
        ...

    @property
    def total_text(self) -> str:
        """How many there are of all, for people."""
        ...

    @property
    def about(self) -> str:
        """What else is to be said of them, or nothing."""
        ...


class NoRows:
    """No rows at all: what a vast list has before anything came."""

    total_text = "0"
    about = ""

    def __len__(self) -> int:
        return 0

    def at(self, row: int) -> None:
        """Return no record."""
        del row

    def row_of(self, key: Hashable) -> None:
        """Return no row."""
        del key

    def lacks(self, first: int, last: int, *, is_urged: bool) -> bool:
        """Lack nothing."""
        del first, last, is_urged
        return False


class VastTable(RecordTable[R]):
    """The table of a vast list: its rows are asked from `held` one by one, as they are drawn; `rows` are those that are seen."""

    @dataclass
    class Looked(Message):
        """Other rows are seen than before."""

        table: "VastTable[Any]"

    def __init__(self, columns: Sequence[Column[R]], *, key: Callable[[R], Hashable], markable: bool = True) -> None:
        self.held: Rows[R] = NoRows()
        super().__init__(columns, key=key, markable=markable)

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.held)

    def row_at(self, at: int) -> R | None:
        """Return the record of a row; None where there is none, or it is not held now."""
        return self.held.at(at) if 0 <= at < len(self.held) else None

    @property
    def seen(self) -> tuple[int, int]:
        """The first row that is seen, and the one behind the last."""
        top = int(self.scroll_offset.y)
        return top, max(top, min(self.row_count, top + self.size.height - 1))

    def begin(self, held: Rows[R]) -> None:
        """Show other rows; the cursor stays on its record where that is among them."""
        self.held = held
        at = held.row_of(self._cursor_key) if self._cursor_key is not None else None
        self.renew(cursor=at or 0)
        self.hold_view(0)

    def renew(self, *, cursor: int | None = None) -> None:
        """Draw the rows as they are held now, the cursor on another where one is given."""
        wanted = self.cursor if cursor is None else cursor
        self.gather()
        self._measure()
        self.set_reactive(VastTable.cursor, max(0, min(wanted, self.row_count - 1)))
        self.refresh()
        self._tell()

    def gather(self) -> None:
        """Take note of the rows that are seen."""
        self.rows = [row for row in map(self.row_at, range(*self.seen)) if row is not None]

    def applies(self, action: str) -> bool | None:
        """Hide the order of rows: the server gives them in theirs."""
        return False if action == "sort" else super().applies(action)

    def watch_cursor(self) -> None:
        """Bring the cursor into view, and say what is seen."""
        super().watch_cursor()
        self.post_message(self.Looked(self))

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Say what is seen."""
        super().watch_scroll_y(old, new)
        self.post_message(self.Looked(self))

    def action_move(self, by: int) -> None:
        """Move the cursor by rows; at the end, ask for what may come behind it."""
        super().action_move(by)
        self.post_message(self.Looked(self))


class VastList(RecordList[R]):
    """The list around it: it says which rows are wanted, one question at a time, for where one looks by then."""

    @dataclass
    class WantsRows(Message):
        """Rows are looked at that are not held."""

        records: "VastList[Any]"
        first: int
        last: int

        @property
        def control(self) -> "VastList[Any]":
            """The list."""
            return self.records

    @dataclass
    class ExportWanted(Message):
        """All that the filter leaves is to be written into a file."""

        records: "VastList[Any]"

        @property
        def control(self) -> "VastList[Any]":
            """The list."""
            return self.records

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], Hashable],
        noun: str,
        completing: Completing | None = None,
        filter_hint: str = PLACEHOLDER,
    ) -> None:
        super().__init__(columns, key=key, noun=noun, filters_on_server=True, completing=completing, filter_hint=filter_hint)

    def make_table(self, columns: Sequence[Column[R]], *, key: Callable[[R], Hashable], markable: bool) -> RecordTable[R]:
        """Return the table for the rows."""
        self.vast: VastTable[R] = VastTable(columns, key=key, markable=markable)
        return self.vast

    @property
    def hidden_targets(self) -> list[R]:
        """Those of the marked records that are not seen now."""
        seen = {self.table.key(row) for row in self.table.rows}
        return [record for record in self.marked if self.table.key(record) not in seen]

    def begin(self, held: Rows[R]) -> None:
        """Show other rows."""
        self._is_loading, self._was_loaded = False, True
        self.vast.begin(held)
        self._want(is_urged=False)

    def renew(self, *, shifted: int = 0) -> None:
        """Show what came; where so many rows are new at the top, the view and the cursor stay on what they are on."""
        self._is_loading = False
        self.vast.renew(cursor=self.vast.cursor + shifted if shifted else None)
        if shifted:
            self.vast.hold_view(shifted)
        self._want(is_urged=False)

    def _show_rows(self) -> None:
        self._count()

    @on(VastTable.Looked)
    def _looked(self, event: VastTable.Looked) -> None:
        event.stop()
        self.vast.gather()
        self._want(is_urged=True)

    def _want(self, *, is_urged: bool) -> None:
        first, last = self.vast.seen
        if not self._is_loading and self.vast.held.lacks(max(0, first - AHEAD), last + AHEAD, is_urged=is_urged):
            self._is_loading = True
            self.post_message(self.WantsRows(self, max(0, first - AHEAD), last + AHEAD))
        self._count()

    def action_export(self) -> None:
        """Ask for a file of all that the filter leaves."""
        self.post_message(self.ExportWanted(self))

    def count_text(self) -> str:
        """Return which rows are seen, of how many."""
        if not self._was_loaded:
            return self._without_rows()
        first, last = self.vast.seen
        held = self.vast.held
        coming = " · Loading…" if self._is_loading else ""
        rows = f"{shown.number(first + 1)}–{shown.number(last)} of {held.total_text} {self.noun}" if last else f"No {self.noun}."
        marks = len(self.table.marks)
        without = " · without what the filter names" if self.inverted else ""
        said = "".join(f" · {one}" for one in (held.about, self.notice, f"{marks} marked" if marks else "") if one)
        return f"{rows}{without}{said}{coming}"
