"""API keys: hashes only, with what a person needs to tell them apart."""

from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Transaction, compiled, insertion
from tenantai.storage.schema import accounts
from tenantai.storage.schema import api_keys as table


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key; `account_role` is the role of the account it is bound to, None where it is bound to none."""

    id: str
    tenant_id: str
    account_id: str | None
    account_role: str | None
    name: str
    first_characters: str
    last_characters: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked_at: str | None


JOINED = table.outerjoin(accounts, accounts.c.id == table.c.account_id)
COLUMNS = (
    table.c.id,
    table.c.tenant_id,
    table.c.account_id,
    accounts.c.role,
    table.c.name,
    table.c.first_characters,
    table.c.last_characters,
    table.c.scopes,
    table.c.created_at,
    table.c.expires_at,
    table.c.revoked_at,
)
INSERT = insertion(table, ("secret_sha256", *(name for name in ApiKey.__slots__ if name != "account_role")))
REVOKE = compiled(
    sa.update(table)
    .where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.id == sa.bindparam("key_id"),
        table.c.revoked_at.is_(None),
    )
    .values(revoked_at=sa.bindparam("moment"))
    .returning(table.c.id)
)


def from_row(row: tuple[object, ...]) -> ApiKey:
    """Make a key of a row of COLUMNS."""
    values = list(row)
    values[7] = tuple(str(row[7]).split())
    return ApiKey(*values)  # type: ignore[arg-type]


async def create(transaction: Transaction, tenant_id: str, *, key: ApiKey, secret_sha256: str) -> None:
    """Store a key by the hash of its secret."""
    await transaction.run(
        INSERT,
        id=key.id,
        tenant_id=tenant_id,
        account_id=key.account_id,
        name=key.name,
        secret_sha256=secret_sha256,
        first_characters=key.first_characters,
        last_characters=key.last_characters,
        scopes=" ".join(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=None,
    )


async def revoke(transaction: Transaction, tenant_id: str, *, key_id: str, moment: str) -> bool:
    """Revoke a key; whether it was live."""
    return bool(await transaction.run(REVOKE, of_tenant=tenant_id, key_id=key_id, moment=moment))
