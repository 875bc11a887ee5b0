"""What analytics reads of the logs in the database, and what the database may forget once it is archived.

What must stay true: rows are read in the order of their numbers, which is that of their writing, and no number is used twice.
Like across_tenants, this speaks of all tenants at once, and shows nobody anything.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import sqlalchemy as sa

from tenantai.storage.analytics_archives import Sums
from tenantai.storage.analytics_tables import LOGS, Log, LogName
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.storage.database import Query, Reading, Row, Transaction, compiled
from tenantai.storage.schema import audit_chains, audit_entries, tenants, usage_events

TABLES: dict[LogName, sa.Table] = {"usage": usage_events, "audit": audit_entries}

SEQUENCES = compiled("SELECT seq FROM sqlite_sequence WHERE name = :table_name")
SET_SEQUENCE = compiled("UPDATE sqlite_sequence SET seq = :number WHERE name = :table_name AND seq < :number RETURNING seq")
BEGIN_SEQUENCE = compiled(
    "INSERT INTO sqlite_sequence (name, seq) SELECT :table_name, :number"
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :table_name)"
)
_oldest = (
    sa.select(usage_events.c.number)
    .where(usage_events.c.number <= sa.bindparam("through"))
    .order_by(usage_events.c.number)
    .limit(sa.bindparam("row_count"))
)
FORGET_USAGE = compiled(sa.delete(usage_events).where(usage_events.c.number.in_(_oldest)).returning(usage_events.c.number))
_wanted = sa.func.json_each(sa.bindparam("named")).table_valued("value", name="wanted")
UNKNOWN = compiled(
    sa.select(_wanted.c.value).where(
        _wanted.c.value.not_in(sa.select(tenants.c.id)), _wanted.c.value.not_in(sa.select(audit_chains.c.tenant_id))
    )
)


async def rows_after(reading: Reading, log: Log, *, number: int, row_count: int) -> Sequence[Row]:
    """Return rows of a log behind a number, all of its columns in their order."""
    return await reading.all(rows_query(log.name), after=number, row_count=row_count)


async def ends(reading: Reading, log: Log) -> tuple[int | None, int]:
    """Return the number of the oldest row, None where there is none, and the highest number that was ever used."""
    first = await reading.one(first_query(log.name))
    last = await reading.one(SEQUENCES, table_name=log.table)
    return (first[0] if first else None), (int(last[0]) if last else 0)


async def sums(reading: Reading, log: Log, *, above: int, through: int) -> Sums:
    """Return what the database holds between two numbers, the first left out."""
    row = await reading.one(sums_query(log.name, log.summed), above=above, through=through)
    count, *rest = row or ()
    return Sums(int(count), tuple(map(int, rest)))


async def use_numbers_behind(transaction: Transaction, log: Log, *, number: int) -> None:
    """Give the next row a higher number, as after an older copy of the database was put back beside newer archives."""
    await transaction.run(BEGIN_SEQUENCE, table_name=log.table, number=number)
    await transaction.run(SET_SEQUENCE, table_name=log.table, number=number)


async def forget_usage(transaction: Transaction, *, through: int, row_count: int) -> int:
    """Drop up to so many of the oldest events, none behind a number; how many."""
    return len(await transaction.run(FORGET_USAGE, through=through, row_count=row_count))


async def unknown_tenants(reading: Reading, *, tenant_ids: Iterable[str]) -> list[str]:
    """Return those of the tenants of whom the database has neither a row nor a chain: they were deleted."""
    rows = await reading.all(UNKNOWN, named=json.dumps(sorted(tenant_ids)))
    return [str(row[0]) for row in rows if row[0] != OPERATOR_CHAIN]


@lru_cache
def rows_query(name: LogName) -> Query:
    """Compile the reading of a log."""
    table = TABLES[name]
    behind = sa.select(*(table.c[column] for column in LOGS[name].columns)).where(table.c.number > sa.bindparam("after"))
    return compiled(behind.order_by(table.c.number).limit(sa.bindparam("row_count")))


@lru_cache
def first_query(name: LogName) -> Query:
    """Compile the search for a log's oldest row."""
    table = TABLES[name]
    return compiled(sa.select(table.c.number).where(table.c.number > 0).order_by(table.c.number).limit(1))


@lru_cache
def sums_query(name: LogName, summed: tuple[str, ...]) -> Query:
    """Compile the sums of a part of a log."""
    table = TABLES[name]
    wanted = [sa.func.coalesce(sa.func.sum(table.c[column]), 0) for column in ("number", *summed)]
    between = (table.c.number > sa.bindparam("above"), table.c.number <= sa.bindparam("through"))
    return compiled(sa.select(sa.func.count(), *wanted).where(*between))
