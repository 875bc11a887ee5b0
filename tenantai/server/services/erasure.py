"""A tenant is deleted with everything of it: rows, words, vectors, bytes, and what was counted of it.

What must stay true: from the first transaction on nothing of the tenant is to be had; what a kill interrupts goes on at the next
start; the operator's log says who deleted it, and what was erased.
"""

import asyncio
import shutil
from collections import Counter
from contextlib import suppress

import structlog

from tenantai.errors import NotFound, NotReady
from tenantai.identifiers import timestamp
from tenantai.rag.tenant_index import TenantIndexes
from tenantai.server.services.credentials import KeyRing
from tenantai.server.services.finishing import finish
from tenantai.server.services.indexing import Indexing
from tenantai.server.services.metering.meter import Meter
from tenantai.server.services.retention import Retention
from tenantai.storage import across_tenants, audit, erasing, files
from tenantai.storage.audit import OPERATOR_CHAIN, SYSTEM, Actor
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database, Transaction

ROWS = 500
PAUSE_SECONDS, RETRY_SECONDS = 0.002, 1.0
NO_TENANT = "There is no such tenant. Check the id."

logger = structlog.get_logger("tenantai.erasure")


class Erasure:
    """Erases tenants."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        indexing: Indexing,
        *,
        indexes: TenantIndexes,
        key_ring: KeyRing,
        meter: Meter,
        retention: Retention,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._indexing = indexing
        self._indexes = indexes
        self._key_ring = key_ring
        self._meter = meter
        self._retention = retention
        self._under_way: set[asyncio.Task[dict[str, int]]] = set()

    async def open(self) -> None:
        """Go on with what a kill interrupted, in the background."""
        for tenant_id in await across_tenants.being_erased(self._database.reading):
            self._begin(tenant_id, Counter())

    async def close(self) -> None:
        """Stop; what is left goes on at the next start."""
        for task in list(self._under_way):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def erase(self, tenant_id: str, *, actor: Actor) -> dict[str, int]:
        """Erase a tenant; what was erased, by kind. It goes on where the caller leaves. Raises NotFound."""
        return await finish(self._shut_out_and_erase(tenant_id, actor))

    async def _shut_out_and_erase(self, tenant_id: str, actor: Actor) -> dict[str, int]:
        async def unit(transaction: Transaction) -> erasing.ShutOut:
            shut_out = await erasing.shut_out(transaction, tenant_id, moment=timestamp())
            if shut_out is None:
                raise NotFound(NO_TENANT)
            await audit.record(transaction, OPERATOR_CHAIN, event_type="tenant.deleted", actor=actor, subject_id=tenant_id)
            return shut_out

        shut_out = await self._database.write(unit)
        self._key_ring.forget_all()
        await self._indexing.stop(shut_out.stopped)
        return await asyncio.shield(self._begin(tenant_id, Counter(shut_out.erased)))

    def _begin(self, tenant_id: str, erased: Counter[str]) -> "asyncio.Task[dict[str, int]]":
        task = asyncio.create_task(self._erase(tenant_id, erased), name=f"erase {tenant_id}")
        self._under_way.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: "asyncio.Task[dict[str, int]]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a tenant could not be erased whole; it goes on at the next start", exc_info=task.exception())

    async def _erase(self, tenant_id: str, erased: Counter[str]) -> dict[str, int]:
        """Erase all, however often the database is out of reach meanwhile; `erased` counts what is gone already."""
        while True:
            try:
                return await self._erase_all(tenant_id, erased)
            except NotReady:
                logger.warning("erasing waits for the database", tenant_id=tenant_id, exc_info=True)
            await asyncio.sleep(RETRY_SECONDS)

    async def _erase_all(self, tenant_id: str, erased: Counter[str]) -> dict[str, int]:
        await self._erase_files(tenant_id, erased)
        await asyncio.to_thread(shutil.rmtree, self._blobs.folder_of(tenant_id), ignore_errors=True)
        for table in erasing.TABLES:
            await self._erase_rows(tenant_id, table.name, erased)
        await self._erase_files(tenant_id, erased)  # a sync that was under way may have brought some
        told = {name: count for name, count in sorted(erased.items()) if count}

        async def unit(transaction: Transaction) -> None:
            for table in erasing.TABLES:
                await erasing.erase(transaction, tenant_id, table=table.name, row_count=ROWS)
            await erasing.forget(transaction, tenant_id)
            await audit.record(
                transaction, OPERATOR_CHAIN, event_type="tenant.erased", actor=SYSTEM, subject_id=tenant_id, details=told
            )

        await self._database.write(unit)
        await self._forget(tenant_id)
        return told

    async def _forget(self, tenant_id: str) -> None:
        """Let go of what is held of a tenant outside of the database."""
        await asyncio.to_thread(shutil.rmtree, self._blobs.folder_of(tenant_id), ignore_errors=True)
        self._indexes.forget(tenant_id)
        self._meter.forget(tenant_id)
        try:
            await self._retention.forget_tenant(tenant_id)
        except Exception:
            logger.exception("analytics still count a tenant that was deleted; they forget it within the hour")

    async def _erase_files(self, tenant_id: str, erased: Counter[str]) -> None:
        """Erase files with their chunks and their words in the full-text index."""
        while found := await files.any_of(self._database.reading, tenant_id, row_count=50):
            for file in found:
                erased["chunks"] += await self._indexing.clear(file)

                async def unit(transaction: Transaction, file_id: str = file.id) -> None:
                    await files.erase(transaction, tenant_id, file_id=file_id)

                await self._database.write(unit)
                erased["files"] += 1

    async def _erase_rows(self, tenant_id: str, table: str, erased: Counter[str]) -> None:
        async def unit(transaction: Transaction) -> int:
            return await erasing.erase(transaction, tenant_id, table=table, row_count=ROWS)

        while (count := await self._database.write(unit)) == ROWS:
            erased[table] += count
            await asyncio.sleep(PAUSE_SECONDS)
        erased[table] += count
