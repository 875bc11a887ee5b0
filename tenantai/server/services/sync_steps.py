"""The steps of a sync, each within a transaction: an asset comes into the store, a file leaves it.

What must stay true: a step looks at the vault and the store anew, so that it does what is right by then, and nothing twice; the
version in use answers until the newer one is ready.
"""

from collections.abc import Mapping, Sequence

from tenantai.identifiers import new_id, timestamp
from tenantai.server.services.vault_comparison import Change, Kind, may_go_well_next_time
from tenantai.storage import audit, files, operations, synced
from tenantai.storage.audit import SYSTEM
from tenantai.storage.database import Transaction
from tenantai.storage.files import File
from tenantai.storage.operations import Operation
from tenantai.storage.synced import Place
from tenantai.wire.audit import EventType

NAME_CHARACTERS_MAX = 255
TAKES_OVER = frozenset(("ready", "skipped"))  # the states in which a version takes the place of an older one


async def bring_in(transaction: Transaction, operation: Operation, change: Change) -> Kind | None:
    """Let the store have an asset as the vault has it; what was to be done, None where the asset is gone by now."""
    place = await synced.place(transaction, operation.tenant_id, asset_id=change.asset_id or "")
    if place is None:
        return None
    if place.file_id is not None:
        return await _keep(transaction, operation, place)
    if change.kind == "moved" and change.file_id is not None and await _move(transaction, operation, place, change.file_id):
        return "moved"
    is_new = await _import(transaction, operation, place)
    return change.kind if change.kind in {"new", "changed"} else "new" if is_new else "changed"


async def let_go(transaction: Transaction, tenant_id: str, *, file_id: str, operation_id: str) -> File | None:
    """Let a file go that the vault no longer has so, unless it answers until a newer one is ready; the file that went."""
    standing = await synced.standing(transaction, tenant_id, file_id=file_id)
    if standing is None or standing.is_home:
        return None
    if standing.has_asset and standing.state == "ready" and standing.newer_state not in TAKES_OVER:
        return None
    return await _let_go(transaction, tenant_id, file_id, operation_id, why="replaced" if standing.has_asset else "gone")


async def let_older_go(transaction: Transaction, file: File) -> Sequence[File]:
    """Let the older versions of a file go that is ready now, or of a kind that is not indexed; those that went."""
    if file.asset_path is None:
        return []
    held = await synced.at_path(transaction, file.tenant_id, path=file.asset_path)
    older = [one.id for one in held if one.id != file.id]
    gone = [await _let_go(transaction, file.tenant_id, one, file.operation_id, why="replaced") for one in older]
    return [one for one in gone if one is not None]


async def _keep(transaction: Transaction, operation: Operation, place: Place) -> Kind:
    """Leave a file that is at home as it is, but for one that may go well next time, and for the id of its asset."""
    file = await files.get(transaction, operation.tenant_id, file_id=place.file_id or "")
    if file is None:
        return "unchanged"
    if file.asset_id != place.asset_id:
        file = await _put_at(transaction, file, place) or file
    return "retried" if await _retry(transaction, operation, file) else "unchanged"


async def _retry(transaction: Transaction, operation: Operation, file: File) -> bool:
    if not may_go_well_next_time(file.state, file.error_code):
        return False
    await operations.grow(transaction, file.tenant_id, operation_id=operation.id, files=1)
    again = await files.requeue(transaction, file.tenant_id, file_id=file.id, operation_id=operation.id, moment=timestamp())
    if again is not None:
        await _audit(transaction, "file.requeued", again, operation.id, before={"state": file.state}, after={"state": "pending"})
        await files.note_change(transaction, file.tenant_id)
    return True


async def _move(transaction: Transaction, operation: Operation, place: Place, file_id: str) -> bool:
    """Let a file stand at another path, with all that was indexed of it; False where it is not free to."""
    standing = await synced.standing(transaction, operation.tenant_id, file_id=file_id)
    file = await files.get(transaction, operation.tenant_id, file_id=file_id)
    if standing is None or file is None or standing.is_home or file.sha256 != place.sha256:
        return False
    moved = await _put_at(transaction, file, place)
    if moved is None:
        return False
    before, after = {"asset_path": file.asset_path, "name": file.name}, {"asset_path": moved.asset_path, "name": moved.name}
    await _audit(transaction, "file.moved", moved, operation.id, before=before, after=after)
    await files.note_change(transaction, operation.tenant_id)
    await _retry(transaction, operation, moved)
    return True


async def _put_at(transaction: Transaction, file: File, place: Place) -> File | None:
    return await synced.put_at(
        transaction,
        file.tenant_id,
        file_id=file.id,
        asset_id=place.asset_id,
        path=place.path,
        name=name_of(place.path),
        moment=timestamp(),
    )


async def _import(transaction: Transaction, operation: Operation, place: Place) -> bool:
    """Put an asset's bytes in the queue, beside the version in use; whether there was none."""
    held = await synced.at_path(transaction, operation.tenant_id, path=place.path)
    file = _file(operation, place, is_excluded=any(file.excluded for file in held))
    await operations.grow(transaction, operation.tenant_id, operation_id=operation.id, files=1)
    await files.create(transaction, operation.tenant_id, file=file)
    replaces = [other.id for other in held]
    after = {"asset_path": file.asset_path, "sha256": file.sha256, "bytes": file.bytes, "excluded": file.excluded}
    await _audit(transaction, "file.imported", file, operation.id, after=after, more={"replaces": replaces} if replaces else {})
    return not held


async def _let_go(transaction: Transaction, tenant_id: str, file_id: str, operation_id: str, *, why: str) -> File | None:
    file = await files.get(transaction, tenant_id, file_id=file_id)
    gone = await files.let_go(transaction, tenant_id, file_id=file_id, moment=timestamp())
    if file is None or gone is None:
        return None
    before = {"state": file.state, "asset_path": file.asset_path, "sha256": file.sha256, "excluded": file.excluded}
    await _audit(transaction, "file.deleted", file, operation_id, before=before, more={"why": why})
    await files.note_change(transaction, tenant_id)
    return file


async def _audit(
    transaction: Transaction,
    event_type: EventType,
    file: File,
    operation_id: str,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    more: Mapping[str, object] | None = None,
) -> None:
    await audit.record(
        transaction,
        file.tenant_id,
        event_type=event_type,
        actor=SYSTEM,
        subject_id=file.id,
        asset_id=file.asset_id or file.id,
        before=before,
        after=after,
        details={"name": file.name, "operation_id": operation_id, **(more or {})},
    )


def name_of(path: str) -> str:
    """Return the name that a file at a path of the vault is shown by."""
    return path.rsplit("/", 1)[-1][:NAME_CHARACTERS_MAX] or "unnamed"


def _file(operation: Operation, place: Place, *, is_excluded: bool) -> File:
    moment = timestamp()
    return File(
        id=new_id(),
        tenant_id=operation.tenant_id,
        account_id=None,
        operation_id=operation.id,
        name=name_of(place.path),
        media_type=None,
        bytes=place.bytes,
        sha256=place.sha256,
        state="pending",
        excluded=is_excluded,
        error_code=None,
        error_message=None,
        page_count=None,
        chunk_count=0,
        created_at=moment,
        updated_at=moment,
        asset_id=place.asset_id,
        asset_path=place.path,
    )
