"""Files for the tests, made for real by the libraries that make them elsewhere."""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docx
from fpdf import FPDF

LOREM = "The quick brown fox jumps over the lazy dog near the river bank. "


def write_pdf(path: Path, *draw: Callable[[Any], None], password: str | None = None) -> Path:
    """A PDF with one page for each function, which draws it."""
    pdf = FPDF()
    for page in draw:
        pdf.add_page()
        pdf.set_font("Helvetica", size=11)
        page(pdf)
    if password is not None:
        pdf.set_encryption(owner_password="owner", user_password=password)
    pdf.output(str(path))
    return path


def heading(text: str, *, size: float = 18, style: str = "") -> Callable[[Any], None]:
    def draw(pdf: Any) -> None:
        pdf.set_font("Helvetica", style=style, size=size)
        pdf.cell(text=text, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=11)

    return draw


def paragraph(text: str) -> Callable[[Any], None]:
    def draw(pdf: Any) -> None:
        pdf.multi_cell(0, text=text, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(4)

    return draw


def table(*rows: Sequence[str]) -> Callable[[Any], None]:
    def draw(pdf: Any) -> None:
        with pdf.table() as drawn:
            for cells in rows:
                row = drawn.row()
                for cell in cells:
                    row.cell(cell)
        pdf.ln(6)

    return draw


def together(*parts: Callable[[Any], None]) -> Callable[[Any], None]:
    def draw(pdf: Any) -> None:
        for part in parts:
            part(pdf)

    return draw


def write_docx(path: Path, fill: Callable[[Any], None]) -> Path:
    document = docx.Document()
    fill(document)
    document.save(str(path))
    return path


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def docx_bytes(fill: Callable[[Any], None]) -> bytes:
    document, buffer = docx.Document(), io.BytesIO()
    fill(document)
    document.save(buffer)
    return buffer.getvalue()
