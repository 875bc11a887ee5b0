"""What extraction makes of a file: one text, and blocks that say where its structure lies in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["heading", "paragraph", "list_item", "table_row", "code"]
ReadUnit = Literal["pages", "characters"]
SoFar = Callable[[ReadUnit, int, int], None]
"""Is told how far a work is: so many of so many; it costs next to nothing, so it may be told often."""


def told_to_nobody(unit: ReadUnit, done: int, total: int) -> None:
    """Take no note of how far a work is."""
    del unit, done, total


@dataclass(frozen=True, slots=True)
class Block:
    """A half-open span of the text, in characters: a heading, paragraph, list item, table row or piece of code.

    `level` is a heading's depth (1 is the top), else 0; `page` counts from 1 where the format has pages;
    `table_header` is the text of the header row above a table row, empty elsewhere.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    page: int | None = None
    table_header: str = ""


@dataclass(frozen=True, slots=True)
class ExtractedDocument:
    """The text of a file, its blocks in order, and how many pages it has (None where the format has none)."""

    media_type: str
    text: str
    blocks: tuple[Block, ...]
    page_count: int | None = None


class ExtractionFailed(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """A file gave no text; `reason` is for programs, the message for people.

    Reasons: encrypted, truncated, empty, too_large_unpacked, unsupported, needs_ocr, time_limit, memory_limit, crashed.
    """

    def __init__(self, reason: str, message: str, *, page_count: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.page_count = page_count


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage to search: `text` is exactly the document's text from `start` to `end`.

    `units` are half-open spans (in characters of the chunk's text) of its sentences, list items and table rows;
    `table_headers` pairs a unit's index with the header row above it; `page` is where the chunk starts, `page_starts`
    the (offset in the chunk, page) pairs of every page it touches, empty where there are no pages.
    """

    ordinal: int
    start: int
    end: int
    text: str
    heading_path: tuple[str, ...]
    page: int | None
    page_starts: tuple[tuple[int, int], ...]
    units: tuple[tuple[int, int], ...]
    table_headers: tuple[tuple[int, str], ...]
