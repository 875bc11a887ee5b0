"""Everything of a tenant goes, a few rows at a time.

What must stay true: every table that names a tenant is emptied of it, also one that is declared after this was written; what
refers to something goes before it.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Query, Transaction, compiled
from tenantai.storage.schema import api_keys, asset_sessions, files, former_secrets, metadata, operations, tenants

TABLES = [table for table in reversed(metadata.sorted_tables) if "tenant_id" in table.columns]
TENANT: sa.BindParameter[str] = sa.bindparam("of_tenant")
QUEUED = sa.or_(files.c.state == "pending", files.c.state == "indexing")
MARK = compiled(
    sa.update(tenants).where(tenants.c.id == TENANT, tenants.c.erased_at.is_(None)).values(erased_at=sa.bindparam("moment"))
    .returning(tenants.c.id)
)  # fmt: skip
SHUT_OUT = {
    table.name: compiled(sa.delete(table).where(table.c.tenant_id == TENANT).returning(sa.literal(1)))
    for table in (former_secrets, api_keys, asset_sessions)
}
STOP = compiled(
    sa.update(files).where(files.c.tenant_id == TENANT, QUEUED).values(state="cancelled")
    .returning(files.c.id)
)  # fmt: skip
CANCEL = compiled(
    sa.update(operations).where(operations.c.tenant_id == TENANT, operations.c.status == "in_progress").values(status="cancelled")
)
FORGET = compiled(sa.delete(tenants).where(tenants.c.id == TENANT, tenants.c.erased_at.is_not(None)))


@dataclass(frozen=True, slots=True)
class ShutOut:
    """The ids of the files that were in the queue, and how many rows of each table were erased to end keys and sessions."""

    stopped: list[str]
    erased: dict[str, int]


def _first_of(table: sa.Table) -> Query:
    """Delete the first rows of a tenant in a table, and return as many."""
    keys = tuple(table.primary_key.columns)
    first = sa.select(*keys).where(table.c.tenant_id == TENANT).limit(sa.bindparam("row_count"))
    return compiled(sa.delete(table).where(sa.tuple_(*keys).in_(first)).returning(sa.literal(1)))


FIRST_OF = {table.name: _first_of(table) for table in TABLES}


async def shut_out(transaction: Transaction, tenant_id: str, *, moment: str) -> ShutOut | None:
    """Mark a tenant as gone, end its keys and sessions and stop its queue; None for no tenant."""
    if not await transaction.run(MARK, of_tenant=tenant_id, moment=moment):
        return None
    erased = {name: len(await transaction.run(statement, of_tenant=tenant_id)) for name, statement in SHUT_OUT.items()}
    await transaction.run(CANCEL, of_tenant=tenant_id)
    return ShutOut([str(row[0]) for row in await transaction.run(STOP, of_tenant=tenant_id)], erased)


async def erase(transaction: Transaction, tenant_id: str, *, table: str, row_count: int) -> int:
    """Erase the first rows of a tenant in a table; how many."""
    return len(await transaction.run(FIRST_OF[table], of_tenant=tenant_id, row_count=row_count))


async def forget(transaction: Transaction, tenant_id: str) -> None:
    """Forget the tenant itself."""
    await transaction.run(FORGET, of_tenant=tenant_id)
