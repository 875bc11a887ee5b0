"""Operations: a run of the index over some files, and how far it is."""

import json
from dataclasses import dataclass, replace

import sqlalchemy as sa

from tenantai.storage.database import Reading, Row, Transaction, compiled, insertion
from tenantai.storage.schema import files
from tenantai.storage.schema import operations as table


@dataclass(frozen=True, slots=True)
class Operation:
    """A run; `status` is in_progress, completed, failed or cancelled, `kind` index or sync.

    A sync has the ids of its assets (JSON; None for all that changed) and a report (JSON). `percentages` is JSON too: how far it
    was last told to be, by the account that asked (`ALL` for the whole tenant).
    """

    id: str
    tenant_id: str
    status: str
    total_files: int
    processed_files: int
    failed_files: int
    started_at: str
    finished_at: str | None
    kind: str = "index"
    asset_ids: str | None = None
    report: str | None = None
    percentages: str | None = None

    def percentage_told(self, seen_by: str) -> float:
        """Return how far it was last told to be."""
        return float(json.loads(self.percentages).get(seen_by, 0.0)) if self.percentages else 0.0


ALL = "all"
ACCOUNTS_TOLD_MAX = 200
COLUMNS = tuple(table.c[name] for name in Operation.__slots__)
LATEST = compiled(sa.select(*COLUMNS).where(table.c.tenant_id == sa.bindparam("of_tenant")).order_by(table.c.id.desc()).limit(1))
OF_SYNCS = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.kind == sa.literal_column("'sync'"))
LATEST_SYNC = compiled(sa.select(*COLUMNS).where(OF_SYNCS).order_by(table.c.id.desc()).limit(1))
LIVE_FILE = sa.and_(files.c.tenant_id == sa.bindparam("of_tenant"), files.c.state != sa.literal_column("'deleting'"))
LIVE_FILE_OF_OPERATION = sa.and_(  # the plus keeps the planner from walking all of the tenant's files
    sa.text("+files.tenant_id = :of_tenant"), files.c.state != sa.literal_column("'deleting'"), files.c.operation_id == table.c.id
)
OWN_FILE, SHARED_FILE = files.c.account_id == sa.bindparam("account"), files.c.account_id.is_(None)

NEWEST = sa.select(sa.func.max(files.c.operation_id)).where(LIVE_FILE).correlate(None)
SEEN = (
    sa.select(
        table.c.id,
        table.c.started_at,
        sa.func.count(),
        sa.func.count().filter(files.c.state == "ready"),
        sa.func.count().filter(files.c.state == "failed"),
        sa.func.count().filter(files.c.state == "cancelled"),
        sa.func.coalesce(table.c.finished_at, sa.func.max(files.c.updated_at)),
        table.c.percentages,
    )
    .select_from(table.join(files, sa.and_(LIVE_FILE_OF_OPERATION, sa.or_(OWN_FILE, SHARED_FILE))))
    .group_by(table.c.id)
    .order_by(table.c.id.desc())
    .limit(1)
)
LATEST_SEEN = compiled(
    SEEN.where(sa.or_(*(table.c.id == NEWEST.where(seen).scalar_subquery() for seen in (OWN_FILE, SHARED_FILE))))
)
NEWEST_SYNC = sa.select(table.c.id).where(OF_SYNCS).order_by(table.c.id.desc()).limit(1).correlate(None)
LATEST_SYNC_SEEN = compiled(SEEN.where(table.c.id == NEWEST_SYNC.scalar_subquery()))
INSERT = insertion(table, Operation.__slots__)
OWN = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id == sa.bindparam("operation"))
GROW = compiled(sa.update(table).where(OWN).values(total_files=table.c.total_files + sa.bindparam("more")).returning(*COLUMNS))
GET = compiled(sa.select(*COLUMNS).where(OWN))
TURN_INTO_SYNC = compiled(
    sa.update(table)
    .where(OWN)
    .values(kind="sync", asset_ids=sa.bindparam("new_asset_ids"), report=sa.bindparam("new_report"))
    .returning(*COLUMNS)
)
NOTE_REPORT = compiled(sa.update(table).where(OWN).values(report=sa.bindparam("new_report")))
COUNT = compiled(
    sa.update(table)
    .where(OWN)
    .values(
        processed_files=table.c.processed_files + sa.bindparam("processed"),
        failed_files=table.c.failed_files + sa.bindparam("failed"),
    )
)
PERCENTAGES = compiled(sa.select(table.c.percentages).where(OWN))
TELL = compiled(sa.update(table).where(OWN).values(percentages=sa.bindparam("new_percentages")))
CLOSE = compiled(
    sa.update(table)
    .where(OWN, table.c.status == "in_progress")
    .values(status=sa.bindparam("new_status"), finished_at=sa.bindparam("moment"))
)


async def latest(reading: Reading, tenant_id: str) -> Operation | None:
    """Return the tenant's newest operation, None before the first."""
    row = await reading.one(LATEST, of_tenant=tenant_id)
    return None if row is None else Operation(*row)


async def latest_sync(reading: Reading, tenant_id: str) -> Operation | None:
    """Return the tenant's newest sync with the vault, None before the first."""
    row = await reading.one(LATEST_SYNC, of_tenant=tenant_id)
    return None if row is None else Operation(*row)


async def get(reading: Reading, tenant_id: str, *, operation_id: str) -> Operation | None:
    """Return the operation, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, operation=operation_id)
    return None if row is None else Operation(*row)


async def latest_seen(reading: Reading, tenant_id: str, *, account_id: str) -> Operation | None:
    """Return the newest operation with a file that the account may see, as if it had no others; None where there is none."""
    row = await reading.one(LATEST_SEEN, of_tenant=tenant_id, account=account_id)
    return None if row is None else _as_seen(tenant_id, row)


async def latest_sync_seen(reading: Reading, tenant_id: str, *, account_id: str) -> Operation | None:
    """Return the newest sync as if it had no files but those that the account may see; None where it has none of them."""
    row = await reading.one(LATEST_SYNC_SEEN, of_tenant=tenant_id, account=account_id)
    return None if row is None else _as_seen(tenant_id, row)


def _as_seen(tenant_id: str, row: Row) -> Operation:
    operation_id, started_at, total, ready, failed, cancelled, ended_at, percentages = row
    ended = ready + failed + cancelled == total
    status = "in_progress" if not ended else "cancelled" if cancelled else "failed" if failed else "completed"
    counted = Operation(operation_id, tenant_id, status, total, ready + failed, failed, started_at, ended_at if ended else None)
    return replace(counted, percentages=percentages)


async def join_or_begin(transaction: Transaction, tenant_id: str, *, new_id: str, files: int, moment: str) -> Operation:
    """Add files to the tenant's open operation, or begin one with them."""
    current = await latest(transaction, tenant_id)
    if current is not None and current.status == "in_progress":
        rows = await transaction.run(GROW, of_tenant=tenant_id, operation=current.id, more=files)
        return Operation(*rows[0])
    begun = Operation(new_id, tenant_id, "in_progress", files, 0, 0, moment, None)
    await transaction.run(INSERT, **{name: getattr(begun, name) for name in Operation.__slots__})
    return begun


async def begin_sync(
    transaction: Transaction, tenant_id: str, *, new_id: str, asset_ids: str | None, report: str, moment: str
) -> Operation:
    """Begin a sync, or make one of the tenant's open operation: a tenant has one open operation at most."""
    operation = await join_or_begin(transaction, tenant_id, new_id=new_id, files=0, moment=moment)
    given = {"new_asset_ids": asset_ids, "new_report": report}
    rows = await transaction.run(TURN_INTO_SYNC, of_tenant=tenant_id, operation=operation.id, **given)
    return Operation(*rows[0])


async def grow(transaction: Transaction, tenant_id: str, *, operation_id: str, files: int) -> None:
    """Note that an operation has more files."""
    await transaction.run(GROW, of_tenant=tenant_id, operation=operation_id, more=files)


async def note_report(transaction: Transaction, tenant_id: str, *, operation_id: str, report: str) -> None:
    """Keep what a sync came to so far."""
    await transaction.run(NOTE_REPORT, of_tenant=tenant_id, operation=operation_id, new_report=report)


async def count(transaction: Transaction, tenant_id: str, *, operation_id: str, processed: int, failed: int) -> None:
    """Note files that ended."""
    await transaction.run(COUNT, of_tenant=tenant_id, operation=operation_id, processed=processed, failed=failed)


async def note_told(transaction: Transaction, tenant_id: str, *, operation_id: str, seen_by: str, percentage: float) -> None:
    """Keep how far an operation is told to be, unless that is further already."""
    row = await transaction.one(PERCENTAGES, of_tenant=tenant_id, operation=operation_id)
    told: dict[str, float] = json.loads(row[0]) if row and row[0] else {}
    if row is None or told.get(seen_by, 0.0) >= percentage or (seen_by not in told and len(told) >= ACCOUNTS_TOLD_MAX):
        return
    new = json.dumps({**told, seen_by: percentage})
    await transaction.run(TELL, of_tenant=tenant_id, operation=operation_id, new_percentages=new)


async def close(transaction: Transaction, tenant_id: str, *, operation_id: str, status: str, moment: str) -> None:
    """End an operation that is in progress."""
    await transaction.run(CLOSE, of_tenant=tenant_id, operation=operation_id, new_status=status, moment=moment)
