"""The server's side of extraction: files are read in sandboxes, so many side by side."""

import asyncio
from pathlib import Path
from typing import Any

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed, SoFar
from tenantai.rag.extraction.answers import decode_answer
from tenantai.sandbox.parent import JobCrashed, JobTooSlow, Noted, Sandbox

TIME_LIMIT_SECONDS = 60.0
MEMORY_LIMIT_BYTES = 2 * 1024**3
FILES_PER_CHILD = 200


class ExtractionPool:
    """Reads files in child processes; calls queue up for a free one, and no more are started than are needed at once."""

    def __init__(
        self,
        *,
        readers: int = 1,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        files_per_child: int = FILES_PER_CHILD,
    ) -> None:
        self.sandboxes = [
            Sandbox(
                "tenantai.rag.extraction.child",
                time_limit_seconds=time_limit_seconds,
                memory_limit_bytes=memory_limit_bytes,
                jobs_per_child=files_per_child,
            )
            for _ in range(readers)
        ]
        self._free = self.sandboxes[::-1]
        self._turn = asyncio.Semaphore(readers)

    async def extract(self, path: Path, *, name: str, so_far: SoFar | None = None) -> ExtractedDocument:
        """The document in the file at `path`, which was uploaded as `name`; raises ExtractionFailed."""
        async with self._turn:
            sandbox = self._free.pop()
            try:
                head, bodies = await _read(sandbox, path, name, so_far)
            finally:
                self._free.append(sandbox)
        return await asyncio.to_thread(decode_answer, head, bodies)

    async def close(self) -> None:
        """End the child processes and wait until they are gone."""
        for sandbox in self.sandboxes:
            await sandbox.close()


async def _read(sandbox: Sandbox, path: Path, name: str, so_far: SoFar | None) -> tuple[dict[str, Any], list[bytes]]:
    try:
        return await sandbox.ask({"path": str(path), "name": name}, noted=_checked(so_far) if so_far is not None else None)
    except JobTooSlow:
        limit = sandbox.time_limit_seconds
        raise ExtractionFailed("time_limit", f"Reading the file took longer than {limit:g} seconds and was stopped.") from None
    except JobCrashed as gone:
        raise ExtractionFailed("crashed", "The file could not be read: its reader crashed on it.") from gone


def _checked(so_far: SoFar) -> Noted:
    """Return what takes a child's notes: a file may have taken it over, so only what can be true is told."""

    def noted(note: object) -> None:
        match note:
            case [("pages" | "characters") as unit, int(done), int(total)] if 0 <= done <= total:
                so_far(unit, done, total)
            case _:
                raise ValueError("no note of ours")

    return noted
