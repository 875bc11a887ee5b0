"""Accounts: the people or customers within a tenant."""

from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled
from tenantai.storage.schema import accounts as table


@dataclass(frozen=True, slots=True)
class Account:
    """A boundary for files and chats within a tenant, with a role."""

    id: str
    tenant_id: str
    name: str
    email: str | None
    role: str
    external_id: str | None
    created_at: str
    updated_at: str


COLUMNS = tuple(table.c[name] for name in Account.__slots__)
OWN = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id == sa.bindparam("account_id"))
GET = compiled(sa.select(*COLUMNS).where(OWN))
PAGE = compiled(
    sa.select(*COLUMNS)
    .where(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id > sa.bindparam("after"))
    .order_by(table.c.id)
    .limit(sa.bindparam("row_count"))
)
INSERT = compiled(sa.insert(table).returning(*COLUMNS))
UPDATE = compiled(
    sa.update(table)
    .where(OWN)
    .values(
        name=sa.bindparam("new_name"),
        email=sa.bindparam("new_email"),
        role=sa.bindparam("new_role"),
        external_id=sa.bindparam("new_external_id"),
        updated_at=sa.bindparam("moment"),
    )
    .returning(*COLUMNS)
)
DELETE = compiled(sa.delete(table).where(OWN).returning(table.c.id))


async def get(reading: Reading, tenant_id: str, *, account_id: str) -> Account | None:
    """Return the account, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, account_id=account_id)
    return None if row is None else Account(*row)


async def page(reading: Reading, tenant_id: str, *, after: str, row_count: int) -> list[Account]:
    """Return accounts in the order of their creation, behind the id `after` (empty for the first page)."""
    return [Account(*row) for row in await reading.all(PAGE, of_tenant=tenant_id, after=after, row_count=row_count)]


async def create(transaction: Transaction, tenant_id: str, *, account: Account) -> Account:
    """Create an account; its external id must be free within the tenant (sqlite3.IntegrityError)."""
    values = {name: getattr(account, name) for name in Account.__slots__} | {"tenant_id": tenant_id}
    rows = await transaction.run(INSERT, **values)
    return Account(*rows[0])


async def save(transaction: Transaction, tenant_id: str, *, account: Account) -> Account | None:
    """Write an account's name, e-mail, role and external id; None where it is gone."""
    rows = await transaction.run(
        UPDATE,
        of_tenant=tenant_id,
        account_id=account.id,
        new_name=account.name,
        new_email=account.email,
        new_role=account.role,
        new_external_id=account.external_id,
        moment=account.updated_at,
    )
    return Account(*rows[0]) if rows else None


async def delete(transaction: Transaction, tenant_id: str, *, account_id: str) -> bool:
    """Delete an account with its chats and keys; whether there was one. Its files must be let go first."""
    return bool(await transaction.run(DELETE, of_tenant=tenant_id, account_id=account_id))
