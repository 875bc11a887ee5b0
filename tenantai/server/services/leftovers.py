"""Bytes that a killed process had kept, and not recorded: they are removed after the next start.

What must stay true: bytes that anything names, or is about to name, stay; the server does not wait for this.
"""

import asyncio
from contextlib import suppress

import structlog

from tenantai.errors import NotReady
from tenantai.server.services.documents import remove_unused
from tenantai.storage import files
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database

logger = structlog.get_logger("tenantai.leftovers")


class Leftovers:
    """Looks once through all bytes that are kept, a few names at a time."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to look, in the background."""
        self._task = asyncio.create_task(self._look(), name="leftovers")

    async def close(self) -> None:
        """Stop; what is left is looked for at the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look(self) -> None:
        removed, kept = 0, self._blobs.kept()
        try:
            while (some := await asyncio.to_thread(next, kept, None)) is not None:
                removed += await self._remove(*some)
        except (NotReady, OSError):
            logger.warning("bytes that nothing names are looked for again at the next start", exc_info=True)
        if removed:
            logger.info("removed bytes that nothing names", blobs=removed)

    async def _remove(self, tenant_id: str, names: list[str]) -> int:
        """Remove those that nothing names, asked again under the tenant's lock, which uploads hold until they are recorded."""
        unused = await files.unused_bytes(self._database.reading, tenant_id, contents=names)
        for sha256 in unused:
            async with self._blobs.lock(tenant_id):
                await remove_unused(self._database, self._blobs, tenant_id, (sha256,))
        return len(unused)
