"""What tenants used: an event for each kind of request within a second, and counters of days and billing months.

What must stay true: the events, the counters and how far the journal was taken change in one transaction, so that each line of
the journal is counted once and counters always equal the events they were added from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insert, insertion
from tenantai.storage.schema import usage_counters as counters
from tenantai.storage.schema import usage_events as table

DAY, MONTH = "day", "month"


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """What one second brought of one kind: `requests` were counted, `refused` were turned away by a limit."""

    tenant_id: str
    created_at: str
    endpoint: str
    key_id: str
    account_id: str | None
    model: str | None
    status: int
    requests: int
    refused: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Used:
    """Requests and tokens of a period."""

    requests: int = 0
    tokens: int = 0


INSERT = insertion(table, UsageEvent.__slots__)
_counting = insert(counters).values({column.name: sa.bindparam(column.name) for column in counters.columns})
COUNT = compiled(
    _counting.on_conflict_do_update(
        index_elements=[counters.c.tenant_id, counters.c.period, counters.c.starts_on],
        set_={
            "requests": counters.c.requests + _counting.excluded.requests,
            "tokens": counters.c.tokens + _counting.excluded.tokens,
        },
    ).returning(counters.c.requests, counters.c.tokens)
)
COUNTER = compiled(
    sa.select(counters.c.requests, counters.c.tokens).where(
        counters.c.tenant_id == sa.bindparam("of_tenant"),
        counters.c.period == sa.bindparam("of_period"),
        counters.c.starts_on == sa.bindparam("begun"),
    )
)
DAYS = compiled(
    sa.select(counters.c.starts_on, counters.c.requests, counters.c.tokens)
    .where(
        counters.c.tenant_id == sa.bindparam("of_tenant"),
        counters.c.period == DAY,
        counters.c.starts_on >= sa.bindparam("since"),
    )
    .order_by(counters.c.starts_on)
)
RECENT = compiled(
    sa.select(table.c.created_at, sa.func.sum(table.c.requests))
    .where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.created_at >= sa.bindparam("since"),
        table.c.created_at <= sa.bindparam("until"),
    )
    .group_by(table.c.created_at)
    .order_by(table.c.created_at)
)
SUM = compiled(
    sa.select(
        sa.func.coalesce(sa.func.sum(table.c.requests), 0),
        sa.func.coalesce(sa.func.sum(table.c.input_tokens + table.c.output_tokens), 0),
    ).where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.created_at >= sa.bindparam("since"),
        table.c.created_at < sa.bindparam("until"),
    )
)


async def add_events(transaction: Transaction, tenant_id: str, *, events: Iterable[UsageEvent]) -> None:
    """Keep events of this tenant."""
    rows = [{**asdict(event), "tenant_id": tenant_id} for event in events]
    await transaction.run_many(INSERT, rows)


async def count(transaction: Transaction, tenant_id: str, *, period: str, starts_on: str, more: Used) -> Used:
    """Add to the counter of a period that starts on a date; returns what it has come to."""
    rows = await transaction.run(
        COUNT, tenant_id=tenant_id, period=period, starts_on=starts_on, requests=more.requests, tokens=more.tokens
    )
    return Used(*rows[0])


async def used(reading: Reading, tenant_id: str, *, period: str, starts_on: str) -> Used:
    """Return what a period has come to."""
    row = await reading.one(COUNTER, of_tenant=tenant_id, of_period=period, begun=starts_on)
    return Used() if row is None else Used(*row)


async def days(reading: Reading, tenant_id: str, *, since: str) -> Mapping[str, Used]:
    """Return what each day from a date on has come to; days without a request are left out."""
    return {str(day): Used(*rest) for day, *rest in await reading.all(DAYS, of_tenant=tenant_id, since=since)}


async def recent(reading: Reading, tenant_id: str, *, since: str, until: str) -> Sequence[tuple[str, int]]:
    """Return the requests of each second between two times, for sliding windows."""
    rows = await reading.all(RECENT, of_tenant=tenant_id, since=since, until=until)
    return [(str(moment), int(requests)) for moment, requests in rows]


async def recorded(reading: Reading, tenant_id: str, *, since: str, until: str) -> Used:
    """Return the sum of the events of a span of time."""
    row = await reading.one(SUM, of_tenant=tenant_id, since=since, until=until)
    return Used(*row) if row is not None else Used()
