"""The columns of a table: what their cells say, how wide they are, and how a cell is drawn.

What must stay true: a cell is exactly as wide as its column, whatever characters are in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from tenantai.tui import shown

R = TypeVar("R")
Tone = Literal["", "good", "bad", "warn", "dim", "accent"]
GAP = 2
SAMPLE = 200
WIDTH_MAX = 60
GROWING_MIN = 12


@dataclass(frozen=True)
class Column(Generic[R]):
    """A column: what its cells say, how they are told apart in tone, and by what they are sorted (their text where left out).

    `live` is drawn in place of the cell where it says something: what changes too often to be sorted or filtered by.
    `width` in cells, None for as wide as its content (at most `WIDTH_MAX`); the one that `grows` takes what room is left.
    """

    title: str
    cell: Callable[[R], str]
    tone: Callable[[R], Tone] | None = None
    sort: Callable[[R], Any] | None = None
    width: int | None = None
    right: bool = False
    grows: bool = False
    live: Callable[[R], str] | None = None

    def text(self, record: R) -> str:
        """Return what the cell of a record says, without anything that could steer the terminal."""
        return shown.line(self.cell(record))

    def drawn(self, record: R) -> str:
        """Return what is drawn in the cell of a record."""
        live = self.live(record) if self.live is not None else ""
        return shown.line(live) if live else self.text(record)


def fitting_widths(columns: Sequence[Column[R]], rows: Sequence[R], *, room: int) -> list[int]:
    """Return how wide each column is in cells: fit to the first rows, the growing one to what is left of the room."""
    natural = [_natural_width(column, rows) for column in columns]
    left = room - sum(natural) - GAP * len(columns)
    return [
        max(min(GROWING_MIN, width), width + left) if column.grows else width
        for column, width in zip(columns, natural, strict=True)
    ]


def _natural_width(column: Column[R], rows: Sequence[R]) -> int:
    if column.width is not None:
        return column.width
    longest = max((cell_len(column.text(row)) for row in rows[:SAMPLE]), default=0)
    return min(WIDTH_MAX, max(longest, cell_len(column.title) + GAP))


def cell(text: str, style: Style, *, is_under_cursor: bool) -> list[Segment]:
    """Return a cell; under the cursor its words are underlined, not the room that they leave."""
    if not is_under_cursor:
        return [Segment(text, style)]
    word = text.strip()
    before, after = text.split(word, 1) if word else (text, "")
    return [Segment(before, style), Segment(word, style + Style(underline=True)), Segment(after, style)]


def fitted(text: str, width: int, *, right: bool) -> str:
    """Return text exactly `width` cells wide, cut with an ellipsis where it is longer."""
    length = cell_len(text)
    if length > width:
        return f"{set_cell_size(text, max(0, width - 1))}…"[: width or None] if width else ""
    return " " * (width - length) + text if right else text + " " * (width - length)
