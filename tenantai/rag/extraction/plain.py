"""Plain text to blocks: paragraphs end at blank lines, list items at their markers, delimited tables at their lines."""

import csv
import re

from tenantai.rag.documents import ExtractedDocument, SoFar, told_to_nobody
from tenantai.rag.extraction.composition import Composition, clean
from tenantai.rag.extraction.kinds import PLAIN

LIST_MARKER = re.compile(r"\s{0,8}(?:[-*•‣◦▪\u2013]|\d{1,3}[.)]|[a-zA-Z][.)])\s+\S")
UNDERLINE = re.compile(r"[ \t]*(={3,}|-{3,}|~{3,}|\*{3,})[ \t]*")
CAPITALS = re.compile(r"[^\W\d_]{3}")
HEADING_CHARACTERS_MAX = 80
DELIMITERS = (",", "\t", ";")
DELIMITED_LINES_MIN = 3
DELIMITED_COLUMNS_MIN = 2
DELIMITED_LINES_CHECKED = 200


def read_plain(text: str, so_far: SoFar = told_to_nobody) -> ExtractedDocument:
    """Blocks of a plain text, its lines kept as they are."""
    text = clean(text.replace("\f", "\n\n"))
    composition = Composition()
    if rows := _delimited_rows(text):
        composition.add_table(rows, has_header=not any(_is_number(cell) for cell in rows[0]))
        return composition.document(PLAIN)
    read = 0
    for paragraph in re.split(r"\n[ \t]*\n", text):
        _add_paragraph(composition, _without_heading(composition, paragraph))
        read += len(paragraph)
        so_far("characters", read, len(text))
    return composition.document(PLAIN)


def _without_heading(composition: Composition, paragraph: str) -> str:
    """What is left of a paragraph after an underlined first line, or a whole one in capitals, was added as a heading."""
    first, _, rest = paragraph.strip("\n").partition("\n")
    underline, _, below = rest.partition("\n")
    if UNDERLINE.fullmatch(underline) and 0 < len(first) <= HEADING_CHARACTERS_MAX:
        composition.add("heading", first, level=1 if "=" in underline else 2)
        return below
    capital = len(first) <= HEADING_CHARACTERS_MAX and first.isupper() and first.strip()[-1:] not in ".,;!?"
    if capital and not rest and CAPITALS.search(first):
        composition.add("heading", first, level=2)
        return ""
    return paragraph


def _add_paragraph(composition: Composition, paragraph: str) -> None:
    """One block, or one for each list item where lines start with markers."""
    lines = [line.rstrip() for line in paragraph.strip("\n").split("\n")]
    marked = [bool(LIST_MARKER.match(line)) for line in lines]
    if sum(marked) < 2 and not marked[0]:  # noqa: PLR2004  one marker inside a paragraph is most likely a wrapped dash
        composition.add("paragraph", "\n".join(lines))
        return
    starts = [0, *(index for index in range(1, len(lines)) if marked[index])]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        composition.add("list_item" if marked[start] else "paragraph", "\n".join(lines[start:end]))


def _delimited_rows(text: str) -> list[list[str]]:
    """The cells of a CSV or TSV text; empty unless every line has as many cells as the first."""
    lines = text.strip("\n").split("\n")
    if len(lines) < DELIMITED_LINES_MIN:
        return []
    for delimiter in DELIMITERS:
        columns = lines[0].count(delimiter) + 1
        if columns < DELIMITED_COLUMNS_MIN or any(character in ".!?" for character in lines[0][-1:]):
            continue
        rows = _parsed(lines, delimiter)
        if rows and all(len(row) == len(rows[0]) for row in rows):
            return rows
    return []


def _parsed(lines: list[str], delimiter: str) -> list[list[str]]:
    """The rows as csv reads them; empty when the first lines already differ in their number of cells."""
    try:
        first = [row for row in csv.reader(lines[:DELIMITED_LINES_CHECKED], delimiter=delimiter) if row][:-1]
        if len({len(row) for row in first}) != 1 or len(first[0]) < DELIMITED_COLUMNS_MIN:
            return []
        rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
    except csv.Error:
        return []
    return [[" ".join(cell.split()) for cell in row] for row in rows]


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[\s\d.,%$€£+-]+", cell))
