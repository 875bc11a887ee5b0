"""Syncing a tenant's store with its vault: what the vault has comes in, what it no longer has goes.

What must stay true: one sync a tenant at a time; how far it is stands in the database, so that one that was killed goes on after
a restart, and none is in progress for ever; syncing twice changes nothing the second time.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TypedDict

import structlog

from tenantai.errors import NotFound, NotReady, first_of
from tenantai.identifiers import new_id, timestamp
from tenantai.server.services import sync_steps, vault_comparison
from tenantai.server.services.finishing import finish
from tenantai.server.services.indexing import Indexing
from tenantai.server.services.progress import ProgressBoard
from tenantai.server.services.vault_comparison import PAGE_ROWS, Change, compare
from tenantai.storage import across_tenants, audit, files, operations, synced, tenants
from tenantai.storage.audit import SYSTEM, Actor
from tenantai.storage.database import Database, Transaction
from tenantai.storage.operations import Operation
from tenantai.storage.synced import Tally
from tenantai.wire.audit import EventType
from tenantai.wire.store import Refreshed, SyncProblem, SyncReport, VaultChange

CHANGES_A_STEP = 25
CHANGES_TOLD = 200
PROBLEMS_TOLD = 50
RETRY_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 5.0
OUR_FAULT = "The sync was stopped by a fault on our side. Start it again; what it had done stays."

logger = structlog.get_logger("tenantai.sync")


class Counted(TypedDict):
    """How store and vault compare in numbers, as reports have it."""

    in_vault: int
    in_store: int
    skipped: int
    failed: int
    matches: bool


class Ended(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """The operation is no longer in progress: it was cancelled."""


class StoreSync:
    """The syncs of all tenants, each a task of its own."""

    def __init__(self, database: Database, indexing: Indexing, board: ProgressBoard) -> None:
        self._database = database
        self._indexing = indexing
        self._board = board
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Go on with what a crash or a shutdown cut off."""
        after = ""
        while page := await across_tenants.open_operations(self._database.reading, after=after, row_count=PAGE_ROWS):
            for operation in (operation for operation in page if operation.kind == "sync"):
                logger.info("sync goes on", tenant_id=operation.tenant_id, operation_id=operation.id)
                self._start(operation)
            after = page[-1].id

    async def close(self) -> None:
        """Stop; what is half done is taken up at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def begin(self, tenant_id: str, *, asset_ids: Sequence[str] | None, actor: Actor) -> tuple[Operation, bool]:
        """Begin a sync of all that differs, or of some assets; returns the one that runs, and whether it is new.

        Raises NotFound where there is no such tenant, or an asset is neither in its vault nor in its store.
        """
        wanted = None if asset_ids is None else list(dict.fromkeys(asset_ids))
        return await finish(self._begin(tenant_id, wanted, actor))

    async def refresh(self, tenant_id: str) -> Refreshed:
        """Return what a sync would do, without doing it."""
        counts = dict.fromkeys(("new", "changed", "moved", "retried", "deleted", "unchanged"), 0)
        told: list[VaultChange] = []
        async for changes in compare(self._database, tenant_id, asset_ids=None):
            for change in changes:
                counts[change.kind] += not change.is_older
                if change.kind != "unchanged" and not change.is_older and len(told) < CHANGES_TOLD:
                    told.append(_told(change))
        tally = await synced.tally(self._database.reading, tenant_id)
        return Refreshed.model_validate({**_numbers(tally), **counts, "changes": told})

    async def _begin(self, tenant_id: str, wanted: Sequence[str] | None, actor: Actor) -> tuple[Operation, bool]:
        async def unit(transaction: Transaction) -> tuple[Operation, bool]:
            if await tenants.get(transaction, tenant_id) is None:
                raise NotFound("There is no such tenant. Check the id.")
            running = await operations.latest(transaction, tenant_id)
            if running is not None and running.status == "in_progress" and running.kind == "sync":
                return running, False
            await _require_known(transaction, tenant_id, wanted or [])
            return await _begin(transaction, tenant_id, wanted, actor), True

        operation, is_new = await self._database.write(unit)
        if is_new:
            self._start(operation)
        return operation, is_new

    def _start(self, operation: Operation) -> None:
        task = asyncio.create_task(self._run(operation), name=f"sync {operation.id}")
        self._tasks[operation.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation.id, None))

    async def _run(self, operation: Operation) -> None:
        """Sync to the end, however often the database is out of reach meanwhile; a fault of ours ends it as failed."""
        while True:
            try:
                await self._sync(operation)
            except NotReady:
                logger.warning("sync waits for the database", operation_id=operation.id, exc_info=True)
            except Ended:
                return
            except Exception:
                logger.exception("sync fault", tenant_id=operation.tenant_id, operation_id=operation.id)
                if await self._give_up(operation):
                    return
            else:
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _sync(self, operation: Operation) -> None:
        report = await self._report(operation)
        if not report.is_compared:
            await self._compare(operation, report)
        self._indexing.wake()
        await self._files_ended(operation)
        await self._end(operation)

    async def _report(self, operation: Operation) -> SyncReport:
        held = await operations.get(self._database.reading, operation.tenant_id, operation_id=operation.id)
        if held is None or held.status != "in_progress":
            raise Ended
        return report_of(held) or SyncReport()

    async def _compare(self, operation: Operation, before: SyncReport) -> None:
        """Bring in and let go, a few at a time; what an earlier start had done is not counted as unchanged."""
        chosen = None if operation.asset_ids is None else json.loads(operation.asset_ids)
        unchanged = -(before.new + before.changed + before.moved + before.retried)
        async for changes in compare(self._database, operation.tenant_id, asset_ids=chosen):
            different = [change for change in changes if change.kind != "unchanged" or change.is_anew]
            unchanged += len(changes) - len(different)
            for first in range(0, len(different), CHANGES_A_STEP):
                unchanged += await self._step(operation, different[first : first + CHANGES_A_STEP])

        async def unit(transaction: Transaction) -> None:
            report = await _current(transaction, operation)
            done = report.model_copy(update={"unchanged": max(0, unchanged), "is_compared": True})
            await _note(transaction, operation, done)

        await self._database.write(unit)

    async def _step(self, operation: Operation, changes: Sequence[Change]) -> int:
        """Do some changes and note them, in one transaction; how many there was nothing to do for by then."""

        async def unit(transaction: Transaction) -> tuple[dict[str, int], list[str]]:
            report = await _current(transaction, operation)
            done = dict.fromkeys(("new", "changed", "moved", "retried", "deleted", "unchanged"), 0)
            gone: list[str] = []
            for change in changes:
                if change.kind == "deleted":
                    file = await sync_steps.let_go(
                        transaction, operation.tenant_id, file_id=change.file_id or "", operation_id=operation.id
                    )
                    gone += [file.id] if file else []
                    done["deleted"] += file is not None and not change.is_older
                elif (kind := await sync_steps.bring_in(transaction, operation, change)) is not None:
                    done[kind] += 1
            unchanged = done.pop("unchanged")
            counted = {name: getattr(report, name) + number for name, number in done.items()}
            await _note(transaction, operation, report.model_copy(update=counted))
            return {"unchanged": unchanged}, gone

        told, gone = await self._database.write(unit)
        await self._indexing.stop(gone)
        self._indexing.wake()
        self._board.tell(operation.tenant_id)
        return told["unchanged"]

    async def _files_ended(self, operation: Operation) -> None:
        """Wait until no file of the operation is in the queue."""
        while True:
            changed = self._board.next_change(operation.tenant_id)
            await self._report(operation)
            if not await files.count_open(self._database.reading, operation.tenant_id, operation_id=operation.id):
                return
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await changed.wait()
            except TimeoutError:
                continue

    async def _end(self, operation: Operation) -> None:
        """Let older versions go whose newer one became ready while all was compared, count, and close."""
        left = await vault_comparison.homeless_files(self._database, operation.tenant_id)
        older = [file.file_id for file in left if file.has_asset and file.newer_state in sync_steps.TAKES_OVER]
        for first in range(0, len(older), CHANGES_A_STEP):
            await self._let_go(operation, older[first : first + CHANGES_A_STEP])
        tally = await synced.tally(self._database.reading, operation.tenant_id)
        found = await synced.problems(self._database.reading, operation.tenant_id, row_count=PROBLEMS_TOLD)
        problems = [SyncProblem(asset_id=p.asset_id, path=p.path, state=p.state, reason=p.code, message=p.message) for p in found]

        async def unit(transaction: Transaction) -> bool:
            report = (await _current(transaction, operation)).model_copy(update={**_numbers(tally), "problems": problems})
            if await files.count_open(transaction, operation.tenant_id, operation_id=operation.id):
                return False
            held = await operations.get(transaction, operation.tenant_id, operation_id=operation.id)
            await _close(transaction, operation, report, has_failed=held is not None and held.failed_files > 0)
            return True

        while not await self._database.write(unit):
            await self._files_ended(operation)
        self._board.tell(operation.tenant_id)

    async def _let_go(self, operation: Operation, file_ids: Sequence[str]) -> None:
        async def unit(transaction: Transaction) -> None:
            await _current(transaction, operation)
            for file_id in file_ids:
                await sync_steps.let_go(transaction, operation.tenant_id, file_id=file_id, operation_id=operation.id)

        await self._database.write(unit)
        await self._indexing.stop(file_ids)
        self._indexing.wake()

    async def _give_up(self, operation: Operation) -> bool:
        """Close a sync that met a fault of ours; False where even that can't be written now."""

        async def unit(transaction: Transaction) -> None:
            report = (await _current(transaction, operation)).model_copy(update={"error": OUR_FAULT})
            await _close(transaction, operation, report, has_failed=True)

        try:
            await self._database.write(unit)
        except NotReady:
            return False
        except Ended:
            return True
        self._board.tell(operation.tenant_id)
        return True


def report_of(operation: Operation) -> SyncReport | None:
    """Return what a sync came to so far, None for another operation."""
    return None if operation.report is None else SyncReport.model_validate_json(operation.report)


async def _require_known(transaction: Transaction, tenant_id: str, asset_ids: Sequence[str]) -> None:
    unknown = set(asset_ids) - await synced.known(transaction, tenant_id, asset_ids=asset_ids) if asset_ids else set()
    if unknown:
        named = first_of(sorted(unknown), between=", ")
        raise NotFound(f"There is no such asset in this tenant's vault or store: {named}. Check assetIds.")


async def _begin(transaction: Transaction, tenant_id: str, asset_ids: Sequence[str] | None, actor: Actor) -> Operation:
    operation = await operations.begin_sync(
        transaction,
        tenant_id,
        new_id=new_id(),
        asset_ids=None if asset_ids is None else json.dumps(asset_ids),
        report=SyncReport().model_dump_json(by_alias=True),
        moment=timestamp(),
    )
    await audit.record(
        transaction,
        tenant_id,
        event_type="sync.started",
        actor=actor,
        subject_id=operation.id,
        after={"status": "in_progress"},
        details={"assets": "all that changed" if asset_ids is None else len(asset_ids)},
    )
    return operation


async def _current(transaction: Transaction, operation: Operation) -> SyncReport:
    """Return what the sync came to so far; raises Ended where it is no longer in progress."""
    held = await operations.get(transaction, operation.tenant_id, operation_id=operation.id)
    if held is None or held.status != "in_progress":
        raise Ended
    return report_of(held) or SyncReport()


async def _note(transaction: Transaction, operation: Operation, report: SyncReport) -> None:
    text = report.model_dump_json(by_alias=True)
    await operations.note_report(transaction, operation.tenant_id, operation_id=operation.id, report=text)


async def _close(transaction: Transaction, operation: Operation, report: SyncReport, *, has_failed: bool) -> None:
    status = "failed" if has_failed else "completed"
    event_type: EventType = "sync.failed" if has_failed else "sync.completed"
    await _note(transaction, operation, report)
    await operations.close(transaction, operation.tenant_id, operation_id=operation.id, status=status, moment=timestamp())
    told: Mapping[str, object] = {name: value for name, value in report.model_dump().items() if name != "problems"}
    await audit.record(
        transaction,
        operation.tenant_id,
        event_type=event_type,
        actor=SYSTEM,
        subject_id=operation.id,
        before={"status": "in_progress"},
        after={"status": status},
        details={"report": told},
    )


def _numbers(tally: Tally) -> Counted:
    """Return how store and vault compare: they match where each asset is searched, or of no kind that is, and no file is left."""
    in_store, skipped = tally.by_state.get("ready", 0), tally.by_state.get("skipped", 0)
    return {
        "in_vault": tally.in_vault,
        "in_store": in_store,
        "skipped": skipped,
        "failed": tally.by_state.get("failed", 0),
        "matches": in_store + skipped == tally.in_vault and not tally.homeless,
    }


def _told(change: Change) -> VaultChange:
    return VaultChange(
        change=change.kind, path=change.path, asset_id=change.asset_id, file_id=change.file_id, from_path=change.from_path
    )
