"""Tenants: one row each, found by their own id only."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insertion
from tenantai.storage.schema import tenants as table


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation with its own accounts, keys, files and chats; `limits` are its own in place of its plan's, as JSON."""

    id: str
    name: str
    email: str
    plan: str
    created_at: str
    updated_at: str
    limits: str | None = None


COLUMNS = (table.c.id, table.c.name, table.c.email, table.c.plan, table.c.created_at, table.c.updated_at, table.c.limits)
GET = compiled(sa.select(*COLUMNS).where(table.c.id == sa.bindparam("tenant_id"), table.c.erased_at.is_(None)))
INSERT = insertion(table, Tenant.__slots__)
RENAME = compiled(
    sa.update(table)
    .where(table.c.id == sa.bindparam("tenant_id"))
    .values(
        name=sa.func.coalesce(sa.bindparam("new_name"), table.c.name),
        plan=sa.func.coalesce(sa.bindparam("new_plan"), table.c.plan),
        limits=sa.bindparam("new_limits"),
        updated_at=sa.bindparam("moment"),
    )
    .returning(*COLUMNS)
)


async def get(reading: Reading, tenant_id: str) -> Tenant | None:
    """Return the tenant, or None."""
    row = await reading.one(GET, tenant_id=tenant_id)
    return None if row is None else Tenant(*row)


async def create(transaction: Transaction, tenant_id: str, *, name: str, email: str, plan: str, moment: str) -> Tenant:
    """Create a tenant; the e-mail address must be free (sqlite3.IntegrityError)."""
    tenant = Tenant(tenant_id, name, email, plan, moment, moment)
    await transaction.run(INSERT, **asdict(tenant))
    return tenant


async def change(
    transaction: Transaction, tenant_id: str, *, name: str | None, plan: str | None, limits: str | None, moment: str
) -> Tenant | None:
    """Change name and plan where they are given, and set its own limits; None where there is no such tenant."""
    rows = await transaction.run(RENAME, tenant_id=tenant_id, new_name=name, new_plan=plan, new_limits=limits, moment=moment)
    return Tenant(*rows[0]) if rows else None
