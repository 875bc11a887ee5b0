"""PDF to blocks, page by page; a block never spans pages, so its page can be cited."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import pypdfium2
import pypdfium2.raw as pdfium_raw

from tenantai.rag.documents import BlockKind, ExtractedDocument, ExtractionFailed, SoFar, told_to_nobody
from tenantai.rag.extraction.composition import Composition
from tenantai.rag.extraction.furniture import Page, without_furniture
from tenantai.rag.extraction.glyphs import Line, PageGlyphs, bare, hyphenation
from tenantai.rag.extraction.kinds import PDF
from tenantai.rag.extraction.tables import Table, table_at

LINE_DISTANCE_EM = 1.25
PARAGRAPH_DISTANCE = 1.3  # of the usual distance of two lines
INDENT_EM = 0.8
SHORT_LINE_SHARE = 0.75
SIZE_TOLERANCE = 0.08
CODE_SIZE_TOLERANCE = 0.25
HEADING_SIZE = 1.12  # of the body's size
HEADING_CHARACTERS_MAX = 160
BOLD_HEADING_CHARACTERS_MAX = 90
HEADING_LEVEL_MAX = 6
SENTENCE_END = re.compile(r"[.!?:;…。！？][\"'”’»)\]]*$")
LIST_MARKER = re.compile(r"(?:[•‣◦▪●○■*\u2013-]|\(?\d{1,2}[.)]|\d{1,2}(?:\.\d{1,2})+\.?|\(?[a-zA-Z][.)])\s+\S")
DOT_LEADER = re.compile(r"(?:\.\s?){4}")
UNLOCKABLE = {pdfium_raw.FPDF_ERR_PASSWORD, pdfium_raw.FPDF_ERR_SECURITY}


@dataclass(frozen=True, slots=True)
class _Passage:
    """Lines that belong together, or a table, on one page."""

    page: int
    lines: tuple[Line, ...]
    kind: BlockKind = "paragraph"
    table: Table | None = None

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def read_pdf(path: Path, so_far: SoFar = told_to_nobody) -> ExtractedDocument:
    """Blocks of a PDF: paragraphs, list items, table rows, and headings where fonts or the outline tell them."""
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as failure:
        raise _refusal(failure) from failure
    with pdf:
        pages = _read_pages(pdf, path, so_far)
        outline = _outline(pdf)
        page_count = len(pdf)
    composition = Composition()
    _compose(composition, [passage for page in without_furniture(pages) for passage in _passages(page)], outline)
    return composition.document(PDF, page_count=page_count)


def _refusal(failure: pypdfium2.PdfiumError) -> ExtractionFailed:
    if failure.err_code in UNLOCKABLE:
        return ExtractionFailed("encrypted", "The PDF is protected by a password. Remove it and upload again.")
    return ExtractionFailed("truncated", "The PDF is incomplete or damaged. Upload it again.")


def _read_pages(pdf: pypdfium2.PdfDocument, path: Path, so_far: SoFar) -> list[Page]:
    cut = _looks_cut(path)
    known: Counter[str] = Counter()
    pages = []
    for index in range(len(pdf)):
        lines = _read_lines(pdf, index, known)
        if cut and not lines:
            raise ExtractionFailed("truncated", "The PDF is incomplete: pages of it are missing. Upload it again.")
        pages.append(Page(index + 1, tuple(lines)))
        so_far("pages", index + 1, len(pdf))
    if not any(character.isalnum() for page in pages for line in page.lines for character in line.text):
        pages_of = "1 page" if len(pdf) == 1 else f"{len(pdf)} pages"
        raise ExtractionFailed(
            "needs_ocr",
            f"The PDF has {pages_of} of pictures of text, and no text. Run text recognition (OCR) first.",
            page_count=len(pdf),
        )
    return pages


def _looks_cut(path: Path) -> bool:
    """True when the end-of-file mark is missing, or objects follow the last one, as in the first part of a longer file."""
    content = path.read_bytes()
    mark = content.rfind(b"%%EOF")
    return mark < 0 or b"endobj" in content[mark:]


def _read_lines(pdf: pypdfium2.PdfDocument, index: int, known: Counter[str]) -> list[Line]:
    """The lines of a page, and the page's words added to those known for joining cut ones."""
    try:
        page = pdf[index]
    except pypdfium2.PdfiumError as failure:
        message = f"Page {index + 1} of the PDF is missing or damaged. Upload it again."
        raise ExtractionFailed("truncated", message, page_count=len(pdf)) from failure
    text_page = page.get_textpage()
    try:
        lines = PageGlyphs(text_page.raw).lines(hyphenation(known))
    finally:
        text_page.close()
        page.close()
    known.update(bare(word.text) for line in lines for word in line.words)
    return lines


def _passages(page: Page) -> Iterator[_Passage]:
    """The page's lines in groups: tables, then paragraphs and list items by distance, indent, font and markers."""
    pitch = _usual_distance(page.lines)
    margin = max((line.right for line in page.lines), default=0.0)
    group: list[Line] = []
    index = 0
    while index < len(page.lines):
        line = page.lines[index]
        table = table_at(page.lines, index)
        if group and (table or _begins_passage(group, line, pitch=pitch, margin=margin)):
            yield _grouped(page.number, group)
            group = []
        if table:
            yield _Passage(page.number, page.lines[index : index + table.line_count], table=table)
        else:
            group.append(line)
        index += table.line_count if table else 1
    if group:
        yield _grouped(page.number, group)


def _grouped(page: int, group: Sequence[Line]) -> _Passage:
    kind: BlockKind = "list_item" if LIST_MARKER.match(group[0].text) else "paragraph"
    return _Passage(page, tuple(group), kind)


def _usual_distance(lines: Sequence[Line]) -> float:
    """The distance of two lines of a paragraph, in their font's size."""
    distances = [
        (above.bottom - below.top) / below.size
        for above, below in pairwise(lines)
        if below.size and abs(above.size - below.size) <= SIZE_TOLERANCE * below.size
    ]
    usual = [distance for distance in distances if 0.8 < distance < 3]  # noqa: PLR2004  less is a raised letter, more a new section
    return median(usual) if usual else LINE_DISTANCE_EM


def _begins_passage(group: Sequence[Line], line: Line, *, pitch: float, margin: float) -> bool:
    above = group[-1]
    ended = bool(SENTENCE_END.search(above.text))
    distance = (above.bottom - line.top) / (line.size or 1.0)
    if _changes_style(above, line, ended=ended):
        return True
    if distance < -1:  # the next column
        return ended or not line.text[:1].islower()
    if distance > PARAGRAPH_DISTANCE * max(pitch, 1.0):
        return True
    if LIST_MARKER.match(line.text) and (ended or LIST_MARKER.match(group[0].text)):
        return True
    return ended and _looks_new(group, line, margin=margin)


def _changes_style(above: Line, line: Line, *, ended: bool) -> bool:
    """Another size or weight; a somewhat smaller line, as of a long name in code type, may go on with a sentence."""
    change = abs(above.size - line.size) / (line.size or 1.0)
    goes_on = not ended and not line.text[:1].isupper() and change <= CODE_SIZE_TOLERANCE
    return above.bold != line.bold or (change > SIZE_TOLERANCE and not goes_on)


def _looks_new(group: Sequence[Line], line: Line, *, margin: float) -> bool:
    """After a sentence's end: the line is indented, or the one above stopped well before the margin."""
    above = group[-1]
    indented = line.left > group[-1].left + INDENT_EM * line.size and not LIST_MARKER.match(group[0].text)
    width = margin - min(above.left, line.left)
    stopped = above.right - above.left < SHORT_LINE_SHARE * width
    return indented or (stopped and not line.text[:1].islower())


def _compose(composition: Composition, passages: Sequence[_Passage], outline: dict[tuple[int, str], int]) -> None:
    styles = _Styles(passages)
    for passage in passages:
        if passage.table:
            rows = [list(row) for row in passage.table.rows]
            composition.add_table(rows, has_header=_has_header(rows), page=passage.page)
            continue
        level = outline.get((passage.page, _title_key(passage.text)), 0) or styles.heading_level(passage)
        kind: BlockKind = "heading" if level else passage.kind
        composition.add(kind, passage.text, level=level, page=passage.page)


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    return all(rows[0][1:]) and not any(re.fullmatch(r"[\s\d.,:%$€£+/-]+", cell) for cell in rows[0] if cell)


class _Styles:
    """The fonts of a document: its body's, and those larger or bolder, which head its sections."""

    def __init__(self, passages: Sequence[_Passage]) -> None:
        sizes: Counter[float] = Counter()
        bold = total = 0
        for line in (line for passage in passages for line in passage.lines):
            length = len(line.text)
            sizes[line.size] += length
            bold += length * line.bold
            total += length
        self._body = max(sizes, key=lambda size: sizes[size], default=1.0)
        self._bold_heads = bold * 3 < total
        larger = {passage.lines[0].size for passage in passages if self._is_larger(passage)}
        self._levels = {size: rank for rank, size in enumerate(sorted(larger, reverse=True), 1)}

    def heading_level(self, passage: _Passage) -> int:
        """The depth of the heading that a passage is, 0 when it is none."""
        if self._is_larger(passage):
            return min(self._levels[passage.lines[0].size], HEADING_LEVEL_MAX)
        return min(len(self._levels) + 1, HEADING_LEVEL_MAX) if self._is_bold_head(passage) else 0

    def _is_larger(self, passage: _Passage) -> bool:
        if passage.table or passage.lines[0].size < HEADING_SIZE * self._body:
            return False
        text = passage.text
        return len(text) <= HEADING_CHARACTERS_MAX and any(map(str.isalpha, text)) and not DOT_LEADER.search(text)

    def _is_bold_head(self, passage: _Passage) -> bool:
        text = passage.text
        head = self._bold_heads and passage.lines[0].bold and len(text) <= BOLD_HEADING_CHARACTERS_MAX
        return head and passage.lines[0].size >= self._body and not SENTENCE_END.search(text) and text[:1].isalnum()


def _outline(pdf: pypdfium2.PdfDocument) -> dict[tuple[int, str], int]:
    """The levels of the outline's titles by page and title; empty where the file has none or a broken one."""
    levels = {}
    try:
        for entry in pdf.get_toc():
            destination = entry.get_dest()
            page = destination.get_index() if destination else None
            if page is not None:
                levels[page + 1, _title_key(entry.get_title())] = min(entry.level + 1, HEADING_LEVEL_MAX)
    except pypdfium2.PdfiumError:
        return {}
    return levels


def _title_key(title: str) -> str:
    return "".join(character for character in title.lower() if character.isalnum())
