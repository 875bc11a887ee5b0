"""The server's side of extraction: files are read in a sandbox, one at a time."""

import asyncio
from pathlib import Path

from tenantai.rag.documents import ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction.answers import decode_answer
from tenantai.sandbox.parent import JobCrashed, JobTooSlow, Sandbox

TIME_LIMIT_SECONDS = 60.0
MEMORY_LIMIT_BYTES = 2 * 1024**3
FILES_PER_CHILD = 200


class ExtractionPool:
    """Reads files in a child process that is started at first use; calls queue up for it."""

    def __init__(
        self,
        *,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        files_per_child: int = FILES_PER_CHILD,
    ) -> None:
        self.sandbox = Sandbox(
            "tenantai.rag.extraction.child",
            time_limit_seconds=time_limit_seconds,
            memory_limit_bytes=memory_limit_bytes,
            jobs_per_child=files_per_child,
        )

    async def extract(self, path: Path, *, name: str) -> ExtractedDocument:
        """The document in the file at `path`, which was uploaded as `name`; raises ExtractionFailed."""
        try:
            head, bodies = await self.sandbox.ask({"path": str(path), "name": name})
        except JobTooSlow:
            limit = self.sandbox.time_limit_seconds
            raise ExtractionFailed(
                "time_limit", f"Reading the file took longer than {limit:g} seconds and was stopped."
            ) from None
        except JobCrashed as gone:
            raise ExtractionFailed("crashed", "The file could not be read: its reader crashed on it.") from gone
        return await asyncio.to_thread(decode_answer, head, bodies)

    async def close(self) -> None:
        """End the child process and wait until it is gone."""
        await self.sandbox.close()
