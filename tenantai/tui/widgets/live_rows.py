"""A list whose rows change while one looks at them: one row costs one row, however many there are.

What must stay true: what is live in a cell is drawn only; rows are sorted, filtered and copied by what their records say.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable

R = TypeVar("R")


class Places:
    """Where the records of a list are in it; worked out anew only for another list."""

    def __init__(self) -> None:
        self._rows: Sequence[object] = ()
        self._at: dict[Hashable, int] = {}

    def of(self, rows: Sequence[R], key: Callable[[R], Hashable], wanted: Hashable) -> int | None:
        """Return the place of a record in a list that is replaced, never rearranged."""
        if self._rows is not rows:
            self._rows, self._at = rows, dict(zip(map(key, rows), range(len(rows)), strict=True))
        return self._at.get(wanted)


class LiveTable(RecordTable[R]):
    """The table: single rows are put in place, and drawn alone."""

    def __init__(self, columns: Sequence[Column[R]], *, key: Callable[[R], Hashable], markable: bool = True) -> None:
        super().__init__(columns, key=key, markable=markable)
        self._places = Places()

    def put(self, record: R, *, likely_at: int = -1) -> None:
        """Put a record in place of the one before, where it is among the rows; all are looked at only where it is not at its likely place."""
        key = self.key(record)
        is_there = 0 <= likely_at < len(self.rows) and self.key(self.rows[likely_at]) == key
        at = likely_at if is_there else self._places.of(self.rows, self.key, key)
        if at is not None:
            self.rows[at] = record

    def redraw(self, keys: Collection[Hashable]) -> None:
        """Draw the rows of these records anew where they are on the screen."""
        if not keys:
            return
        top = int(self.scroll_offset.y)
        for at in range(top, min(self.row_count, top + self.size.height)):
            if self.key(self.rows[at]) in keys:
                self.refresh_line(at + 1)

    def set_width(self, column: int, cells: int) -> None:
        """Make a column wider or narrower."""
        if self.columns[column].width != cells:
            columns = list(self.columns)
            columns[column] = replace(columns[column], width=cells)
            self.columns = tuple(columns)
            self._measure()
            self.refresh()


class LiveList(RecordList[R]):
    """The list around it."""

    def __init__(self, columns: Sequence[Column[R]], *, key: Callable[[R], Hashable], noun: str, id: str | None = None) -> None:  # noqa: A002  Textual's own name
        super().__init__(columns, key=key, noun=noun, id=id)
        self._places = Places()

    def make_table(self, columns: Sequence[Column[R]], *, key: Callable[[R], Hashable], markable: bool) -> RecordTable[R]:
        """Return the table for the rows."""
        self.live: LiveTable[R] = LiveTable(columns, key=key, markable=markable)
        return self.live

    def record_of(self, key: Hashable) -> R | None:
        """Return the record with a key where it is loaded."""
        at = self._places.of(self.records, self.table.key, key)
        return None if at is None else self.records[at]

    def put(self, record: R) -> None:
        """Put a record in place of the one before, where that is loaded; it is drawn by `redraw`, in the row where it was."""
        key = self.table.key(record)
        at = self._places.of(self.records, self.table.key, key)
        if at is None:
            return
        self.records[at] = record
        self._arranging.let_order_go()
        if key in self.table.marks:
            self.table.marks[key] = record
        self.live.put(record, likely_at=at)

    def redraw(self, keys: Collection[Hashable]) -> None:
        """Draw the rows of these records anew."""
        self.live.redraw(keys)
