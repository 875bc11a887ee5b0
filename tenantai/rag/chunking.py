"""Cuts a document into the passages that are searched, along its structure.

Chunks follow one another without overlap, their offsets are exact, and every visible character lies in exactly one.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import sentencex

from tenantai.rag.documents import Block, Chunk, ExtractedDocument, SoFar, told_to_nobody

TARGET_CHARACTERS = 1000
MAX_CHARACTERS = 1200
SMALL_CHARACTERS = 200  # a chunk of less takes in more than the target rather than stay so small
SHORT_SECTION_CHARACTERS = 150
LONG_ITEM_CHARACTERS = 240  # a list item of more is quoted sentence by sentence
SEGMENTED_CHARACTERS = 20_000  # bounds the time that one call into sentencex holds the interpreter
HEADING_CHARACTERS_MAX = 200  # it is repeated with every chunk below it
LETTER = re.compile(r"[^\W\d_]")
ENDED = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*$")
LISTED = frozenset({"list_item", "table_row"})


def chunk_document(document: ExtractedDocument, so_far: SoFar = told_to_nobody) -> list[Chunk]:
    """The chunks of a document in order."""
    pages = _Pages(document)
    chunks: list[Chunk] = []
    for section in _merged_sections(_sections(document)):
        for passage in _passages(section, document.text):
            chunks.append(_chunk(passage, document, ordinal=len(chunks), path=section.path, pages=pages))
            so_far("characters", chunks[-1].end, len(document.text))
    return chunks


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, list item, table row, line of code or heading: what a chunk is made of."""

    start: int
    end: int
    heading: bool = False
    table_header: str = ""


@dataclass(slots=True)
class _Section:
    """The blocks under one heading, the heading first; `level` is the heading's."""

    path: tuple[str, ...]
    level: int
    blocks: list[Block] = field(default_factory=list)

    @property
    def parent(self) -> tuple[str, ...]:
        return self.path[:-1]

    @property
    def length(self) -> int:
        return self.blocks[-1].end - self.blocks[0].start

    @property
    def is_bare(self) -> bool:
        """A heading with nothing of its own below it."""
        return all(block.kind == "heading" for block in self.blocks)


def _sections(document: ExtractedDocument) -> Iterator[_Section]:
    """The document's sections; a bare heading goes with the first section below it."""
    open_headings: list[tuple[int, str]] = []
    section = _Section((), 0)
    for block in _joined_over_pages(document.text, _covering(document)):
        if block.kind == "heading":
            open_headings = [entry for entry in open_headings if entry[0] < block.level]
            open_headings.append((block.level, " ".join(document.text[block.start : block.end].split())[:HEADING_CHARACTERS_MAX]))
            path = tuple(title for _, title in open_headings)
            if section.blocks and not (section.is_bare and path[:-1] == section.path):
                yield section
                section = _Section(path, block.level)
            section.path, section.level = path, block.level
        section.blocks.append(block)
    if section.blocks:
        yield section


def _covering(document: ExtractedDocument) -> Iterator[Block]:
    """The blocks, trimmed to visible text, and paragraphs for whatever lies visibly between them."""
    end = 0
    for block in document.blocks:
        yield from _trimmed(document.text, Block("paragraph", end, block.start, page=block.page))
        yield from _trimmed(document.text, block)
        end = block.end
    yield from _trimmed(document.text, Block("paragraph", end, len(document.text)))


def _trimmed(text: str, block: Block) -> Iterator[Block]:
    start, end = _without_space(text, block.start, block.end)
    if start < end:
        yield replace(block, start=start, end=end)


def _joined_over_pages(text: str, blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks, with a paragraph that a page break cut in the middle of a sentence made whole."""
    held: Block | None = None
    last_page: int | None = None
    for block in blocks:
        if held and _continues(text, held, block, last_page=last_page):
            held = replace(held, end=block.end)
        else:
            if held:
                yield held
            held = block
        last_page = block.page
    if held:
        yield held


def _continues(text: str, above: Block, block: Block, *, last_page: int | None) -> bool:
    if block.kind != "paragraph" or above.kind not in {"paragraph", "list_item"} or block.page is None:
        return False
    cut = last_page is not None and block.page == last_page + 1 and not ENDED.search(text[above.end - 5 : above.end])
    return cut and text[block.start].islower()


def _merged_sections(sections: Iterable[_Section]) -> Iterator[_Section]:
    """Very short sections under sibling headings, taken together under their common parent."""
    held: _Section | None = None
    held_parent: tuple[str, ...] = ()
    for section in sections:
        if held and _are_short_siblings(held, section, held_parent):
            held.blocks.extend(section.blocks)
            held.path = held_parent
            continue
        if held:
            yield held
        held, held_parent = section, section.parent
    if held:
        yield held


def _are_short_siblings(held: _Section, section: _Section, parent: tuple[str, ...]) -> bool:
    merged = held.path == parent
    short = section.length < SHORT_SECTION_CHARACTERS and (merged or held.length < SHORT_SECTION_CHARACTERS)
    fits = section.blocks[-1].end - held.blocks[0].start <= TARGET_CHARACTERS
    return short and fits and section.level == held.level > 0 and section.parent == parent


_Passage = list[_Unit]


def _passages(section: _Section, text: str) -> list[_Passage]:
    """The section's units, packed: groups stay whole while they fit, longer ones are cut between units."""
    packer = _Packer()
    for group in _groups(section.blocks):
        packer.add([unit for block in group for unit in _units(block, text)])
    return packer.finished()


def _groups(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks to be kept together: a heading with what follows it, a run of list items or table rows, else one block."""
    held: list[Block] = []
    for kind, run in groupby(blocks, key=lambda block: block.kind):
        members = list(run)
        for group in [members] if kind in LISTED or kind == "heading" else ([block] for block in members):
            held += group
            if kind != "heading":
                yield held
                held = []
    if held:
        yield held


class _Packer:
    """Fills passages to the target length, never beyond the maximum."""

    def __init__(self) -> None:
        self._done: list[_Passage] = []
        self._open: _Passage = []

    def add(self, group: _Passage) -> None:
        """Take a group of units as a whole where it fits, else unit by unit."""
        if group[-1].end - group[0].start > MAX_CHARACTERS:
            for unit in group:
                self._append([unit])
        else:
            self._append(group)

    def finished(self) -> list[_Passage]:
        """All passages; a small last one goes with the one before where both fit."""
        self._close()
        if len(self._done) > 1:
            before, last = self._done[-2:]
            small = last[-1].end - last[0].start < SMALL_CHARACTERS
            if small and last[-1].end - before[0].start <= MAX_CHARACTERS:
                self._done[-2:] = [[*before, *last]]
        return self._done

    def _append(self, units: _Passage) -> None:
        if self._open and not self._fits(units[-1].end):
            self._close()
        self._open.extend(units)

    def _fits(self, end: int) -> bool:
        start = self._open[0].start
        small = self._open[-1].end - start < SMALL_CHARACTERS or all(unit.heading for unit in self._open)
        return end - start <= (MAX_CHARACTERS if small else TARGET_CHARACTERS)

    def _close(self) -> None:
        if self._open:
            self._done.append(self._open)
            self._open = []


def _units(block: Block, text: str) -> Iterator[_Unit]:
    """A block's units, none longer than a chunk may be."""
    for start, end in _unit_spans(block, text):
        for piece_start, piece_end in _cut(text, start, end):
            yield _Unit(piece_start, piece_end, block.kind == "heading", block.table_header)


def _unit_spans(block: Block, text: str) -> Iterator[tuple[int, int]]:
    if block.kind == "paragraph" or (block.kind == "list_item" and block.end - block.start > LONG_ITEM_CHARACTERS):
        yield from _sentences(text, block.start, block.end)
    elif block.kind == "code":
        for line in re.finditer(r"[^\n]*\S[^\n]*", text[block.start : block.end]):
            yield _without_space(text, block.start + line.start(), block.start + line.end())
    else:
        yield block.start, block.end


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences between two offsets; numbering and stray marks go with the sentence after them."""
    pending: int | None = None
    span: tuple[int, int] | None = None
    for piece_start, piece_end in _cut(text, start, end, longest=SEGMENTED_CHARACTERS):
        # Its indices count characters; a blank line, which stands where a page ends, would end a sentence.
        for found in sentencex.get_sentence_boundaries("en", text[piece_start:piece_end].replace("\n\n", "\n ")):
            sentence = _without_space(text, piece_start + found["start_index"], piece_start + found["end_index"])
            if sentence[0] == sentence[1]:
                continue
            pending = sentence[0] if pending is None else pending
            if LETTER.search(text[sentence[0] : sentence[1]]):
                if span:
                    yield span
                span, pending = (pending, sentence[1]), None
    if pending is not None:
        yield (span[0] if span else pending, end)
    elif span:
        yield span


def _cut(text: str, start: int, end: int, *, longest: int = MAX_CHARACTERS) -> Iterator[tuple[int, int]]:
    """The span in pieces no longer than `longest`, cut at white space, or anywhere where there is none."""
    while end - start > longest:
        breaks = [text.rfind(space, start + 1, start + longest) for space in ("\n", " ")]
        at = max(breaks) if max(breaks) > start + longest // 2 else start + longest
        yield _without_space(text, start, at)
        start, _ = _without_space(text, at, end)
    if start < end:
        yield start, end


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


class _Pages:
    """On which page an offset lies."""

    def __init__(self, document: ExtractedDocument) -> None:
        self._starts: list[int] = []
        self._pages: list[int] = []
        for block in document.blocks:
            if block.page is not None and (not self._pages or self._pages[-1] != block.page):
                self._starts.append(block.start)
                self._pages.append(block.page)

    def within(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """(offset from `start`, page) of each page between two offsets; empty where there are no pages."""
        if not self._pages:
            return ()
        first = max(bisect_right(self._starts, start) - 1, 0)
        later = range(first + 1, bisect_right(self._starts, end - 1))
        return ((0, self._pages[first]), *((self._starts[index] - start, self._pages[index]) for index in later))


def _chunk(passage: _Passage, document: ExtractedDocument, *, ordinal: int, path: tuple[str, ...], pages: _Pages) -> Chunk:
    start, end = passage[0].start, passage[-1].end
    units = [unit for unit in passage if not unit.heading] or passage
    page_starts = pages.within(start, end)
    return Chunk(
        ordinal=ordinal,
        start=start,
        end=end,
        text=document.text[start:end],
        heading_path=path,
        page=page_starts[0][1] if page_starts else None,
        page_starts=page_starts,
        units=tuple((unit.start - start, unit.end - start) for unit in units),
        table_headers=tuple((index, unit.table_header) for index, unit in enumerate(units) if unit.table_header),
    )
