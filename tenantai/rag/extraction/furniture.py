"""Takes running heads and page numbers off the pages of a PDF, for they cut sentences and fill searches."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tenantai.rag.extraction.glyphs import Line
from tenantai.rag.extraction.tables import wide_gaps

PAGES_MIN = 3
EDGE_LINES = 2
CELLS_MIN = 2
PLACE_POINTS = 4


@dataclass(frozen=True, slots=True)
class Page:
    """A page's number, from 1, and its lines in reading order."""

    number: int
    lines: tuple[Line, ...]


def without_furniture(pages: Sequence[Page]) -> list[Page]:
    """The pages without what stands in the same place on three or more; words are kept where they come first."""
    counts = Counter(key for page in pages for key in {_key(line) for line in _edges(page)})
    seen: set[tuple[str, int]] = set()
    return [Page(page.number, tuple(_kept(page, counts, seen))) for page in pages]


def _kept(page: Page, counts: Counter[tuple[str, int]], seen: set[tuple[str, int]]) -> list[Line]:
    edges = _edges(page)
    kept = []
    for line in page.lines:
        key = _key(line)
        repeated = counts[key] >= PAGES_MIN and any(line is edge for edge in edges)
        if not repeated or (key not in seen and any(map(str.isalpha, line.text))):
            kept.append(line)
        if repeated:
            seen.add(key)
    return kept


def _edges(page: Page) -> list[Line]:
    """The first and last lines in which furniture is looked for; a row of a table, whose head may repeat, is none."""
    edges = [*page.lines[:EDGE_LINES], *page.lines[EDGE_LINES:][-EDGE_LINES:]]
    return [line for line in edges if len(wide_gaps(line)) < CELLS_MIN]


def _key(line: Line) -> tuple[str, int]:
    """What is the same on every page: the words but for numbers, and the height."""
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text), round(line.top / PLACE_POINTS)
