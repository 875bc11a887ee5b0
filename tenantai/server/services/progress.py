"""How far each tenant's newest operation is: the count from the database, the fraction of the files under way from here.

What must stay true: a percentage never goes back while an operation is in progress, whatever is added to it; and who sees one
account's files only is told of these only, as if the operation had no others.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from tenantai.errors import NotReady
from tenantai.identifiers import now
from tenantai.server.services.underway import FilesOfTenant, Underway
from tenantai.storage import operations
from tenantai.storage.database import Database, Transaction
from tenantai.storage.operations import ALL, Operation
from tenantai.wire.files import FileEnded, FileProgress, FileStage, Progress, RateUnit
from tenantai.wire.store import SyncReport

STATUSES = {"in_progress": "in_progress", "completed": "completed"}
CHANGES_EVERY_SECONDS = 0.25
SILENCE_SECONDS = 5.0
ETA_FROM_PERCENT = 2.0


@dataclass(slots=True)
class Board:
    """What is known of one tenant beyond the database."""

    percentages: dict[str | None, tuple[str, float]] = field(default_factory=dict)
    files: FilesOfTenant = field(default_factory=FilesOfTenant)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, visible_to: str | None, operation: Operation, share: float) -> float:
        """Return the percentage to tell with `share` files' worth under way, never less than was told before."""
        before_of, before = self.percentages.get(visible_to, ("", 0.0))
        exact = 100 * (operation.processed_files + share) / max(operation.total_files, 1)
        least = before if before_of == operation.id else operation.percentage_told(visible_to or ALL)
        percentage = 100.0 if operation.status == "completed" else max(least, min(round(exact, 1), 99.9))
        self.percentages[visible_to] = (operation.id, percentage if operation.status == "in_progress" else 0.0)
        return percentage


class ProgressBoard:
    """The live progress of every tenant that is indexing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._boards: dict[str, Board] = {}
        self._is_draining = False

    def note(
        self,
        tenant_id: str,
        *,
        file_id: str,
        name: str,
        account_id: str | None,
        stage: FileStage,
        done: int | None = None,
        total: int | None = None,
        unit: RateUnit | None = None,
    ) -> None:
        """Note what is done with a file, and how far that is where it is counted."""
        board = self._boards.setdefault(tenant_id, Board())
        board.files.go_on(file_id, name=name, account_id=account_id, stage=stage, done=done, total=total, unit=unit)
        self._tell(board)

    def ended(self, tenant_id: str, ended: FileEnded, *, account_id: str | None) -> None:
        """Note what became of a file, once that is in the database."""
        board = self._boards.setdefault(tenant_id, Board())
        board.files.end(ended, account_id=account_id)
        self._tell(board)

    def end(self, tenant_id: str, *, file_id: str) -> None:
        """Note that nothing is done with a file any more."""
        board = self._boards.setdefault(tenant_id, Board())
        board.files.let_go(file_id)
        self._tell(board)

    def tell(self, tenant_id: str) -> None:
        """Say that something is different now, also where no file under way says so."""
        self._tell(self._boards.setdefault(tenant_id, Board()))

    def next_change(self, tenant_id: str) -> asyncio.Event:
        """Return what is set when something is different from now."""
        return self._boards.setdefault(tenant_id, Board()).changed

    async def current(self, tenant_id: str, *, visible_to: str | None) -> Progress:
        """Return the progress of the newest operation, idle before the first, among what the account `visible_to` may see."""
        reading = self._database.reading
        if visible_to is None:
            operation = await operations.latest(reading, tenant_id)
        else:
            operation = await operations.latest_seen(reading, tenant_id, account_id=visible_to)
        if operation is None:
            return _IDLE
        return await self._told(operation, visible_to, self._boards.setdefault(tenant_id, Board()))

    async def last_sync(self, tenant_id: str, *, visible_to: str | None) -> Progress:
        """Return how far the newest sync with the vault is or came, whatever was done since; idle before the first."""
        reading = self._database.reading
        if visible_to is None:
            operation = await operations.latest_sync(reading, tenant_id)
        else:
            operation = await operations.latest_sync_seen(reading, tenant_id, account_id=visible_to)
        if operation is None:
            return _IDLE
        is_newest = operation.status == "in_progress"  # a tenant has one open operation at most
        board = self._boards.setdefault(tenant_id, Board()) if is_newest else Board()
        return await self._told(operation, visible_to, board)

    async def of(self, operation: Operation) -> Progress:
        """Return how far a tenant's newest operation is, once it was read."""
        return await self._told(operation, None, self._boards.setdefault(operation.tenant_id, Board()))

    async def changes(self, tenant_id: str, *, visible_to: str | None) -> AsyncIterator[Progress]:
        """Yield the progress as it changes, ending with one that is no longer in progress, or when the server shuts down."""
        board = self._boards.setdefault(tenant_id, Board())
        told: Progress | None = None
        while True:
            waiting = board.changed
            progress = await self.current(tenant_id, visible_to=visible_to)
            if progress != told:
                told = progress
                yield progress
            if progress.status != "in_progress" or self._is_draining:
                return
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await waiting.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(CHANGES_EVERY_SECONDS)

    def drain(self) -> None:
        """End every live stream of progress now."""
        self._is_draining = True
        for board in self._boards.values():
            self._tell(board)

    def _tell(self, board: Board) -> None:
        board.changed.set()
        board.changed = asyncio.Event()

    async def _told(self, operation: Operation, visible_to: str | None, board: Board) -> Progress:
        """Return the progress, once its percentage is in the database: after a kill none is told that is behind it."""
        progress, seen_by = self._progress(operation, visible_to, board), visible_to or ALL
        if progress.status == "in_progress" and progress.percentage > operation.percentage_told(seen_by):

            async def unit(transaction: Transaction) -> None:
                await operations.note_told(
                    transaction,
                    operation.tenant_id,
                    operation_id=operation.id,
                    seen_by=seen_by,
                    percentage=progress.percentage,
                )

            with suppress(NotReady):
                await self._database.write(unit, may_repeat=True)
        return progress

    def _progress(self, operation: Operation, visible_to: str | None, board: Board) -> Progress:
        running = operation.status == "in_progress"
        seen, moment = board.files.seen(visible_to) if running else [], time.monotonic()
        percentage = board.told(visible_to, operation, sum(file.fraction for file in seen))
        current, files = seen[0] if seen else None, tuple(file.told(moment) for file in seen)
        report = None if operation.report is None else SyncReport.model_validate_json(operation.report)
        return Progress(
            status=STATUSES.get(operation.status, "failed"),  # type: ignore[arg-type]
            percentage=percentage,
            processed_files=operation.processed_files,
            total_files=operation.total_files,
            failed_files=operation.failed_files,
            current_file=current.name if current else None,
            current_files=len(seen),
            stage=_stage(operation, current, report),
            eta_seconds=_not_before(_eta(operation.started_at, percentage), files) if running else None,
            operation_id=operation.id,
            started_at=operation.started_at,
            finished_at=operation.finished_at,
            report=report,
            files=files,
            ended=board.files.ended(visible_to),
        )


_IDLE = Progress(
    status="idle",
    percentage=0.0,
    processed_files=0,
    total_files=0,
    failed_files=0,
    current_file=None,
    stage=None,
    eta_seconds=None,
    operation_id=None,
    started_at=None,
    finished_at=None,
)


def _stage(operation: Operation, current: Underway | None, report: SyncReport | None) -> str:
    """Return what is done now: a sync that has not compared all yet goes on comparing beside what is indexed."""
    if operation.status != "in_progress" or current is not None:
        return current.stage if current else operation.status
    return "waiting" if report is None or report.is_compared else "comparing"


def _eta(started_at: str, percentage: float) -> float | None:
    """Return the seconds left at the pace so far, None while too little is done to tell, or where the clock was set back."""
    elapsed = (now() - datetime.fromisoformat(started_at)).total_seconds()
    if percentage < ETA_FROM_PERCENT or elapsed < 0:
        return None
    return round(elapsed * (100 - percentage) / percentage, 1)


def _not_before(eta_seconds: float | None, files: Sequence[FileProgress]) -> float | None:
    """Return the time left of an operation, which none of its files outlasts."""
    return None if eta_seconds is None else max(eta_seconds, *(file.eta_seconds or 0.0 for file in files), 0.0)
