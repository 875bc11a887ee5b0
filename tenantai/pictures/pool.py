"""The server's side of reading pictures: a few child processes, each with its own limit of memory, and a queue for them.

What must stay true: however many requests come at once, no more pictures are decoded at a time than there are processes, and of
what was sent only the scaled pictures are in this process's memory.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tenantai.pictures.picture import Picture, PictureRefused
from tenantai.sandbox.parent import JobCrashed, JobTooSlow, Sandbox

SECONDS_MAX = 20.0
MEMORY_LIMIT_BYTES = 1280 * 1024**2
JOBS_PER_CHILD = 200
CRASHED = "can't be read: its reader crashed on it"


class PicturePool:
    """Reads pictures in child processes that are started at first use."""

    def __init__(
        self, processes: int, *, time_limit_seconds: float = SECONDS_MAX, memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    ) -> None:
        self.sandboxes = [
            Sandbox(
                "tenantai.pictures.child",
                time_limit_seconds=time_limit_seconds,
                memory_limit_bytes=memory_limit_bytes,
                jobs_per_child=JOBS_PER_CHILD,
            )
            for _ in range(processes)
        ]
        self._free: asyncio.LifoQueue[Sandbox] = asyncio.LifoQueue()
        for sandbox in reversed(self.sandboxes):
            self._free.put_nowait(sandbox)

    async def read(self, path: Path) -> Picture:
        """Return the picture in a file, scaled and upright; raises PictureRefused."""
        try:
            head, bodies = await self._ask({"kind": "picture", "path": str(path)})
        except JobTooSlow:
            raise PictureRefused("took too long to read, and was stopped") from None
        except JobCrashed:
            raise PictureRefused(CRASHED) from None
        if not bodies:
            raise PictureRefused(str(head["problem"]))
        return Picture(bodies[0], int(head["width"]), int(head["height"]))

    async def unpack(self, body: Path, folder: Path) -> dict[str, Any]:
        """Return what `bodies.unpack` tells of a body in a file, whose pictures are put into the folder."""
        try:
            _, (told,) = await self._ask({"kind": "body", "path": str(body), "folder": str(folder)})
        except (JobTooSlow, JobCrashed):
            return {"problems": [{"field": "body", "problem": CRASHED}], "pictures": []}
        unpacked: dict[str, Any] = json.loads(told)
        return unpacked

    async def report(self, **job: Any) -> None:
        """Have the PDF of an estimate written (`estimate`, `photos`, `document`, `output`); raises PictureRefused."""
        try:
            head, _ = await self._ask({"kind": "report", **job})
        except (JobTooSlow, JobCrashed):
            raise PictureRefused("could not be written") from None
        if "problem" in head:
            raise PictureRefused(f"could not be written: {head['problem']}")

    async def plan(self, estimate: Path) -> str:
        """Return the pack plan of the estimate in a file as JSON, `null` where none can be made."""
        try:
            _, (told,) = await self._ask({"kind": "plan", "estimate": str(estimate)})
        except (JobTooSlow, JobCrashed):
            return "null"
        return told.decode()

    async def close(self) -> None:
        """End the child processes and wait until they are gone."""
        for sandbox in self.sandboxes:
            await sandbox.close()

    async def _ask(self, job: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        async with self._taken() as sandbox:
            return await sandbox.ask(job)

    @asynccontextmanager
    async def _taken(self) -> AsyncIterator[Sandbox]:
        sandbox = await self._free.get()
        try:
            yield sandbox
        finally:
            self._free.put_nowait(sandbox)
