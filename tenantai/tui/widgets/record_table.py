"""A table of records that draws only the lines on the screen, so that a hundred thousand rows cost what a hundred do.

What must stay true: a row is known by its key, whatever is filtered, sorted or added meanwhile; the cursor stays on its record.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.widgets.columns import GAP, Column, cell, fitted, fitting_widths

R = TypeVar("R")
NEAR_END = 60
MARK = "●"
LEAD = 2  # cells before the first column, for the mark


class RecordTable(Acting, ScrollView, Generic[R], can_focus=True):
    """Records in rows, with a cursor on one cell, marks, and an order."""

    ALLOW_MAXIMIZE = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "record-table--header",
        "record-table--cursor",
        "record-table--cell",
        "record-table--marked",
        "record-table--good",
        "record-table--bad",
        "record-table--warn",
        "record-table--dim",
        "record-table--accent",
    }
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("table.down", "j,down", "move(1)", "Down", "One row down.", in_footer=False),
        Action("table.up", "k,up", "move(-1)", "Up", "One row up.", in_footer=False),
        Action("table.page-down", "pagedown,ctrl+f", "page(1)", "Page down", "A screenful down.", in_footer=False),
        Action("table.page-up", "pageup,ctrl+b", "page(-1)", "Page up", "A screenful up.", in_footer=False),
        Action("table.first", "g,home", "edge(0)", "First", "To the first row.", in_footer=False),
        Action("table.last", "G,end", "edge(1)", "Last", "To the last row that is loaded.", in_footer=False),
        Action("table.left", "h,left", "sideways(-1)", "Left", "One column to the left.", in_footer=False),
        Action("table.right", "l,right", "sideways(1)", "Right", "One column to the right.", in_footer=False),
        Action("table.choose", "enter", "choose", "Open", "Open what the cursor is on.", in_footer=False),
        Action("table.mark", "space", "mark", "Mark", "Mark this row, or take its mark away.", in_footer=False),
        Action("table.mark-all", "ctrl+a", "mark_all", "Mark all", "Mark every row that is shown, or none.", in_footer=False),
        Action("table.sort", "o", "sort", "Sort", "Sort by this column; again turns the order; a third time ends it.", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    cursor: reactive[int] = reactive(0, repaint=False)
    column: reactive[int] = reactive(0)

    @dataclass
    class Highlighted(Message):
        """The cursor is on another record, or on none."""

        table: "RecordTable[Any]"
        record: Any

        @property
        def control(self) -> "RecordTable[Any]":
            """The table."""
            return self.table

    @dataclass
    class Chosen(Message):
        """A record was opened."""

        table: "RecordTable[Any]"
        record: Any

        @property
        def control(self) -> "RecordTable[Any]":
            """The table."""
            return self.table

    @dataclass
    class Marked(Message):
        """Other rows are marked than before."""

        table: "RecordTable[Any]"

    @dataclass
    class NearEnd(Message):
        """The cursor or the view comes near the last row that is loaded."""

        table: "RecordTable[Any]"

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], Hashable],
        markable: bool = True,
        id: str | None = None,  # noqa: A002  Textual's own name
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.key = key
        self.markable = markable
        self.rows: list[R] = []
        self.marks: dict[Hashable, R] = {}
        self.sorted_by: tuple[int, bool] | None = None
        self._widths: list[int] = [0] * len(self.columns)
        self._cursor_key: Hashable = None
        self._told: Hashable = object()
        self._keys_shown: set[Hashable] | None = None
        self._ground = Style()

    @property
    def current(self) -> R | None:
        """The record under the cursor."""
        return self.row_at(self.cursor)

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def row_at(self, at: int) -> R | None:
        """Return the record of a row; None where there is none, or it is not held now."""
        return self.rows[at] if 0 <= at < len(self.rows) else None

    @property
    def keys_shown(self) -> set[Hashable]:
        """The keys of all rows."""
        if self._keys_shown is None:
            self._keys_shown = {self.key(row) for row in self.rows}
        return self._keys_shown

    @property
    def order(self) -> tuple[Callable[[R], Any], bool] | None:
        """What the rows are to be sorted by, and whether downwards; None where they stand as they came."""
        if self.sorted_by is None:
            return None
        at, descending = self.sorted_by
        return self.columns[at].sort or (lambda row: self.cell_text(row, at).casefold()), descending

    def show(self, rows: Iterable[R], *, is_whole: bool = True) -> None:
        """Show these records, in their order, in place of those before; the cursor stays on its record where that is still there.

        Where they are not the whole yet, a record that is not among them may still come, and the cursor then goes back to it.
        """
        self.rows, self._keys_shown = list(rows), None
        is_there = self._keep_cursor()
        self._measure()
        self.refresh()
        if is_there or is_whole:
            self._tell()

    def hold_view(self, by: int) -> None:
        """Let the rows that are seen stay where they are after so many came before them; at the top, only the cursor is kept in view."""
        if self.scroll_offset.y > 0 and by > 0:
            self.scroll_to(y=self.scroll_offset.y + by, animate=False, force=True)
        else:
            self.scroll_to_region(Region(int(self.scroll_offset.x), self.cursor, 1, 2), animate=False, force=True)

    def replace(self, record: R) -> None:
        """Show a record as it is now, in its row."""
        wanted = self.key(record)
        for at, row in enumerate(self.rows):
            if self.key(row) == wanted:
                self.rows[at] = record
                self.refresh()
                return

    def prune_marks(self, known: Iterable[R]) -> None:
        """Forget the marks of records that are no longer there, and renew those that are."""
        if not self.marks:
            return
        there = {self.key(record): record for record in known}
        self.marks = {key: there[key] for key in self.marks if key in there}

    def cell_text(self, record: R, column: int) -> str:
        """Return what a cell says."""
        return self.columns[column].text(record)

    def row_text(self, record: R) -> str:
        """Return a row as text, its cells apart by tabs."""
        return "\t".join(self.cell_text(record, at) for at in range(len(self.columns)))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines of the screen, the style of all of them worked out once."""
        self._ground = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        width = self.size.width
        scroll_x, scroll_y = self.scroll_offset
        if y == 0:
            return self._header().crop_extend(scroll_x, scroll_x + width, self._style("record-table--header"))
        at = scroll_y + y - 1
        if at >= self.row_count:
            return Strip.blank(width, self._ground)
        line = self._line_style(at)
        return self._row(at, line).crop_extend(scroll_x, scroll_x + width, line)

    def _style(self, *names: str) -> Style:
        return self.get_component_rich_style(*names)

    def _line_style(self, at: int) -> Style:
        style, record = self._ground, self.row_at(at)
        if record is not None and self.key(record) in self.marks:
            style += self._style("record-table--marked")
        if at == self.cursor:
            style += self._style("record-table--cursor") if self.has_focus else self._style("record-table--cell")
        return style

    def _header(self) -> Strip:
        style = self._style("record-table--header")
        segments = [Segment("  " if self.markable else "", style)]
        for at, column in enumerate(self.columns):
            arrow = "" if self.sorted_by is None or self.sorted_by[0] != at else (" ▼" if self.sorted_by[1] else " ▲")
            title = fitted(column.title + arrow, self._widths[at], right=column.right)
            segments += cell(title, style, is_under_cursor=at == self.column and self.has_focus)
            segments.append(Segment(" " * GAP, style))
        return Strip(segments)

    def _row(self, at: int, line: Style) -> Strip:
        record = self.row_at(at)
        if record is None:
            return Strip([Segment("  …", line)])
        is_marked = self.key(record) in self.marks
        segments = [Segment((f"{MARK} " if is_marked else "  ") if self.markable else "", line)]
        for number, column in enumerate(self.columns):
            tone = column.tone(record) if column.tone else ""
            style = line + self.get_component_rich_style(f"record-table--{tone}", partial=True) if tone else line
            text = fitted(column.drawn(record), self._widths[number], right=column.right)
            segments += cell(text, style, is_under_cursor=at == self.cursor and number == self.column and self.has_focus)
            segments.append(Segment(" " * GAP, line))
        return Strip(segments)

    def _measure(self) -> None:
        """Fit the columns to the first rows, and the growing one to the room that is left."""
        lead = 2 if self.markable else 0
        self._widths = fitting_widths(self.columns, self.rows, room=self.scrollable_content_region.width - lead)
        self.virtual_size = Size(lead + sum(self._widths) + GAP * len(self.columns), self.row_count + 1)

    def _keep_cursor(self) -> bool:
        """Put the cursor on its record; returns whether that is there."""
        if (record := self.current) is not None and self.key(record) == self._cursor_key:
            return True
        if self._cursor_key is not None:
            for at, row in enumerate(self.rows):
                if self.key(row) == self._cursor_key:
                    self.set_reactive(RecordTable.cursor, at)
                    return True
        self.set_reactive(RecordTable.cursor, max(0, min(self.cursor, self.row_count - 1)))
        return False

    def _tell(self) -> None:
        """Say which record the cursor is on, once for each."""
        record = self.current
        self._cursor_key = self.key(record) if record is not None else None
        if self._cursor_key != self._told:
            self._told = self._cursor_key
            self.post_message(self.Highlighted(self, record))

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, self.row_count - 1))

    def watch_cursor(self) -> None:
        """Bring the cursor into view, say where it is, and ask for more where the rows end soon."""
        self.scroll_to_region(Region(int(self.scroll_offset.x), self.cursor, 1, 2), animate=False, force=True)
        self.refresh()
        self._tell()
        if self.row_count - self.cursor < NEAR_END:
            self.post_message(self.NearEnd(self))

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Ask for more rows where the view nears their end."""
        super().watch_scroll_y(old, new)
        if self.row_count - new - self.size.height < NEAR_END and new > old:
            self.post_message(self.NearEnd(self))

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._measure()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; on the header, sort; in the column of marks, or with ctrl, mark; twice, open."""
        x = event.x + int(self.scroll_offset.x)
        column = self._column_at(x)
        if event.y == 0:
            self.column = column
            self.action_sort()
        elif (at := int(self.scroll_offset.y) + event.y - 1) < self.row_count:
            self.column = column
            self.cursor = at
            if self.markable and (event.ctrl or x < LEAD):
                self._turn_mark()
            elif event.chain == 2:  # noqa: PLR2004  a double click
                self.action_choose()

    def _column_at(self, x: int) -> int:
        edge = 2 if self.markable else 0
        for at, width in enumerate(self._widths):
            edge += width + GAP
            if x < edge:
                return at
        return len(self.columns) - 1

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """Move the cursor by screenfuls."""
        self.cursor += by * max(1, self.size.height - 2)

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first or the last row."""
        self.cursor = self.row_count - 1 if end else 0

    def action_sideways(self, by: int) -> None:
        """Move the cursor by columns."""
        self.column = max(0, min(self.column + by, len(self.columns) - 1))
        left = (2 if self.markable else 0) + sum(self._widths[: self.column]) + GAP * self.column
        self.scroll_to_region(Region(left, int(self.scroll_offset.y), self._widths[self.column], 1), animate=False, force=True)

    def action_choose(self) -> None:
        """Open the record under the cursor."""
        if (record := self.current) is not None:
            self.post_message(self.Chosen(self, record))

    def action_mark(self) -> None:
        """Mark the record under the cursor, or take its mark away, and go on to the next."""
        if self.current is not None and self.markable:
            self._turn_mark()
            self.cursor += 1

    def _turn_mark(self) -> None:
        """Mark the record under the cursor, or take its mark away."""
        record = self.current
        if record is None:
            return
        key = self.key(record)
        if key in self.marks:
            del self.marks[key]
        else:
            self.marks[key] = record
        self.post_message(self.Marked(self))
        self.refresh()

    def action_mark_all(self) -> None:
        """Mark every row that is shown; where all are marked, none."""
        if not self.markable:
            return
        keyed = {self.key(row): row for row in self.rows}
        if keyed.keys() <= self.marks.keys():
            self.marks = {key: row for key, row in self.marks.items() if key not in keyed}
        else:
            self.marks |= keyed
        self.post_message(self.Marked(self))
        self.refresh()

    def action_sort(self) -> None:
        """Sort by the column under the cursor: upwards, downwards, not."""
        if self.sorted_by is None or self.sorted_by[0] != self.column:
            self.sorted_by = (self.column, False)
        else:
            self.sorted_by = None if self.sorted_by[1] else (self.column, True)
        self.post_message(self.Sorted(self))

    @dataclass
    class Sorted(Message):
        """Another order is asked for."""

        table: "RecordTable[Any]"
