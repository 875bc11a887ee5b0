"""The queue that makes files searchable.

What must stay true: the queue is the files' own state in the database, so a kill at any point loses nothing; a file is searched
only from the transaction that makes it ready; tenants take turns, so that a small one is not stuck behind a big one.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal

import structlog

from tenantai.errors import NotReady, TenantaiError
from tenantai.identifiers import timestamp
from tenantai.providers.protocols import EmbeddingModel
from tenantai.rag.chunking import chunk_document
from tenantai.rag.documents import Chunk, ExtractedDocument, ExtractionFailed
from tenantai.rag.extraction.pool import ExtractionPool
from tenantai.server.services import sync_steps
from tenantai.server.services.file_notes import FileNotes
from tenantai.server.services.indexed_chunks import new_chunk, searchable_text
from tenantai.server.services.progress import ProgressBoard
from tenantai.storage import across_tenants, audit, chunks, files, operations
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database, Transaction
from tenantai.storage.files import File
from tenantai.storage.full_text import FullText
from tenantai.wire.audit import EventType
from tenantai.wire.store import SyncReport

WORKERS = 3
WORKERS_OF_TENANT_MAX = WORKERS - 1  # one is left to the others, however slow a tenant's files are to read
SMALL_BYTES_MAX = 512 * 1024  # one worker takes files up to this only, however many tenants have large ones
EMBED_CHUNKS = 64
CLEAR_CHUNKS = 256
PAGE_ROWS = 500
RETRY_SECONDS, RETURN_SECONDS = 1.0, 5.0
NOT_WHOLE = {
    "missing": "The bytes of the file are no longer on the server's disk. Upload it again.",
    "changed": "The bytes on the server's disk are no longer those that were uploaded. Upload the file again.",
}

logger = structlog.get_logger("tenantai.indexing")


class FileGone(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """The file was deleted or cancelled while it was being indexed."""


class Indexing:
    """Works through the queue until it is closed."""

    def __init__(
        self,
        database: Database,
        *,
        blobs: Blobs,
        full_text: FullText,
        embedding: EmbeddingModel,
        extraction: ExtractionPool,
        board: ProgressBoard,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._full_text = full_text
        self._embedding = embedding
        self._extraction = extraction
        self._board = board
        self._wake = asyncio.Event()
        self._choosing = asyncio.Lock()
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._running: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._workers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Take up what a crash left, then start to work."""
        requeued, interrupted = await self._database.write(across_tenants.recover)
        if requeued or interrupted:
            logger.info("recovered", files=requeued, answers=interrupted)
        await self._close_finished_operations()
        self._workers = [asyncio.create_task(self._work(), name=f"indexing {n}") for n in range(WORKERS - 1)]
        self._workers.append(asyncio.create_task(self._work(bytes_max=SMALL_BYTES_MAX), name="indexing small files"))
        self._workers.append(asyncio.create_task(self._clear_deleted(), name="clearing"))

    async def close(self) -> None:
        """Stop; what is half done is taken up at the next start."""
        for task in (*self._workers, *self._running.values()):
            task.cancel()
        await asyncio.gather(*self._workers, *self._running.values(), return_exceptions=True)

    def tell(self, tenant_id: str) -> None:
        """Say that files left the queue without having been worked on."""
        self._board.tell(tenant_id)

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    async def stop(self, file_ids: Sequence[str]) -> None:
        """Stop the work on files whose state says so already, and wait for its end."""
        tasks = [self._running[file_id] for file_id in file_ids if file_id in self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, *, bytes_max: int | None = None) -> None:
        while True:
            self._wake.clear()
            file = await self._next_or_none(bytes_max)
            if file is None:
                await self._wake.wait()
                continue
            self._wake.set()
            notes = FileNotes(self._board, file)
            task = asyncio.create_task(self._index(file, notes), name=f"index {file.id}")
            self._running[file.id] = task
            try:
                await asyncio.wait([task])
            finally:
                if not task.done():
                    task.cancel()
                self._running.pop(file.id, None)
                self._busy[file.tenant_id] -= 1
                notes.close()
            if not task.cancelled() and task.exception() is not None:
                await self._return_to_queue(file, task.exception())

    async def _return_to_queue(self, file: File, fault: BaseException | None) -> None:
        """Put a file back for which the database could not be written, as when the disk is full; later, as soon as it can be."""
        logger.error("indexing could not be recorded", file_id=file.id, tenant_id=file.tenant_id, exc_info=fault)

        async def unit(transaction: Transaction) -> None:
            await files.move(transaction, file.tenant_id, file_id=file.id, expected="indexing", to="pending", moment=timestamp())

        while True:
            await asyncio.sleep(RETURN_SECONDS)
            with suppress(NotReady):
                await self._database.write(unit)
                return

    async def _next_or_none(self, bytes_max: int | None) -> File | None:
        """Take the next file; where the database fails, try again a little later."""
        try:
            return await self._next(bytes_max)
        except NotReady:
            logger.warning("queue cannot be read", exc_info=True)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self.wake)
            return None

    async def _next(self, bytes_max: int | None) -> File | None:
        """Take the next file of the tenant that has waited longest for its turn, where it has no more bytes than that."""
        async with self._choosing:
            found = await across_tenants.waiting(self._database.reading)
            waiting = {t: file_id for t, (file_id, size) in found.items() if bytes_max is None or size <= bytes_max}
            for tenant_id in sorted(waiting, key=lambda t: (self._turns.get(t, 0), waiting[t])):
                if self._busy[tenant_id] >= WORKERS_OF_TENANT_MAX:
                    continue
                self._turn += 1
                self._turns[tenant_id] = self._turn
                file = await self._claim(tenant_id, waiting[tenant_id])
                if file is not None:
                    self._busy[tenant_id] += 1
                    return file
            self._busy += Counter()
            return None

    async def _claim(self, tenant_id: str, file_id: str) -> File | None:
        async def unit(transaction: Transaction) -> File | None:
            moment = timestamp()
            return await files.move(transaction, tenant_id, file_id=file_id, expected="pending", to="indexing", moment=moment)

        return await self._database.write(unit)

    async def _index(self, file: File, notes: FileNotes) -> None:
        """Index one file; whatever goes wrong is that file's alone."""
        try:
            await self._make_searchable(file, notes)
        except ExtractionFailed as failed:
            await self._fail(file, notes, code=failed.reason, message=failed.message, pages=failed.page_count)
        except FileGone:
            logger.info("file gone while indexing", file_id=file.id, tenant_id=file.tenant_id)
        except NotReady:  # the database's fault, not the file's: it goes back to the queue
            raise
        except TenantaiError as error:
            await self._fail(file, notes, code=error.public_code.lower(), message=error.message, pages=None)
        except Exception:
            logger.exception("indexing fault", file_id=file.id, tenant_id=file.tenant_id)
            sentence = "The file could not be indexed because of a fault on our side. Resync it to try again."
            await self._fail(file, notes, code="internal_error", message=sentence, pages=None)

    async def _make_searchable(self, file: File, notes: FileNotes) -> None:
        notes.begin("extracting")
        await self.clear(file)
        condition = await asyncio.to_thread(self._blobs.condition, file.tenant_id, sha256=file.sha256)
        if condition != "whole":
            raise ExtractionFailed(f"bytes_{condition}", NOT_WHOLE[condition])
        path = self._blobs.path(file.tenant_id, sha256=file.sha256)
        document = await self._extraction.extract(path, name=file.name, so_far=notes.read)
        notes.begin("chunking")
        pieces = await asyncio.to_thread(chunk_document, document, notes.chunked_in_thread())
        for first in range(0, len(pieces), EMBED_CHUNKS):
            notes.embedded(first, len(pieces))
            await self._add(file, pieces[first : first + EMBED_CHUNKS])
        notes.begin("finishing")
        await self._finish(file, notes, document, chunk_count=len(pieces))

    async def _add(self, file: File, pieces: Sequence[Chunk]) -> None:
        """Embed and store a slice of a file's chunks; nobody finds them before the file is ready."""
        headings = [" > ".join(piece.heading_path) for piece in pieces]
        texts = [searchable_text(heading, piece.text) for heading, piece in zip(headings, pieces, strict=True)]
        embedded = await self._embedding.embed(texts, purpose="document")
        stored = [new_chunk(p, h, t, v) for p, h, t, v in zip(pieces, headings, texts, embedded, strict=True)]

        async def unit(transaction: Transaction) -> None:
            current = await files.get(transaction, file.tenant_id, file_id=file.id)
            if current is None or current.state != "indexing":
                raise FileGone
            numbers = await chunks.add(transaction, file.tenant_id, file_id=file.id, chunks=stored, model=self._embedding.model)
            await self._full_text.add(transaction, file.tenant_id, texts=list(zip(numbers, texts, strict=True)))

        await self._database.write(unit)

    async def _finish(self, file: File, notes: FileNotes, document: ExtractedDocument, *, chunk_count: int) -> None:
        async def unit(transaction: Transaction) -> str:
            moment = timestamp()
            operation_id = await files.finish(
                transaction,
                file.tenant_id,
                file_id=file.id,
                media_type=document.media_type,
                pages=document.page_count,
                chunks=chunk_count,
                moment=moment,
            )
            if operation_id is None:
                raise FileGone
            await files.save_text(transaction, file.tenant_id, file_id=file.id, text=document.text)
            await files.note_change(transaction, file.tenant_id)
            after = {
                "state": "ready",
                "media_type": document.media_type,
                "page_count": document.page_count,
                "chunk_count": chunk_count,
            }
            await _audit(transaction, file, "file.indexed", operation_id=operation_id, after=after)
            await _replace_older(transaction, file)
            await _count_and_close(transaction, file.tenant_id, operation_id, failed=0, moment=moment)
            return moment

        moment = await self._database.write(unit)
        notes.ended("ready", pages=document.page_count, chunks=chunk_count, moment=moment)
        self.wake()

    async def _fail(self, file: File, notes: FileNotes, *, code: str, message: str, pages: int | None) -> None:
        """Note why a file can't be searched; one of the vault whose kind is not indexed is passed over, no failure."""
        await self.clear(file)
        is_skipped = file.asset_path is not None and code == "unsupported"
        to: Literal["failed", "skipped"] = "skipped" if is_skipped else "failed"
        event_type: EventType = "file.skipped" if is_skipped else "file.failed"

        async def unit(transaction: Transaction) -> str | None:
            moment = timestamp()
            operation_id = await files.fail(
                transaction, file.tenant_id, file_id=file.id, to=to, code=code, message=message, pages=pages, moment=moment
            )
            if operation_id is None:
                return None
            await files.note_change(transaction, file.tenant_id)
            after = {"state": to, "error_code": code, "page_count": pages}
            await _audit(transaction, file, event_type, operation_id=operation_id, after=after, message=message)
            if is_skipped:
                await _replace_older(transaction, file)
            await _count_and_close(transaction, file.tenant_id, operation_id, failed=int(not is_skipped), moment=moment)
            return moment

        if (moment := await self._database.write(unit)) is not None:
            notes.ended(to, pages=pages, moment=moment, code=code, message=message)

    async def clear(self, file: File) -> int:
        """Remove a file's chunks from the record and the full-text index, a slice at a time; how many there were."""
        cleared = 0

        async def unit(transaction: Transaction) -> int:
            old = await chunks.first_of_file(transaction, file.tenant_id, file_id=file.id, row_count=CLEAR_CHUNKS)
            if old:
                texts = [(number, searchable_text(heading, text)) for number, heading, text in old]
                await self._full_text.remove(transaction, file.tenant_id, texts=texts)
                await chunks.delete(transaction, file.tenant_id, numbers=[number for number, _, _ in old])
            return len(old)

        while (count := await self._database.write(unit)) == CLEAR_CHUNKS:
            cleared += count
        return cleared + count

    async def _clear_deleted(self) -> None:
        """Clear the files that were let go, now and whenever something wakes the queue."""
        while True:
            waiting = self._wake
            try:
                cleared = await self._clear_some()
            except Exception:
                logger.exception("deleted files cannot be cleared now")
                cleared = 0
            if not cleared:
                await _wait_briefly(waiting)

    async def _clear_some(self) -> int:
        """Clear the first of the files that were let go; how many."""
        deleted = await across_tenants.files_in_state(self._database.reading, state="deleting", row_count=50)
        for file in deleted:
            await self.stop([file.id])
            await self.clear(file)
            await self._forget(file)
        return len(deleted)

    async def _forget(self, file: File) -> None:
        async def unit(transaction: Transaction) -> bool:
            await files.forget(transaction, file.tenant_id, file_id=file.id)
            return await files.bytes_are_used(transaction, file.tenant_id, sha256=file.sha256)

        async with self._blobs.lock(file.tenant_id):
            if not await self._database.write(unit):
                await asyncio.to_thread(self._blobs.remove, file.tenant_id, sha256=file.sha256)

    async def _close_finished_operations(self) -> None:
        """End operations whose last file ended just before a crash."""
        after = ""
        while page := await across_tenants.open_operations(self._database.reading, after=after, row_count=PAGE_ROWS):
            for operation in page:
                unit = partial(_close_if_done, tenant_id=operation.tenant_id, operation_id=operation.id, moment=timestamp())
                await self._database.write(unit)
            after = page[-1].id


async def _audit(
    transaction: Transaction,
    file: File,
    event_type: EventType,
    *,
    operation_id: str,
    after: Mapping[str, object],
    message: str | None = None,
) -> None:
    """Record what became of a file in the queue."""
    await audit.record(
        transaction,
        file.tenant_id,
        event_type=event_type,
        actor=audit.SYSTEM,
        subject_id=file.id,
        account_id=file.account_id,
        asset_id=file.asset_id or file.id,
        before={"state": "indexing"},
        after=after,
        details={"name": file.name, "operation_id": operation_id, **({"error_message": message} if message else {})},
    )


async def _count_and_close(transaction: Transaction, tenant_id: str, operation_id: str, *, failed: int, moment: str) -> None:
    await operations.count(transaction, tenant_id, operation_id=operation_id, processed=1, failed=failed)
    await _close_if_done(transaction, tenant_id, operation_id, moment=moment)


async def _replace_older(transaction: Transaction, file: File) -> None:
    """Let older versions of a file of the vault go; while a sync compares, they wait for its end, for one may be moved yet."""
    if file.asset_path is None:
        return
    running = await operations.latest(transaction, file.tenant_id)
    report = None if running is None or running.report is None else SyncReport.model_validate_json(running.report)
    if running is not None and running.status == "in_progress" and report is not None and not report.is_compared:
        return
    current = await files.get(transaction, file.tenant_id, file_id=file.id)
    if current is not None:
        await sync_steps.let_older_go(transaction, current)


async def _close_if_done(transaction: Transaction, tenant_id: str, operation_id: str, *, moment: str) -> None:
    """End an operation whose last file has ended; a sync ends itself, once it has counted."""
    if await files.count_open(transaction, tenant_id, operation_id=operation_id):
        return
    operation = await operations.get(transaction, tenant_id, operation_id=operation_id)
    if operation is None or operation.kind == "sync":
        return
    failed = operation.failed_files > 0
    status = "failed" if failed else "completed"
    await operations.close(transaction, tenant_id, operation_id=operation_id, status=status, moment=moment)


async def _wait_briefly(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(RETRY_SECONDS):
            await event.wait()
    except TimeoutError:
        return
    await asyncio.sleep(RETRY_SECONDS / 10)
