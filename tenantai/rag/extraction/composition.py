"""Composes a document's text block by block, so that each block's span is exactly its text.

What must stay true: no document is larger than the server, which holds up to fifteen times its text meanwhile, can bear.
"""

import re
from collections.abc import Iterable
from typing import Literal

from tenantai.rag.documents import Block, BlockKind, ExtractedDocument, ExtractionFailed

# C0 and C1 controls, lone surrogates and noncharacters; tabs and newlines stay.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
TIGHT: frozenset[BlockKind] = frozenset({"list_item", "table_row"})
CELL_SEPARATOR = " | "
TABLE_HEADER_CHARACTERS_MAX = 500  # it is repeated with every row
CHARACTERS_MAX = 30_000_000  # 10,000 pages of 3,000
BLOCKS_MAX = 500_000
TOO_MUCH_TEXT = (
    f"The document holds more text than is read: {CHARACTERS_MAX // 1_000_000} million characters, or {BLOCKS_MAX:,} paragraphs, "
    "list items and table rows, at most. Split it."
)


def clean(text: str) -> str:
    """Text whose lines end in a line feed alone, without control characters."""
    return UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n"))


class Composition:
    """A text that grows by blocks: list items and table rows follow their like on the next line, others after a blank one."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0

    def add(self, kind: BlockKind, text: str, *, level: int = 0, page: int | None = None, table_header: str = "") -> None:
        """Append a block; one without visible text is left out. Raises ExtractionFailed where the document is too large."""
        text = clean(text).strip("\n") if kind == "code" else clean(text).strip()
        if not text.strip():
            return
        self._append(self._separator(kind))
        start = self._length
        self._append(text)
        self._blocks.append(Block(kind, start, self._length, level, page, table_header))
        if self._length > CHARACTERS_MAX or len(self._blocks) > BLOCKS_MAX:
            raise ExtractionFailed("too_large_unpacked", TOO_MUCH_TEXT)

    def add_table(self, rows: Iterable[list[str]], *, has_header: bool, page: int | None = None) -> None:
        """Append a table, one block a row, each knowing the header row above it."""
        header = ""
        for index, cells in enumerate(rows):
            row = CELL_SEPARATOR.join(cells)
            if any(cells):
                self.add("table_row", row, page=page, table_header=header)
            if index == 0 and has_header:
                header = clean(row).strip()[:TABLE_HEADER_CHARACTERS_MAX]

    def document(self, media_type: str, *, page_count: int | None = None) -> ExtractedDocument:
        """The document composed so far."""
        return ExtractedDocument(media_type, "".join(self._parts), tuple(self._blocks), page_count)

    def _separator(self, kind: BlockKind) -> Literal["", "\n", "\n\n"]:
        if not self._blocks:
            return ""
        previous = self._blocks[-1].kind
        return "\n" if kind == previous and kind in TIGHT else "\n\n"

    def _append(self, part: str) -> None:
        self._parts.append(part)
        self._length += len(part)
