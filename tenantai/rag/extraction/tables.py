"""Finds tables on a PDF page: lines with wide gaps that lie above one another."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tenantai.rag.extraction.glyphs import Line, Word

Gap = tuple[float, float]
WIDE_GAP_EM = 1.2
SHARED_GAP_EM = 0.25
ROW_DISTANCE_EM_MAX = 5.0
ROWS_MIN = 2
STRIP_EM = 0.42  # wider than a space, which is 0.25 to 0.33
ENUMERATOR = re.compile(r"\(?\d{1,2}(?:\.\d{1,2})*[.)]?|\(?(?:[a-zA-Z]|[ivxIVX]{2,4})[.)]|[•‣◦▪●○■*\u2013-]")


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a table's rows, and how many of the page's lines it takes up."""

    rows: tuple[tuple[str, ...], ...]
    line_count: int


def table_at(lines: Sequence[Line], start: int) -> Table | None:
    """The table that begins with the line at `start`, if one does."""
    end = _end_of_rows(lines, start)
    rows = [line for line in lines[start:end] if wide_gaps(line)]
    if len(rows) < ROWS_MIN:
        return None
    gutters = _gutters(rows, lines[start:end])
    cells: list[list[str]] = []
    for line in lines[start:end]:
        row = _cells(line, gutters)
        if cells and not row[0] and sum(map(bool, row)) == 1 and not wide_gaps(line):
            cells[-1] = [f"{above} {more}".strip() for above, more in zip(cells[-1], row, strict=True)]
        else:
            cells.append(row)
    return Table(tuple(map(tuple, cells)), end - start)


def wide_gaps(line: Line) -> list[Gap]:
    """The gaps of a line that are wide enough to part cells; the one behind an item's number or bullet parts none."""
    gaps = [gap for gap in _all_gaps(line) if gap[1] - gap[0] >= WIDE_GAP_EM * line.size]
    numbered = len(gaps) == 1 and gaps[0][0] == line.words[0].right and ENUMERATOR.fullmatch(line.words[0].text)
    return [] if numbered else gaps


def _end_of_rows(lines: Sequence[Line], start: int) -> int:
    """The end of the run of lines that share a gap, or that continue a cell to the right of the first column."""
    shared = wide_gaps(lines[start])
    end = start + 1
    while shared and end < len(lines) and _is_near(lines[end - 1], lines[end]):
        line = lines[end]
        if line.bold and not lines[end - 1].bold:  # the head of another table
            break
        common = [both for gap in shared for other in wide_gaps(line) if (both := _overlap(gap, other, line))]
        if not common and (wide_gaps(line) or line.left < shared[0][1] - SHARED_GAP_EM * line.size):
            break
        shared = common or shared
        end += 1
    return end


def _is_near(above: Line, below: Line) -> bool:
    """Within the distance of two rows, in either direction: cells are drawn one after another, each from its top."""
    return abs(above.bottom - below.top) <= ROW_DISTANCE_EM_MAX * max(above.size, below.size)


def _all_gaps(line: Line) -> Iterator[Gap]:
    for left, right in pairwise(line.words):
        yield (left.right, right.left)


def _overlap(gap: Gap, other: Gap, line: Line) -> Gap | None:
    both = (max(gap[0], other[0]), min(gap[1], other[1]))
    return both if both[1] - both[0] >= SHARED_GAP_EM * line.size else None


def _gutters(rows: Sequence[Line], lines: Sequence[Line]) -> list[Gap]:
    """Where columns part: the gaps of the row that has the most, narrowed by the other rows, and strips that no word enters."""
    gutters = wide_gaps(max(rows, key=lambda row: len(wide_gaps(row))))
    for row in rows:
        gutters = [_narrowed(gutter, row) for gutter in gutters]
    strips = [strip for strip in _strips(lines) if all(strip[1] <= left or right <= strip[0] for left, right in gutters)]
    return sorted(gutters + strips)


def _strips(lines: Sequence[Line]) -> Iterator[Gap]:
    """The upright strips between words that are free in every line, such as one between a right and a left aligned column."""
    words = sorted((word for line in lines for word in line.words), key=lambda word: word.left)
    reached = words[0].right
    for word in words:
        if word.left - reached >= STRIP_EM * lines[0].size:
            yield (reached, word.left)
        reached = max(reached, word.right)


def _narrowed(gutter: Gap, row: Line) -> Gap:
    shared = [both for gap in _all_gaps(row) if (both := _overlap(gutter, gap, row))]
    return max(shared, key=lambda gap: gap[1] - gap[0], default=gutter)


def _cells(line: Line, gutters: Sequence[Gap]) -> list[str]:
    """The words of a line by column: a column's words begin right of its gutter."""
    columns: list[list[Word]] = [[] for _ in range(len(gutters) + 1)]
    for word in line.words:
        middle = (word.left + word.right) / 2
        columns[sum(middle > (gutter[0] + gutter[1]) / 2 for gutter in gutters)].append(word)
    return [" ".join(word.text for word in column) for column in columns]
