"""DOCX to blocks, through mammoth's HTML; a package that would unpack to too much is refused before it is parsed."""

from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812  the standard library's name is too bare to read

import mammoth

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction.kinds import DOCX
from tenantai.rag.extraction.markup import read_html

ENTRIES_MAX = 10_000
UNPACKED_BYTES_MAX = 512 * 1024 * 1024
XML_BYTES_MAX = 64 * 1024 * 1024  # the parser holds some 20 times its size in memory
READ_BYTES = 64 * 1024
ENCRYPTED_FLAG = 0x1
XML_ENDINGS = (".xml", ".rels")
STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
DAMAGED = "The document is incomplete or damaged. Upload it again."


def read_docx(path: Path) -> ExtractedDocument:
    """Blocks of a Word document: headings, paragraphs, list items, table rows and notes."""
    try:
        _check_package(path)
        with path.open("rb") as file:
            html = mammoth.convert_to_html(
                file, style_map=STYLES, include_embedded_style_map=False, convert_image=_without_image
            ).value
    except (BadZipFile, ZlibError, ExpatError, EOFError, KeyError, OSError, ValueError, AttributeError) as failure:
        raise ExtractionFailed("truncated", DAMAGED) from failure
    except RecursionError as failure:
        raise ExtractionFailed("unsupported", "The document is nested too deeply to be read.") from failure
    return read_html(html, media_type=DOCX)


def _without_image(_image: Any) -> list[Any]:
    """Nothing: by default mammoth puts every picture into the HTML as base64."""
    return []


def _check_package(path: Path) -> None:
    """Hold the declared sizes and then the bytes really unpacked against the limits."""
    with ZipFile(path) as package:
        entries = package.infolist()
        if any(entry.flag_bits & ENCRYPTED_FLAG for entry in entries):
            raise ExtractionFailed("encrypted", "The document is protected by a password. Remove it and upload again.")
        declared = sum(entry.file_size for entry in entries)
        if len(entries) > ENTRIES_MAX or declared > UNPACKED_BYTES_MAX:
            raise _too_large()
        _read_through(package)


def _read_through(package: ZipFile) -> None:
    unpacked = 0
    for entry in package.infolist():
        if not entry.filename.endswith(XML_ENDINGS):
            continue
        with package.open(entry) as stream:
            while piece := stream.read(READ_BYTES):
                unpacked += len(piece)
                if unpacked > XML_BYTES_MAX:
                    raise _too_large()


def _too_large() -> ExtractionFailed:
    return ExtractionFailed("too_large_unpacked", "The document unpacks to more than is allowed; it was not read.")
