"""Documents in and out of a tenant's store: uploads, what is there, and actions on files."""

import asyncio
import re
import sqlite3
import unicodedata
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence

from tenantai.errors import Conflict, LimitExceeded, NotFound, TenantaiError
from tenantai.identifiers import new_id, now, timestamp
from tenantai.server.services.indexing import Indexing
from tenantai.storage import accounts, files, operations
from tenantai.storage.blobs import Blobs, Received
from tenantai.storage.database import Database, Transaction
from tenantai.storage.files import File
from tenantai.wire.files import FileActionResult

NAME_CHARACTERS_MAX = 255
NO_FILE = "There is no such file in this tenant. Check the id."
BUSY = "The file is being indexed or waits for it. Wait for the operation to end, or cancel it."

Act = Callable[[Transaction, File], Awaitable[File | None]]


class Documents:
    """The document stores of all tenants, one at a time."""

    def __init__(self, database: Database, blobs: Blobs, indexing: Indexing, *, upload_bytes_max: int) -> None:
        self._database = database
        self._blobs = blobs
        self._indexing = indexing
        self._upload_bytes_max = upload_bytes_max

    async def receive(
        self, tenant_id: str, *, account_id: str, name: str, pieces: AsyncIterable[bytes], storage_bytes_max: int
    ) -> tuple[File, bool]:
        """Take in a file and put it in the queue; returns it and whether it is new.

        The same bytes twice in one account are one file; one that failed or was cancelled is put back in the queue. Raises
        NotFound, PayloadTooLarge, or LimitExceeded where the tenant's storage is full; then nothing is kept.
        """
        if await accounts.get(self._database.reading, tenant_id, account_id=account_id) is None:
            raise NotFound("There is no such account in this tenant. Check the id.")
        received = await self._blobs.receive(pieces, bytes_max=self._upload_bytes_max)
        try:
            async with self._blobs.lock(tenant_id):
                file, is_new = await self._record(tenant_id, account_id, clean_name(name), received, storage_bytes_max)
        finally:
            received.discard()
        self._indexing.wake()
        return file, is_new

    async def _record(
        self, tenant_id: str, account_id: str, name: str, received: Received, storage_bytes_max: int
    ) -> tuple[File, bool]:
        """Keep received bytes and the row that names them, or neither."""

        async def unit(transaction: Transaction) -> tuple[File, bool]:
            twin = await files.find_twin(transaction, tenant_id, account_id=account_id, sha256=received.sha256)
            if twin is not None:
                again = await self._requeue(transaction, twin) if twin.state in {"failed", "cancelled"} else None
                return again or twin, False
            used = await files.bytes_used(transaction, tenant_id)
            _refuse_over_quota(used, received.bytes, storage_bytes_max)
            moment = timestamp()
            operation = await operations.join_or_begin(transaction, tenant_id, new_id=new_id(), files=1, moment=moment)
            file = _new_file(tenant_id, account_id, operation.id, name, received, moment)
            await files.create(transaction, tenant_id, file=file)
            return file, True

        await asyncio.to_thread(self._blobs.keep, tenant_id, received=received)
        try:
            return await self._database.write(unit)
        except BaseException as error:
            if not await files.bytes_are_used(self._database.reading, tenant_id, sha256=received.sha256):
                await asyncio.to_thread(self._blobs.remove, tenant_id, sha256=received.sha256)
            if isinstance(error, sqlite3.IntegrityError):
                raise NotFound("There is no such account in this tenant. Check the id.") from error
            raise

    async def act(
        self, tenant_id: str, *, action: str, file_ids: Sequence[str], visible_to: str | None
    ) -> list[FileActionResult]:
        """Do one action on files; a result for each, and one bad id does not stop the rest."""
        acts: dict[str, Act] = {
            "exclude": lambda t, f: self._set_excluded(t, f, excluded=True),
            "include": lambda t, f: self._set_excluded(t, f, excluded=False),
            "delete": self._let_go,
            "resync": self._requeue,
        }
        results = []
        for file_id in dict.fromkeys(file_ids):
            try:
                await self._act_on(tenant_id, file_id, visible_to, acts[action])
                results.append(FileActionResult(file_id=file_id, ok=True))
            except TenantaiError as error:
                results.append(FileActionResult(file_id=file_id, ok=False, error=error.message))
        self._indexing.wake()
        return results

    async def delete(self, tenant_id: str, *, file_id: str, account_id: str) -> None:
        """Delete an account's file: gone from answers at once, from the disk soon. Raises NotFound."""
        file = await files.get(self._database.reading, tenant_id, file_id=file_id)
        if file is None or file.account_id != account_id:
            raise NotFound(NO_FILE)
        await self._act_on(tenant_id, file_id, None, self._let_go)
        self._indexing.wake()

    async def delete_account(self, tenant_id: str, *, account_id: str) -> None:
        """Delete an account with its chats, keys and files. Raises NotFound."""

        async def unit(transaction: Transaction) -> list[str]:
            let_go = await files.let_go_of_account(transaction, tenant_id, account_id=account_id, moment=timestamp())
            if not await accounts.delete(transaction, tenant_id, account_id=account_id):
                raise NotFound("There is no such account in this tenant. Check the id.")
            await files.note_change(transaction, tenant_id)
            return let_go

        await self._indexing.stop(await self._database.write(unit))
        await self._close_if_done(tenant_id)
        self._indexing.wake()

    async def cancel(self, tenant_id: str) -> int:
        """Cancel the tenant's open operation; returns how many files were taken out of the queue. Raises Conflict."""

        async def unit(transaction: Transaction) -> Sequence[str]:
            operation = await operations.latest(transaction, tenant_id)
            if operation is None or operation.status != "in_progress":
                raise Conflict("Nothing is in progress, so there is nothing to cancel.")
            moment = timestamp()
            cancelled = await files.cancel(transaction, tenant_id, operation_id=operation.id, moment=moment)
            await operations.close(transaction, tenant_id, operation_id=operation.id, status="cancelled", moment=moment)
            return cancelled

        cancelled = await self._database.write(unit)
        await self._indexing.stop(cancelled)
        return len(cancelled)

    async def _act_on(self, tenant_id: str, file_id: str, visible_to: str | None, act: Act) -> None:
        async def unit(transaction: Transaction) -> None:
            file = await files.get(transaction, tenant_id, file_id=file_id)
            if file is None or (visible_to is not None and file.account_id != visible_to):
                raise NotFound(NO_FILE)
            if await act(transaction, file) is None:
                raise Conflict(BUSY)
            await files.note_change(transaction, tenant_id)

        await self._database.write(unit)
        if act == self._let_go:
            await self._indexing.stop([file_id])
            await self._close_if_done(tenant_id)

    async def _set_excluded(self, transaction: Transaction, file: File, *, excluded: bool) -> File | None:
        return await files.set_excluded(transaction, file.tenant_id, file_id=file.id, excluded=excluded, moment=timestamp())

    async def _let_go(self, transaction: Transaction, file: File) -> File | None:
        return await files.let_go(transaction, file.tenant_id, file_id=file.id, moment=timestamp())

    async def _requeue(self, transaction: Transaction, file: File) -> File | None:
        if file.state in {"pending", "indexing"}:
            return None
        moment = timestamp()
        operation = await operations.join_or_begin(transaction, file.tenant_id, new_id=new_id(), files=1, moment=moment)
        return await files.requeue(transaction, file.tenant_id, file_id=file.id, operation_id=operation.id, moment=moment)

    async def _close_if_done(self, tenant_id: str) -> None:
        """End the open operation where the files let go were its last."""

        async def unit(transaction: Transaction) -> None:
            operation = await operations.latest(transaction, tenant_id)
            if operation is None or operation.status != "in_progress":
                return
            if not await files.count_open(transaction, tenant_id, operation_id=operation.id):
                await operations.close(transaction, tenant_id, operation_id=operation.id, status="completed", moment=timestamp())

        await self._database.write(unit)


def clean_name(name: str) -> str:
    """Return a name to show: the last part of a path, no control characters, at most 255 characters; never a path here."""
    last = re.split(r"[\\/]", name)[-1]
    shown = "".join(c for c in last if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}).strip()
    if len(shown) > NAME_CHARACTERS_MAX:
        stem, dot, ending = shown.rpartition(".")
        keep = ending[:20] if dot else ""
        shown = (stem if dot else shown)[: NAME_CHARACTERS_MAX - len(keep) - 1] + (f".{keep}" if keep else "")
    return shown or "unnamed"


def _new_file(tenant_id: str, account_id: str, operation_id: str, name: str, received: Received, moment: str) -> File:
    return File(
        id=new_id(),
        tenant_id=tenant_id,
        account_id=account_id,
        operation_id=operation_id,
        name=name,
        media_type=None,
        bytes=received.bytes,
        sha256=received.sha256,
        state="pending",
        excluded=False,
        error_code=None,
        error_message=None,
        page_count=None,
        chunk_count=0,
        created_at=moment,
        updated_at=moment,
    )


def _refuse_over_quota(used: int, more: int, limit: int) -> None:
    if used + more > limit:
        raise LimitExceeded(
            "QUOTA_EXCEEDED",
            f"This file would take the tenant over its storage of {limit} bytes. Delete files, or ask for a larger plan.",
            limit=limit,
            used=used,
            retry_after_seconds=3600,
            reset_at=timestamp(now()),
        )
