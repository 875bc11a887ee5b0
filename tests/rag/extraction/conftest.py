"""Reading a file in the test's own process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction.reading import read

Read = Callable[..., ExtractedDocument]
Refuse = Callable[..., ExtractionFailed]


@pytest.fixture
def read_bytes(tmp_path: Path) -> Read:
    """Reads the bytes as a file of the name; every block must be exactly its span and hold visible text."""

    def run(content: bytes, name: str = "file.txt") -> ExtractedDocument:
        path = tmp_path / "content"
        path.write_bytes(content)
        document = read(path, name=name)
        for block in document.blocks:
            text = document.text[block.start : block.end]
            assert text.strip("\n") == text != ""
        return document

    return run


@pytest.fixture
def refuse_bytes(read_bytes: Read) -> Refuse:
    """Reads the bytes and returns the refusal."""

    def run(content: bytes, name: str = "file.txt") -> ExtractionFailed:
        with pytest.raises(ExtractionFailed) as caught:
            read_bytes(content, name)
        assert "/" not in caught.value.message.replace("DOCX/", "")
        return caught.value

    return run
