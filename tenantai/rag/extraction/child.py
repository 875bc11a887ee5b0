"""The child process that reads files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenantai.rag.documents import ExtractionFailed
from tenantai.rag.extraction.answers import document_frames, failure_frames
from tenantai.rag.extraction.reading import read
from tenantai.sandbox.child import serve

RECURSION_MAX = 3_000


def main() -> None:
    """Serve until stdin closes."""
    sys.setrecursionlimit(RECURSION_MAX)
    serve(_answer)


def _answer(job: dict[str, Any]) -> Iterator[bytes]:
    try:
        return document_frames(read(Path(job["path"]), name=job["name"]))
    except ExtractionFailed as failed:
        return failure_frames(failed)
    except MemoryError:
        return failure_frames(ExtractionFailed("memory_limit", "The file needs more memory to be read than is allowed."))
    except Exception:  # noqa: BLE001  whatever a library does with a hostile file fails this file alone
        return failure_frames(ExtractionFailed("crashed", "The file could not be read: its reader failed on it."))


if __name__ == "__main__":
    main()
