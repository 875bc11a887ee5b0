"""The child process that reads files."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenantai.rag.documents import ExtractionFailed, ReadUnit, SoFar
from tenantai.rag.extraction.answers import document_frames, failure_frames
from tenantai.rag.extraction.reading import read
from tenantai.sandbox.child import Note, serve_telling

RECURSION_MAX = 3_000
NOTE_SECONDS = 0.1


def main() -> None:
    """Serve until stdin closes."""
    sys.setrecursionlimit(RECURSION_MAX)
    serve_telling(_answer)


def _answer(job: dict[str, Any], note: Note) -> Iterator[bytes]:
    try:
        return document_frames(read(Path(job["path"]), name=job["name"], so_far=_now_and_then(note)))
    except ExtractionFailed as failed:
        return failure_frames(failed)
    except MemoryError:
        return failure_frames(ExtractionFailed("memory_limit", "The file needs more memory to be read than is allowed."))
    except Exception:  # noqa: BLE001  whatever a library does with a hostile file fails this file alone
        return failure_frames(ExtractionFailed("crashed", "The file could not be read: its reader failed on it."))


def _now_and_then(note: Note) -> SoFar:
    """Return what notes how far a file is read, not at once and not too often: a small one needs no note at all."""
    told_at = time.monotonic()

    def so_far(unit: ReadUnit, done: int, total: int) -> None:
        nonlocal told_at
        if (moment := time.monotonic()) - told_at >= NOTE_SECONDS:
            told_at = moment
            note([unit, done, total])

    return so_far


if __name__ == "__main__":
    main()
