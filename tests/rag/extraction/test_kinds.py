"""The kind is told from the content; a file that is not taken is refused by what it really is."""

import io
import zipfile
from collections.abc import Callable

import pytest

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed

Read = Callable[..., ExtractedDocument]
Refuse = Callable[..., ExtractionFailed]
OLE = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(504)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (b"Just words.", "a.txt", "text/plain"),
        (b"Just words.", "a.md", "text/markdown"),
        (b"Just words.", "A.MARKDOWN", "text/markdown"),
        (b"# Title\n\n- one\n- two\n", "a.txt", "text/markdown"),
        (b"# only a comment in a script\nls\n", "a.txt", "text/plain"),
        (b"<!DOCTYPE html><p>Hi</p>", "a.txt", "text/html"),
        (b"<!-- note -->\n<div><p>Hi</p></div>", "a.pdf", "text/html"),
        (b'<div align="center">Logo</div>\n\n# Title\n', "README.md", "text/markdown"),
        (b"5 < 6 and 7 > 6", "a.html", "text/plain"),
    ],
)
def test_text_kinds(read_bytes: Read, content: bytes, name: str, media_type: str) -> None:
    """HTML by its tags; the name, or clear structure, decides between Markdown and plain text."""
    assert read_bytes(content, name).media_type == media_type


@pytest.mark.parametrize(
    ("content", "name", "named"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "scan.pdf", "a PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(64), "photo.txt", "a JPEG image"),
        (b"\x1f\x8b\x08\x00" + bytes(64), "a.txt", "a gzip archive"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "report.docx", "an Excel workbook"),
        (zipped("ppt/presentation.xml"), "a.docx", "a PowerPoint presentation"),
        (zipped("mimetype", "content.xml"), "a.docx", "an OpenDocument file"),
        (zipped("a.txt", "b.txt"), "a.docx", "a ZIP archive"),
        (b"{\\rtf1 hello}", "a.txt", "an RTF document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', "a.txt", "an SVG image"),
        (OLE + "WordDocument".encode("utf-16-le"), "a.doc", "save it as DOCX"),
        (OLE + "Workbook".encode("utf-16-le"), "a.doc", "an old Excel workbook"),
        (OLE, "a.doc", "an old Microsoft Office file"),
        (bytes(range(256)) * 8, "a.txt", "a binary file"),
        (b"OggS\x00\x02" + bytes(64), "a.txt", "a binary file"),
    ],
)
def test_unsupported_is_named(refuse_bytes: Refuse, content: bytes, name: str, named: str) -> None:
    """A file of another kind is refused with what it is and what is taken, whatever its name says."""
    failed = refuse_bytes(content, name)
    assert failed.reason == "unsupported"
    assert named in failed.message
    assert "PDF, DOCX, HTML, Markdown and plain text are taken" in failed.message


def test_encrypted_office_file(refuse_bytes: Refuse) -> None:
    """A DOCX with a password is an OLE container; it is reported as encrypted, not as an old document."""
    failed = refuse_bytes(OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx")
    assert failed.reason == "encrypted"


@pytest.mark.parametrize("content", [b"", b"  \n\t ", b"\xef\xbb\xbf", b"<html><script>1</script></html>"])
def test_no_text_is_empty(refuse_bytes: Refuse, content: bytes) -> None:
    """No bytes, or none that show, is empty."""
    assert refuse_bytes(content).reason == "empty"


def test_cut_zip(refuse_bytes: Refuse) -> None:
    """A zip whose directory is missing is truncated."""
    assert refuse_bytes(zipped("word/document.xml")[:60], "a.docx").reason == "truncated"
