"""Documents in and out of a tenant's store: uploads, what is there, and actions on files."""

import asyncio
import re
import sqlite3
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from functools import partial

from tenantai.errors import Conflict, NotFound, NotReady, TenantaiError
from tenantai.identifiers import new_id, timestamp
from tenantai.server.services.api_keys import refuse_losing_last
from tenantai.server.services.finishing import finish
from tenantai.server.services.indexing import Indexing
from tenantai.server.services.upload_room import UploadRoom, refuse_over_quota
from tenantai.storage import accounts, audit, estimates, files, operations, room, synced
from tenantai.storage.audit import Actor
from tenantai.storage.blobs import Blobs, Received
from tenantai.storage.database import Database, Transaction
from tenantai.storage.files import File
from tenantai.wire.accounts import AccountRecord
from tenantai.wire.audit import EventType
from tenantai.wire.files import FileActionResult

NAME_CHARACTERS_MAX = 255
NO_FILE = "There is no such file in this tenant. Check the id."
BUSY = "The file is being indexed or waits for it. Wait for the operation to end, or cancel it."

AUDITED = ("name", "account_id", "asset_path", "bytes", "sha256", "state", "excluded", "error_code")

Act = Callable[[Transaction, File], Awaitable[File | None]]


class Documents:
    """The document stores of all tenants, one at a time."""

    def __init__(self, database: Database, blobs: Blobs, indexing: Indexing, *, room: UploadRoom, upload_bytes_max: int) -> None:
        self._database = database
        self._blobs = blobs
        self._indexing = indexing
        self._room = room
        self._upload_bytes_max = upload_bytes_max

    async def receive(
        self,
        tenant_id: str,
        *,
        account_id: str,
        name: str,
        pieces: AsyncGenerator[bytes, None],
        storage_bytes_max: int,
        actor: Actor,
    ) -> tuple[File, bool]:
        """Take in a file and put it in the queue; returns it and whether it is new.

        The same bytes twice in one account are one file; one that failed or was cancelled is put back in the queue. Raises
        NotFound, PayloadTooLarge, or LimitExceeded where the tenant's storage is full; then nothing is kept.
        """
        if await accounts.get(self._database.reading, tenant_id, account_id=account_id) is None:
            raise NotFound("There is no such account in this tenant. Check the id.")
        async with self._room.reserving(tenant_id, limit=storage_bytes_max) as reserved:
            received = await self._blobs.receive(reserved.counted(pieces), bytes_max=self._upload_bytes_max)
            try:
                async with self._blobs.lock(tenant_id):
                    return await self._record(tenant_id, account_id, clean_name(name), received, storage_bytes_max, actor=actor)
            finally:
                received.discard()
                self._indexing.wake()

    async def _record(
        self, tenant_id: str, account_id: str, name: str, received: Received, storage_bytes_max: int, *, actor: Actor
    ) -> tuple[File, bool]:
        """Keep received bytes and the row that names them, or neither."""

        async def unit(transaction: Transaction) -> tuple[File, bool]:
            twin = await files.find_twin(transaction, tenant_id, account_id=account_id, sha256=received.sha256)
            if twin is not None:
                again = await _requeue(transaction, twin) if twin.state in {"failed", "cancelled"} else None
                if again is not None:
                    await audit_file(transaction, "file.requeued", actor, before=twin, after=again)
                return again or twin, False
            used = await room.bytes_used(transaction, tenant_id)
            refuse_over_quota(used, received.bytes, storage_bytes_max)
            moment = timestamp()
            operation = await operations.join_or_begin(transaction, tenant_id, new_id=new_id(), files=1, moment=moment)
            file = _new_file(tenant_id, account_id, operation.id, name, received, moment)
            await files.create(transaction, tenant_id, file=file)
            await audit_file(transaction, "file.uploaded", actor, after=file)
            return file, True

        await asyncio.to_thread(self._blobs.keep, tenant_id, received=received)
        try:
            return await self._database.write(unit)
        except BaseException as error:
            await remove_unused(self._database, self._blobs, tenant_id, (received.sha256,))
            if isinstance(error, sqlite3.IntegrityError):
                raise NotFound("There is no such account in this tenant. Check the id.") from error
            raise

    async def act(
        self, tenant_id: str, *, action: str, file_ids: Sequence[str], visible_to: str | None, actor: Actor
    ) -> list[FileActionResult]:
        """Do one action on files; a result for each, and one bad id does not stop the rest."""
        results = []
        for file_id in dict.fromkeys(file_ids):
            try:
                await finish(self._act_on(tenant_id, file_id, visible_to, action, actor))
                results.append(FileActionResult(file_id=file_id, ok=True))
            except TenantaiError as error:
                results.append(FileActionResult(file_id=file_id, ok=False, error=error.message))
        return results

    async def delete(self, tenant_id: str, *, file_id: str, account_id: str, actor: Actor) -> None:
        """Delete an account's file: gone from answers at once, from the disk soon. Raises NotFound."""
        file = await files.get(self._database.reading, tenant_id, file_id=file_id)
        if file is None or file.account_id != account_id:
            raise NotFound(NO_FILE)
        await finish(self._act_on(tenant_id, file_id, None, "delete", actor))

    async def delete_account(self, tenant_id: str, *, account_id: str, actor: Actor) -> None:
        """Delete an account with its chats, keys and files. Raises NotFound, or Conflict as `refuse_losing_last` does."""
        await finish(self._delete_account(tenant_id, account_id, actor))

    async def cancel(self, tenant_id: str, *, actor: Actor) -> int:
        """Cancel the tenant's open operation; returns how many files were taken out of the queue. Raises Conflict."""
        return await finish(self._cancel(tenant_id, actor))

    async def _delete_account(self, tenant_id: str, account_id: str, actor: Actor) -> None:
        async def unit(transaction: Transaction) -> tuple[list[str], set[str]]:
            account = await accounts.get(transaction, tenant_id, account_id=account_id)
            if account is None:
                raise NotFound("There is no such account in this tenant. Check the id.")
            await refuse_losing_last(transaction, tenant_id, account_id=account_id)
            let_go = await files.let_go_of_account(transaction, tenant_id, account_id=account_id, moment=timestamp())
            pictures = await estimates.contents_of_account(transaction, tenant_id, account_id=account_id)
            await accounts.delete(transaction, tenant_id, account_id=account_id)
            await files.note_change(transaction, tenant_id)
            await audit.record(
                transaction,
                tenant_id,
                event_type="account.deleted",
                actor=actor,
                subject_id=account_id,
                account_id=account_id,
                before=AccountRecord.model_validate(account).json_ready(),
                details={"files_deleted": len(let_go)},
            )
            return let_go, pictures

        async with self._blobs.lock(tenant_id):
            let_go, pictures = await self._database.write(unit)
            await remove_unused(self._database, self._blobs, tenant_id, pictures)
        await self._indexing.stop(let_go)
        await self._close_if_done(tenant_id)
        self._indexing.wake()

    async def _cancel(self, tenant_id: str, actor: Actor) -> int:
        async def unit(transaction: Transaction) -> Sequence[str]:
            operation = await operations.latest(transaction, tenant_id)
            if operation is None or operation.status != "in_progress":
                raise Conflict("Nothing is in progress, so there is nothing to cancel.")
            moment = timestamp()
            cancelled = await files.cancel(transaction, tenant_id, operation_id=operation.id, moment=moment)
            await operations.close(transaction, tenant_id, operation_id=operation.id, status="cancelled", moment=moment)
            await audit.record(
                transaction,
                tenant_id,
                event_type="sync.cancelled",
                actor=actor,
                subject_id=operation.id,
                before={"status": operation.status},
                after={"status": "cancelled"},
                details={"files_cancelled": len(cancelled)},
            )
            return cancelled

        cancelled = await self._database.write(unit)
        await self._indexing.stop(cancelled)
        self._indexing.tell(tenant_id)
        return len(cancelled)

    async def _act_on(self, tenant_id: str, file_id: str, visible_to: str | None, action: str, actor: Actor) -> None:
        """Do an action on a file, with its audit entry; one that is as it should be already is left alone."""
        act, event_type = ACTS[action]

        async def unit(transaction: Transaction) -> None:
            file = await files.get(transaction, tenant_id, file_id=file_id)
            if file is None or (visible_to is not None and file.account_id != visible_to):
                raise NotFound(NO_FILE)
            changed = await act(transaction, file)
            if changed is None:
                raise Conflict(BUSY)
            if changed is not file:
                await files.note_change(transaction, tenant_id)
                await audit_file(transaction, event_type, actor, before=file, after=changed)

        await self._database.write(unit)
        if action == "delete":
            await self._indexing.stop([file_id])
            await self._close_if_done(tenant_id)
        self._indexing.wake()

    async def _close_if_done(self, tenant_id: str) -> None:
        """End the open operation where the files let go were its last; a sync ends itself."""

        async def unit(transaction: Transaction) -> None:
            operation = await operations.latest(transaction, tenant_id)
            if operation is None or operation.status != "in_progress" or operation.kind == "sync":
                return
            if not await files.count_open(transaction, tenant_id, operation_id=operation.id):
                await operations.close(transaction, tenant_id, operation_id=operation.id, status="completed", moment=timestamp())

        await self._database.write(unit)
        self._indexing.tell(tenant_id)


async def audit_file(
    transaction: Transaction, event_type: EventType, actor: Actor, *, before: File | None = None, after: File
) -> None:
    """Record what became of a file; one that is let go is told of as it was, since nobody has it any more."""
    named = before or after
    sides = (audited(before) if before else None, None if event_type == "file.deleted" else audited(after))
    await audit.record(
        transaction,
        named.tenant_id,
        event_type=event_type,
        actor=actor,
        subject_id=named.id,
        account_id=named.account_id,
        asset_id=named.asset_id or named.id,
        before=sides[0],
        after=sides[1],
        details={"name": named.name},
    )


def audited(file: File) -> dict[str, object]:
    """Return what the audit log tells of a file."""
    return {name: getattr(file, name) for name in AUDITED}


async def _set_excluded(transaction: Transaction, file: File, *, excluded: bool) -> File | None:
    if file.excluded == excluded:
        return file
    moment = timestamp()
    changed = await files.set_excluded(transaction, file.tenant_id, file_id=file.id, excluded=excluded, moment=moment)
    if file.asset_path is not None:
        await synced.set_excluded_at(transaction, file.tenant_id, path=file.asset_path, excluded=excluded, moment=moment)
    return changed


async def _let_go(transaction: Transaction, file: File) -> File | None:
    return await files.let_go(transaction, file.tenant_id, file_id=file.id, moment=timestamp())


async def _requeue(transaction: Transaction, file: File) -> File | None:
    if file.state in {"pending", "indexing"}:
        return None
    moment = timestamp()
    operation = await operations.join_or_begin(transaction, file.tenant_id, new_id=new_id(), files=1, moment=moment)
    return await files.requeue(transaction, file.tenant_id, file_id=file.id, operation_id=operation.id, moment=moment)


ACTS: dict[str, tuple[Act, EventType]] = {
    "exclude": (partial(_set_excluded, excluded=True), "file.excluded"),
    "include": (partial(_set_excluded, excluded=False), "file.included"),
    "delete": (_let_go, "file.deleted"),
    "resync": (_requeue, "file.requeued"),
}


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


async def remove_unused(database: Database, blobs: Blobs, tenant_id: str, contents: Iterable[str]) -> None:
    """Remove blobs that nothing of the tenant has any more; hold its lock while this runs."""
    for sha256 in contents:
        if not await _are_used(database, tenant_id, sha256):
            await asyncio.to_thread(blobs.remove, tenant_id, sha256=sha256)


async def _are_used(database: Database, tenant_id: str, sha256: str) -> bool:
    """Whether anything has these bytes, asked behind the writes that wait: one whose caller has left is made all the same."""
    try:
        return await database.write(partial(files.bytes_are_used, tenant_id=tenant_id, sha256=sha256))
    except NotReady:
        return await files.bytes_are_used(database.reading, tenant_id, sha256=sha256)
