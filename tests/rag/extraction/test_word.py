"""DOCX to blocks, and packages that are not safe to open."""

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction import word
from tests.rag.extraction.files import docx_bytes

Read = Callable[..., ExtractedDocument]
Refuse = Callable[..., ExtractionFailed]
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f00"
    "05050200d0a5a1ce0000000049454e44ae426082"
)


def letter(document: Any) -> None:
    document.add_heading("The manual", level=0)
    document.add_heading("Opening hours", level=1)
    document.add_paragraph("We open at nine. We close at five.")
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Number")
    document.add_heading("Prices", level=2)
    table = document.add_table(rows=0, cols=2)
    for cells in [("Unit", "Price"), ("Small", "10"), ("Large", "20")]:
        row = table.add_row()
        row.cells[0].text, row.cells[1].text = cells
    document.add_picture(io.BytesIO(PNG))


def test_docx_structure(read_bytes: Read) -> None:
    """Title, headings, paragraphs, lists and tables come out in order; pictures leave nothing behind."""
    document = read_bytes(docx_bytes(letter), "letter.pdf")
    assert document.media_type == "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert document.page_count is None
    shown = [(block.kind, block.level, document.text[block.start : block.end]) for block in document.blocks]
    assert shown == [
        ("heading", 1, "The manual"),
        ("heading", 1, "Opening hours"),
        ("paragraph", 0, "We open at nine. We close at five."),
        ("list_item", 0, "first"),
        ("list_item", 0, "second"),
        ("heading", 2, "Prices"),
        ("table_row", 0, "Unit | Price"),
        ("table_row", 0, "Small | 10"),
        ("table_row", 0, "Large | 20"),
    ]
    assert [block.table_header for block in document.blocks[-3:]] == ["", "Unit | Price", "Unit | Price"]


def test_docx_without_text(refuse_bytes: Refuse) -> None:
    """A document that holds no text is empty."""
    assert refuse_bytes(docx_bytes(lambda _: None), "a.docx").reason == "empty"


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.99])
def test_cut_docx(refuse_bytes: Refuse, kept: float) -> None:
    """A document whose end is missing is truncated."""
    content = docx_bytes(letter)
    assert refuse_bytes(content[: int(len(content) * kept)], "a.docx").reason == "truncated"


def test_damaged_inside(refuse_bytes: Refuse) -> None:
    """Bytes changed inside an entry are noticed."""
    content = bytearray(docx_bytes(letter))
    at = content.index(b"word/document.xml") + 200
    content[at : at + 50] = bytes(50)
    assert refuse_bytes(bytes(content), "a.docx").reason == "truncated"


def packed(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_bomb_by_bytes(refuse_bytes: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document whose text unpacks to more than the limit is refused before it is parsed."""
    monkeypatch.setattr(word, "XML_BYTES_MAX", 1_000_000)
    assert refuse_bytes(packed({"word/document.xml": b" " * 2_000_000}), "a.docx").reason == "too_large_unpacked"


def test_bomb_by_declaration(refuse_bytes: Refuse) -> None:
    """A package that declares more than the limit is refused without unpacking any of it."""
    content = bytearray(packed({"word/document.xml": b"<x/>", "word/media/a.bin": b"a"}))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", word.UNPACKED_BYTES_MAX)
    assert refuse_bytes(bytes(content), "a.docx").reason == "too_large_unpacked"


def test_bomb_that_lies(refuse_bytes: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that unpacks to more than it declares is never read beyond its declaration."""
    monkeypatch.setattr(word, "XML_BYTES_MAX", 1_000_000)
    content = bytearray(packed({"word/document.xml": b" " * 2_000_000}))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 100)
    assert refuse_bytes(bytes(content), "a.docx").reason == "truncated"


def test_many_entries(refuse_bytes: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of too many entries is refused."""
    monkeypatch.setattr(word, "ENTRIES_MAX", 3)
    content = packed({f"word/{number}.xml": b"" for number in range(5)})
    assert refuse_bytes(content, "a.docx").reason == "too_large_unpacked"


def test_entity_bomb(refuse_bytes: Refuse) -> None:
    """Entities that grow without end are stopped by the parser."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE d [<!ENTITY e0 "xxxxxxxxxx">{entities}]><d>&e11;</d>'
    assert refuse_bytes(packed({"word/document.xml": body.encode()}), "a.docx").reason == "truncated"


def test_encrypted_zip(refuse_bytes: Refuse) -> None:
    """A package whose entries are encrypted is reported as such."""
    content = bytearray(packed({"word/document.xml": b"<x/>"}))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 8] |= 1
    assert refuse_bytes(bytes(content), "a.docx").reason == "encrypted"
