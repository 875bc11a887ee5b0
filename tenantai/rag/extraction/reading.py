"""Reads a file of any kind that is taken; runs in the child process."""

from pathlib import Path

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed, SoFar, told_to_nobody
from tenantai.rag.extraction.kinds import DOCX, HTML, MARKDOWN, PDF, recognize
from tenantai.rag.extraction.markup import read_html, read_markdown
from tenantai.rag.extraction.pdf import read_pdf
from tenantai.rag.extraction.plain import read_plain
from tenantai.rag.extraction.word import read_docx


def read(path: Path, *, name: str, so_far: SoFar = told_to_nobody) -> ExtractedDocument:
    """The document in a file, judged by its content; raises ExtractionFailed when there is none to be had."""
    kind = recognize(path, name=name)
    if kind.media_type == PDF:
        return read_pdf(path, so_far)
    if kind.media_type == DOCX:
        document = read_docx(path)
    elif kind.media_type == HTML:
        document = read_html(kind.text)
    elif kind.media_type == MARKDOWN:
        document = read_markdown(kind.text)
    else:
        document = read_plain(kind.text, so_far)
    if not document.blocks:
        raise ExtractionFailed("empty", "The file holds no text.")
    return document
