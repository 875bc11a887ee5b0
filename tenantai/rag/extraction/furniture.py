"""Takes running heads and page numbers off the pages of a PDF, for they cut sentences and fill searches."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tenantai.rag.extraction.glyphs import Line
from tenantai.rag.extraction.tables import wide_gaps

PAGES_ENOUGH = 3
EDGE_LINES = 2
CELLS_MIN = 2
PLACE_POINTS = 4
PAGE_NUMBER = re.compile(r"[^\w]*(?:\w{1,6}\.?\s+)?(?:\d+|[ivxlc]+)(?:\s*(?:/|\w{1,4})\s*\d+)?[^\w]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page's number, from 1, and its lines in reading order."""

    number: int
    lines: tuple[Line, ...]


def without_furniture(pages: Sequence[Page]) -> list[Page]:
    """The pages without what stands in the same place on three, or on all but one; words are kept where they come first.

    A page that held nothing else keeps its lines: what is all there is on a page is its content.
    """
    counts = Counter(key for page in pages for key in {_key(line) for line in _edges(page)})
    needed = min(PAGES_ENOUGH, max(len(pages) - 1, 2))
    repeated = {key for key, count in counts.items() if count >= needed}
    seen: set[str] = set()
    return [Page(page.number, tuple(_kept(page, repeated, seen))) for page in pages]


def _kept(page: Page, repeated: set[tuple[str, int]], seen: set[str]) -> list[Line]:
    edges = {id(line) for line in _edges(page)}
    kept = []
    for line in page.lines:
        words, place = _key(line)
        furniture = (words, place) in repeated and id(line) in edges
        if not furniture or (words not in seen and not PAGE_NUMBER.fullmatch(line.text)):
            kept.append(line)
        seen.add(words)
    return kept or [line for line in page.lines if not PAGE_NUMBER.fullmatch(line.text)]


def _edges(page: Page) -> list[Line]:
    """The first and last lines in which furniture is looked for; a row of a table, whose head may repeat, is none."""
    edges = [*page.lines[:EDGE_LINES], *page.lines[EDGE_LINES:][-EDGE_LINES:]]
    return [line for line in edges if len(wide_gaps(line)) < CELLS_MIN]


def _key(line: Line) -> tuple[str, int]:
    """What is the same on every page: the words but for numbers, and the height."""
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text), round(line.top / PLACE_POINTS)
