"""A chart of columns in characters: readable in 80 columns, and without colour."""

from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content
from textual.widget import Widget

from tenantai.tui.usage_series import short

AXIS = 7
STEPS = " ▁▂▃▄▅▆▇█"
COLUMN_MAX = 6
LABEL_GAP = 2
HEIGHT_MIN = 3


class ColumnChart(Widget):
    """Numbers in time, each with its label."""

    ALLOW_MAXIMIZE = True
    can_focus = True
    DEFAULT_CSS: ClassVar[str] = """
    ColumnChart { height: 1fr; min-height: 6; padding: 0 1; }
    ColumnChart:focus { background-tint: $foreground 3%; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's own name
        super().__init__(id=id)
        self.title = ""
        self.series: Sequence[tuple[str, int]] = ()
        self._was_loaded = False

    def show(self, title: str, series: Sequence[tuple[str, int]]) -> None:
        """Show these numbers."""
        self.title, self.series, self._was_loaded = title, series, True
        self.refresh()

    def render(self) -> Content:
        """Draw the title, the columns and the labels; nothing before numbers came: none is not the same as not known."""
        if not self._was_loaded:
            return Content("")
        lines = drawn(self.series, width=self.size.width, height=self.size.height - 1)
        return Content("\n").join([Content.styled(self.title, "bold"), *lines])


def drawn(series: Sequence[tuple[str, int]], *, width: int, height: int) -> list[Content]:
    """Return the lines of a chart."""
    if not any(number for _, number in series):
        return [Content("Nothing was used in this time.")]
    fitted = merged(series, most=max(1, width - AXIS))
    each = max(1, min(COLUMN_MAX, (width - AXIS) // len(fitted)))
    gap = 1 if each >= LABEL_GAP else 0
    rows = max(HEIGHT_MIN, height - 2)
    top = max(number for _, number in fitted)
    lines = []
    for row in range(rows, 0, -1):
        cells = "".join(_cell(number, top, row, rows) * (each - gap) + " " * gap for _, number in fitted)
        lines.append(Content.assemble((f"{_tick(row, rows, top):>{AXIS - 2}} ", "$text-muted"), "│", (cells, "$primary")))
    lines.append(Content.styled(" " * (AXIS - 1) + "└" + "─" * (each * len(fitted)), "$text-muted"))
    lines.append(Content.styled(" " * AXIS + _labels([label for label, _ in fitted], each), "$text-muted"))
    return lines


def merged(series: Sequence[tuple[str, int]], *, most: int) -> list[tuple[str, int]]:
    """Return no more than so many numbers, neighbours added up where there are more; each keeps its first one's label."""
    together = -(-len(series) // most)
    return [(series[at][0], sum(number for _, number in series[at : at + together])) for at in range(0, len(series), together)]


def _cell(number: int, top: int, row: int, rows: int) -> str:
    """Return what of a column is in a row; whatever is more than nothing can be seen."""
    eighths = round(number / top * rows * 8)
    if number and not eighths:
        eighths = 1
    return STEPS[max(0, min(8, eighths - (row - 1) * 8))]


def _tick(row: int, rows: int, top: int) -> str:
    """Return the number beside a row: at the top, and in the middle where there is room."""
    if row == rows:
        return short(top)
    return short(top * row / rows) if rows >= 2 * HEIGHT_MIN and row == (rows + 1) // 2 else ""


def _labels(labels: Sequence[str], each: int) -> str:
    line = ""
    for at, label in enumerate(labels):
        if at * each >= len(line) + (LABEL_GAP if line else 0) and at * each + len(label) <= each * len(labels) + LABEL_GAP:
            line = line.ljust(at * each) + label
    return line
