"""The chain beneath the audit log: its links for a proof, and what retention may cut off at its old end.

What must stay true: entries leave from the old end only, and the hash of the last that left stays, so that the rest is provable.
"""

import json
from collections.abc import Sequence

import sqlalchemy as sa

from tenantai.storage.audit import Entry
from tenantai.storage.audit_log import COLUMNS, OWN, chain
from tenantai.storage.database import Reading, Row, Transaction, compiled
from tenantai.storage.schema import audit_chains as chains
from tenantai.storage.schema import audit_entries as table

LINKS = compiled(
    sa.select(*COLUMNS)
    .where(OWN, table.c.sequence > sa.bindparam("after"))
    .order_by(table.c.sequence)
    .limit(sa.bindparam("row_count"))
)
NEWEST = compiled(sa.select(sa.func.max(table.c.sequence)).where(OWN))
HASH_AT = compiled(sa.select(table.c.hash).where(OWN, table.c.sequence == sa.bindparam("at")))
ARCHIVED = compiled(
    sa.select(table.c.details).where(OWN, table.c.event_type == "audit.archived").order_by(table.c.sequence.desc()).limit(1)
)
DROP = compiled(sa.delete(table).where(OWN, table.c.sequence <= sa.bindparam("through")).returning(table.c.sequence))
KEEP_AFTER = compiled(
    sa.update(chains)
    .where(chains.c.tenant_id == sa.bindparam("of_tenant"))
    .values(kept_after_sequence=sa.bindparam("through"), kept_after_hash=sa.bindparam("hash"))
)


async def links(reading: Reading, tenant_id: str, *, after: int, row_count: int) -> list[Row]:
    """Return rows of `Entry`'s fields as they are stored (`details` as its text), in the chain's order behind a sequence."""
    return await reading.all(LINKS, of_tenant=tenant_id, after=after, row_count=row_count)


async def newest(reading: Reading, tenant_id: str) -> int:
    """Return the highest sequence that is stored, 0 where there is none; the chain's own end should agree."""
    row = await reading.one(NEWEST, of_tenant=tenant_id)
    return int(row[0]) if row and row[0] is not None else 0


async def hash_at(reading: Reading, tenant_id: str, *, sequence: int) -> str | None:
    """Return the stored hash of an entry, None where it is not there."""
    row = await reading.one(HASH_AT, of_tenant=tenant_id, at=sequence)
    return None if row is None else str(row[0])


async def archived_through(reading: Reading, tenant_id: str) -> int:
    """Return the last sequence that the chain itself says retention may have removed, 0 where it says nothing."""
    row = await reading.one(ARCHIVED, of_tenant=tenant_id)
    try:
        return int(json.loads(row[0])["through_sequence"]) if row else 0
    except (ValueError, TypeError, KeyError):
        return 0


async def forget_through(transaction: Transaction, tenant_id: str, *, sequence: int, row_count: int = 1000) -> tuple[int, int]:
    """Drop up to `row_count` of the oldest entries, none behind a sequence; how many, and how many are left up to it.

    What stays can be proved as before, where an entry `audit.archived` says that these may go.
    Where an entry is missing that the rest would hang on, nothing is dropped.
    """
    held = await chain(transaction, tenant_id)
    if held is None or held.kept_after_sequence >= sequence:
        return 0, 0
    last = min(sequence, held.last_sequence)
    through = min(last, held.kept_after_sequence + row_count)
    final_hash = await hash_at(transaction, tenant_id, sequence=through)
    if final_hash is None:
        return 0, 0
    dropped = await transaction.run(DROP, of_tenant=tenant_id, through=through)
    await transaction.run(KEEP_AFTER, of_tenant=tenant_id, through=through, hash=final_hash)
    return len(dropped), last - through


def stored(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return rows of links by their columns' names."""
    return [dict(zip(Entry.__slots__, row, strict=True)) for row in rows]
