#!/usr/bin/env python3
"""Build the PDF and DOCX documents of `examples/` and `benchmarks/answers/documents/` from the Markdown beside them.

`python examples/sources/build.py` writes them in place, `… build.py FOLDER` into a folder. The same sources always give
the same bytes: dates are fixed, nothing is compressed (zlib builds differ), and what ends up in the files is only text.
"""

import functools
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import docx
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.shared import Pt, RGBColor
from docx.text.paragraph import Paragraph
from fpdf import FPDF, FontFace
from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    "examples/sources/rental-agreement.md": "examples/rental-agreement.pdf",
    "examples/sources/price-list.md": "examples/price-list.pdf",
    "examples/sources/customer-handbook.md": "examples/customer-handbook.docx",
    "examples/sources/claims-and-insurance.md": "examples/claims-and-insurance.docx",
    "benchmarks/answers/sources/ferry-timetable.md": "benchmarks/answers/documents/ferry-timetable.pdf",
    "benchmarks/answers/sources/hotel-staff-handbook.md": "benchmarks/answers/documents/hotel-staff-handbook.docx",
}
DATE = datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
INK, MUTED, ACCENT, BAND = (34, 40, 49), (105, 114, 125), (23, 73, 96), (238, 243, 246)
TABLE_STYLE = "Light Grid Accent 1"
CLAUSE = re.compile(r"(\d+\.\d+) (.+)", re.DOTALL)

Align = Literal["LEFT", "RIGHT"]


@dataclass(frozen=True)
class Block:
    """One piece of a document: `kind` is title, subtitle, h2, h3, text, bullet, step or table."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    aligns: tuple[Align, ...] = ()


def main(arguments: Sequence[str]) -> None:
    """Write every document into the repository, or by bare name into the folder given."""
    for source, output in DOCUMENTS.items():
        target = Path(arguments[0]) / Path(output).name if arguments else REPOSITORY / output
        blocks = parse((REPOSITORY / source).read_text(encoding="utf-8"))
        target.write_bytes(render_pdf(blocks) if target.suffix == ".pdf" else render_docx(blocks))


def parse(markdown: str) -> list[Block]:
    """Read the subset of Markdown that the sources use."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    blocks: list[Block] = []
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            end = next(i for i in range(index, len(tokens)) if tokens[i].type == "table_close")
            blocks.append(_table(tokens[index:end]))
        elif token.type == "inline" and tokens[index - 1].type in {"heading_open", "paragraph_open"}:
            blocks.append(Block(_kind(tokens, index, position=len(blocks)), token.content.strip("*").replace("\n", " ")))
    return blocks


def _kind(tokens: Sequence[Token], index: int, *, position: int) -> str:
    opener = tokens[index - 1]
    if opener.type == "heading_open":
        return "title" if opener.tag == "h1" else opener.tag
    if opener.level:
        ordered = next(t.type for t in reversed(tokens[:index]) if t.type.endswith("_list_open"))
        return "step" if ordered == "ordered_list_open" else "bullet"
    return "subtitle" if position == 1 else "text"


def _table(tokens: Iterable[Token]) -> Block:
    rows: list[list[str]] = []
    aligns: list[Align] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token.content)
        elif token.type == "th_open":
            aligns.append("RIGHT" if "right" in str(token.attrs.get("style", "")) else "LEFT")
    return Block("table", rows=tuple(map(tuple, rows)), aligns=tuple(aligns))


class _Pages(FPDF):
    """A4 pages with the document's name above and the page's number below."""

    def header(self) -> None:
        if self.page_no() > 1:
            self.set_font("Helvetica", size=8)
            self.set_text_color(*MUTED)
            self.cell(w=0, h=5, text=self.title or "", align="R")
            self.ln(10)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("Helvetica", size=8)
        self.set_text_color(*MUTED)
        self.cell(w=0, h=5, text=f"Page {self.page_no()} of {{nb}}", align="C")


def render_pdf(blocks: Sequence[Block]) -> bytes:
    """Set a document as A4 pages in the PDF core fonts, whose cp1252 has the euro sign."""
    pdf = _Pages(format="A4")
    pdf.core_fonts_encoding = "cp1252"
    pdf.set_compression(False)
    pdf.set_creation_date(DATE)
    pdf.set_producer("fpdf2")
    pdf.set_title(blocks[0].text)
    pdf.set_lang("en")
    pdf.set_margins(24, 20, 24)
    pdf.set_auto_page_break(True, margin=22)
    pdf.add_page()
    for number, block in enumerate(blocks, 1):
        following = blocks[number] if number < len(blocks) else block
        _set_block(pdf, block, room=_room(pdf, block, following))
    return bytes(pdf.output())


def _room(pdf: FPDF, block: Block, following: Block) -> float:
    """Millimetres that must be left on the page, so that no heading or table's head stands alone at its foot."""
    if block.kind == "table":
        return min(len(block.rows) * 7.0, pdf.eph / 2)
    if block.kind in {"h2", "h3"}:
        return 14 + (_room(pdf, following, following) if following.kind == "table" else 16)
    return 11 + (_room(pdf, following, following) if following.kind == "table" else 0)


def _set_block(pdf: FPDF, block: Block, *, room: float) -> None:
    if pdf.will_page_break(room):
        pdf.add_page()
    if block.kind == "table":
        return _set_table(pdf, block)
    size, style, colour, before, after = _LOOKS[block.kind]
    pdf.ln(before if pdf.get_y() > pdf.t_margin + 11 else 0)
    pdf.set_font("Helvetica", style=style, size=size)
    pdf.set_text_color(*colour)
    clause = CLAUSE.fullmatch(block.text) if block.kind == "text" else None
    if clause:
        _set_hanging(pdf, clause[1], clause[2], at=0, indent=11)
    elif block.kind == "bullet":
        _set_hanging(pdf, "•", block.text, at=11, indent=16)
    else:
        pdf.multi_cell(w=0, h=size * 0.5, text=block.text, align="L", new_x="LMARGIN", new_y="NEXT")
    if block.kind == "subtitle":
        pdf.set_draw_color(*ACCENT)
        pdf.line(pdf.l_margin, pdf.get_y() + 3, pdf.w - pdf.r_margin, pdf.get_y() + 3)
    return pdf.ln(after)


_LOOKS: dict[str, tuple[float, Literal["", "B", "I"], tuple[int, int, int], float, float]] = {
    "title": (23, "B", ACCENT, 0, 2),
    "subtitle": (9.5, "", MUTED, 0, 8),
    "h2": (13.5, "B", ACCENT, 5, 2.5),
    "h3": (11, "B", INK, 3, 1.5),
    "text": (10.5, "", INK, 0, 2.6),
    "bullet": (10.5, "", INK, 0, 1.2),
}


def _set_hanging(pdf: FPDF, mark: str, text: str, *, at: float, indent: float) -> None:
    pdf.set_x(pdf.l_margin + at)
    pdf.cell(w=indent - at, h=5.25, text=mark)
    pdf.multi_cell(w=pdf.epw - indent, h=5.25, text=text, align="L", new_x="LMARGIN", new_y="NEXT")


def _set_table(pdf: FPDF, block: Block) -> None:
    pdf.set_font("Helvetica", size=9.5)
    pdf.set_text_color(*INK)
    pdf.set_draw_color(190, 200, 208)
    widths = [max(pdf.get_string_width(row[i]) for row in block.rows) + 7 for i in range(len(block.aligns))]
    head = FontFace(emphasis="B", color=(255, 255, 255), fill_color=ACCENT)
    with pdf.table(
        align="L",
        borders_layout="HORIZONTAL_LINES",
        cell_fill_color=BAND,
        cell_fill_mode="EVEN_ROWS",
        col_widths=tuple(widths),
        headings_style=head,
        line_height=5,
        padding=(1, 2),
        text_align=block.aligns,
        width=min(sum(widths) * 1.1, pdf.epw),
    ) as table:
        for row in block.rows:
            table.row(row)
    pdf.ln(5)


def render_docx(blocks: Sequence[Block]) -> bytes:
    """Write a document in Word's own heading, list and table styles."""
    document = docx.Document()
    _strip_template(document)
    _set_styles(document)
    properties = document.core_properties
    properties.title, properties.author, properties.comments = blocks[0].text, "Example", ""
    properties.created = properties.modified = DATE.replace(tzinfo=None)
    for block in blocks:
        _add_block(document, block)
    buffer = io.BytesIO()
    document.save(buffer)
    return _without_clock(buffer.getvalue())


def _strip_template(document: Document) -> None:
    """Drop what python-docx's template brings along unasked: a second style sheet, a thumbnail, a hundred table styles."""
    for relations in (document.part.rels, document.part.package.rels):
        for key in [k for k, r in relations.items() if r.reltype.endswith(("/stylesWithEffects", "/thumbnail"))]:
            relations.pop(key)
    for style in list(document.styles):
        if style.type == WD_STYLE_TYPE.TABLE and style.name not in {"Normal Table", TABLE_STYLE}:
            style.delete()


def _set_styles(document: Document) -> None:
    for name, size in (("Normal", 10.5), ("Heading 1", 20), ("Heading 2", 14), ("Heading 3", 11.5)):
        font = document.styles[name].font
        font.name, font.size = "Calibri", Pt(size)
        font.color.rgb = RGBColor(*(INK if name == "Normal" else ACCENT))


def _add_block(document: Document, block: Block) -> None:
    add = functools.partial(document.add_paragraph, block.text)
    paragraph: dict[str, functools.partial[Paragraph]] = {
        "title": functools.partial(document.add_heading, block.text, 1),
        "h2": functools.partial(document.add_heading, block.text, 2),
        "h3": functools.partial(document.add_heading, block.text, 3),
        "bullet": functools.partial(add, "List Bullet"),
        "step": functools.partial(add, "List Number"),
    }
    if block.kind == "table":
        _add_table(document, block)
    else:
        written = paragraph.get(block.kind, add)()
        written.runs[0].italic = True if block.kind == "subtitle" else None


def _add_table(document: Document, block: Block) -> None:
    table = document.add_table(rows=0, cols=len(block.aligns), style=TABLE_STYLE)
    for row in block.rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_paragraph()


def _without_clock(package: bytes) -> bytes:
    """Pack a DOCX anew with one date on every part and without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            part = zipfile.ZipInfo(name, date_time=DATE.timetuple()[:6])
            part.create_system = 3
            part.external_attr = 0o644 << 16
            target.writestr(part, source.read(name))
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
