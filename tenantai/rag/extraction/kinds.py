"""Tells what a file is from its content; its name decides only between Markdown and plain text."""

import re
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import puremagic

from tenantai.rag.documents import ExtractionFailed
from tenantai.rag.extraction.encodings import decode

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"

TAKEN = "PDF, DOCX, HTML, Markdown and plain text are taken."
TEXT_BYTES_MAX = 100 * 1024 * 1024
PDF_MARK_WITHIN_BYTES = 1024
OLE_MARK = bytes.fromhex("D0CF11E0A1B11AE1")
OLE_KINDS = (
    ("WordDocument", "an old Word document (.doc); save it as DOCX and upload that"),
    ("Workbook", "an old Excel workbook (.xls)"),
    ("PowerPoint Document", "an old PowerPoint presentation (.ppt)"),
)
ZIP_KINDS = (
    ("xl/", "an Excel workbook"),
    ("ppt/", "a PowerPoint presentation"),
    ("META-INF/container.xml", "an EPUB book"),
    ("content.xml", "an OpenDocument file; save it as DOCX or PDF and upload that"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
)
BINARY_KINDS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)
LEADING_MARKUP = r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*"
PAGE_START = re.compile(LEADING_MARKUP + r"<(?:!doctype\s+html|html|head|body|title|meta)\b", re.IGNORECASE | re.DOTALL)
FRAGMENT_START = re.compile(
    LEADING_MARKUP + r"<(?:h[1-6]|p|div|table|ul|ol|dl|section|article|main|header|span|a|b|style|script)\b[^<]*>",
    re.IGNORECASE | re.DOTALL,
)
SVG_START = re.compile(LEADING_MARKUP + r"(?:<!doctype\s+svg[^>]*>\s*)?<svg\b", re.IGNORECASE | re.DOTALL)
MARKDOWN_NAMES = (".md", ".markdown", ".mdown", ".mkd")
MARKDOWN_SIGNS = tuple(
    re.compile(sign, re.MULTILINE)
    for sign in (
        r"^#{1,6} +\S",
        r"^(?:```|~~~)",
        r"^\|?(?: *:?-{3,}:? *\|)+(?: *:?-{3,}:? *)?$",
        r"^[*-] +\S.*\n[*-] +\S",
        r"\[[^\]\n]+\]\([^)\s]+\)",
        r"\*\*[^*\n]+\*\*",
    )
)
MARKDOWN_SIGNS_NEEDED = 2
SNIFFED_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Recognized:
    """What a file is; for text kinds also its decoded text."""

    media_type: str
    text: str = ""


def recognize(path: Path, *, name: str) -> Recognized:
    """Tell the kind of a file from its bytes, or raise ExtractionFailed with what it is instead."""
    with path.open("rb") as file:
        head = file.read(PDF_MARK_WITHIN_BYTES)
    if not head:
        raise ExtractionFailed("empty", "The file is empty (0 bytes).")
    if b"%PDF-" in head:
        return Recognized(PDF)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _recognize_zip(path)
    if head.startswith(OLE_MARK):
        raise _ole_refusal(path)
    return _recognize_text(path, head=head, name=name)


def _recognize_zip(path: Path) -> Recognized:
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as failure:
        raise ExtractionFailed(
            "truncated", "The file is incomplete or damaged: its end is missing. Upload it again."
        ) from failure
    if any(entry.startswith("word/") for entry in names):
        return Recognized(DOCX)
    for sign, kind in ZIP_KINDS:
        if any(entry.startswith(sign) for entry in names):
            raise _unsupported(kind)
    raise _unsupported("a ZIP archive; upload the files in it one by one")


def _ole_refusal(path: Path) -> ExtractionFailed:
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in content:
        return ExtractionFailed("encrypted", "The document is protected by a password. Remove it and upload again.")
    for stream, kind in OLE_KINDS:
        if stream.encode("utf-16-le") in content:
            return _unsupported(kind)
    return _unsupported("an old Microsoft Office file")


def _recognize_text(path: Path, *, head: bytes, name: str) -> Recognized:
    if head.startswith(b"{\\rtf"):
        raise _unsupported("an RTF document; save it as DOCX and upload that")
    for mark, kind in BINARY_KINDS:
        if head.startswith(mark):
            raise _unsupported(kind)
    if path.stat().st_size > TEXT_BYTES_MAX:
        raise _unsupported("a text or binary file of more than 100 MB; split it")
    content = path.read_bytes()
    text = decode(content)
    if text is None:
        raise _unsupported(_named_by_magic(content))
    return Recognized(_text_media_type(text[:SNIFFED_CHARACTERS], name=name), text)


def _text_media_type(sample: str, *, name: str) -> str:
    if SVG_START.match(sample):
        raise _unsupported("an SVG image")
    named_markdown = name.lower().endswith(MARKDOWN_NAMES)
    if PAGE_START.match(sample) or (FRAGMENT_START.match(sample) and "</" in sample and not named_markdown):
        return HTML
    if named_markdown or sum(bool(sign.search(sample)) for sign in MARKDOWN_SIGNS) >= MARKDOWN_SIGNS_NEEDED:
        return MARKDOWN
    return PLAIN


def _named_by_magic(content: bytes) -> str:
    try:
        found = puremagic.magic_string(content)
    except (puremagic.PureError, ValueError):
        found = []
    named = next((match.name for match in found if match.name), "")
    return f"a binary file, probably {named}" if named else "a binary file, not text"


def _unsupported(kind: str) -> ExtractionFailed:
    return ExtractionFailed("unsupported", f"By its content this is {kind}. {TAKEN}")
