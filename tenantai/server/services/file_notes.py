"""What a worker tells of the file that it has: its stage, how far that is, and what became of it.

What must stay true: once the worker let a file go nothing more is told of it, whatever a thread of it still does.
"""

import asyncio
import time
from contextlib import suppress
from typing import Literal

from tenantai.rag.documents import ReadUnit, SoFar
from tenantai.server.services.progress import ProgressBoard
from tenantai.storage.files import File
from tenantai.wire.files import FileEnded, FileStage, RateUnit

TOLD_EVERY_SECONDS = 0.25
UNITS: dict[ReadUnit, RateUnit] = {"pages": "pages_per_second", "characters": "characters_per_second"}


class FileNotes:
    """The notes of one try at one file."""

    def __init__(self, board: ProgressBoard, file: File) -> None:
        self._board = board
        self._file = file
        self._is_over = False

    def begin(self, stage: FileStage) -> None:
        """Note that a stage begins."""
        self._note(stage)

    def read(self, unit: ReadUnit, done: int, total: int) -> None:
        """Note how much is read out of it."""
        self._note("extracting", done=done, total=total, unit=UNITS[unit])

    def embedded(self, done: int, total: int) -> None:
        """Note how many of its chunks are embedded."""
        self._note("embedding", done=done, total=total, unit="chunks_per_second")

    def chunked_in_thread(self) -> SoFar:
        """Return what a thread that cuts it into chunks may tell how far it is; it is heard a few times a second."""
        loop, told_at = asyncio.get_running_loop(), time.monotonic()

        def so_far(unit: ReadUnit, done: int, total: int) -> None:
            nonlocal told_at
            if (moment := time.monotonic()) - told_at >= TOLD_EVERY_SECONDS:
                told_at = moment
                with suppress(RuntimeError):  # the loop is closed by now
                    loop.call_soon_threadsafe(self._chunked, unit, done, total)

        return so_far

    def ended(
        self,
        state: Literal["ready", "failed", "skipped"],
        *,
        moment: str,
        pages: int | None,
        chunks: int | None = None,
        code: str | None = None,
        message: str | None = None,
    ) -> None:
        """Note what became of it, once that is in the database."""
        self._is_over = True
        ended = FileEnded(
            id=self._file.id,
            state=state,
            page_count=pages,
            chunk_count=self._file.chunk_count if chunks is None else chunks,
            error_code=code,
            error_message=message,
            updated_at=moment,
        )
        self._board.ended(self._file.tenant_id, ended, account_id=self._file.account_id)

    def close(self) -> None:
        """Note that nothing is done with it any more."""
        self._is_over = True
        self._board.end(self._file.tenant_id, file_id=self._file.id)

    def _chunked(self, unit: ReadUnit, done: int, total: int) -> None:
        self._note("chunking", done=done, total=total, unit=UNITS[unit])

    def _note(self, stage: FileStage, *, done: int | None = None, total: int | None = None, unit: RateUnit | None = None) -> None:
        if not self._is_over:
            self._board.note(
                self._file.tenant_id,
                file_id=self._file.id,
                name=self._file.name,
                account_id=self._file.account_id,
                stage=stage,
                done=done,
                total=total,
                unit=unit,
            )
