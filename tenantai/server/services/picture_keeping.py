"""The pictures of an analysis, kept as blobs beside the estimate that they are of.

What must stay true: an estimate, its pictures and its audit entry are kept together or not at all, within the tenant's storage.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from tenantai.errors import NotFound, NotReady
from tenantai.pictures.picture import Picture
from tenantai.server.services import estimate_entries
from tenantai.server.services.documents import remove_unused
from tenantai.server.services.upload_room import refuse_over_quota
from tenantai.storage import estimates, room
from tenantai.storage.audit import Actor
from tenantai.storage.blobs import Blobs, Received
from tenantai.storage.database import Database, Transaction
from tenantai.storage.estimates import KeptEstimate, KeptPicture

DELETED_MEANWHILE = "The tenant or the account of this analysis was deleted meanwhile."


class PictureKeeping:
    """Keeps pictures with their estimates."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def keep(self, kept: KeptEstimate, pictures: Sequence[Picture], *, storage_bytes_max: int, actor: Actor) -> None:
        """Keep pictures and the estimate that they are of; raises LimitExceeded or NotFound."""
        received: list[Received] = []
        try:
            for content in [picture.content for picture in pictures]:
                received += [await self._blobs.receive(_whole(content), bytes_max=len(content))]
            async with self._blobs.lock(kept.tenant_id):
                await self._record(kept, pictures, received, storage_bytes_max, actor)
        finally:
            await asyncio.to_thread(_discard, received)

    async def _record(
        self,
        kept: KeptEstimate,
        pictures: Sequence[Picture],
        received: Sequence[Received],
        storage_bytes_max: int,
        actor: Actor,
    ) -> None:
        tenant_id = kept.tenant_id
        rows = [
            KeptPicture(kept.id, image, tenant_id, blob.sha256, blob.bytes, picture.width, picture.height, "waiting", None)
            for image, (picture, blob) in enumerate(zip(pictures, received, strict=True))
        ]

        async def unit(transaction: Transaction) -> None:
            used = await room.bytes_used(transaction, tenant_id)
            refuse_over_quota(used, sum(row.bytes for row in rows), storage_bytes_max)
            await estimates.create(transaction, tenant_id, estimate=kept, pictures_of_it=rows)
            after = {"status": kept.status, "unit": kept.unit, "model": kept.model, "pictures": len(rows)}
            await estimate_entries.record(transaction, kept, "estimate.created", actor, after=after)

        for blob in {blob.sha256: blob for blob in received}.values():
            await asyncio.to_thread(self._blobs.keep, tenant_id, received=blob)
        try:
            await self._database.write(unit)
        except BaseException as error:
            await asyncio.shield(self._undo(kept, {row.sha256 for row in rows}, actor))
            if isinstance(error, sqlite3.IntegrityError):
                raise NotFound(DELETED_MEANWHILE) from error
            raise

    async def _undo(self, kept: KeptEstimate, contents: set[str], actor: Actor) -> None:
        """Take an estimate back whose caller is gone, or that could not be kept: its write may yet be made before this one."""

        async def unit(transaction: Transaction) -> None:
            if await estimates.delete(transaction, kept.tenant_id, estimate_id=kept.id):
                await estimate_entries.record(transaction, kept, "estimate.deleted", actor, before={"status": kept.status})

        with suppress(NotReady):
            await self._database.write(unit)
            await remove_unused(self._database, self._blobs, kept.tenant_id, contents)


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _discard(received: Sequence[Received]) -> None:
    for blob in received:
        blob.discard()
