"""Answers that are given again to whoever repeats a request with its `Idempotency-Key`.

What must stay true: of two requests with one key, one gets the claim; an answer is here sealed only, and its key as a SHA-256.
"""

import sqlalchemy as sa

from tenantai.storage.database import Transaction, compiled, insert
from tenantai.storage.schema import idempotent_answers as table

Held = tuple[str, int | None, bytes | None]
"""What the request was that has a key, and the status and the sealed answer that it came to."""

FORGOTTEN_AT_ONCE = 20  # they may be large, and whoever writes waits for them; each claim adds one

OWN = (
    table.c.tenant_id == sa.bindparam("of_tenant"),
    table.c.caller == sa.bindparam("of_caller"),
    table.c.key_sha256 == sa.bindparam("of_key"),
)
CLAIM = compiled(
    insert(table)
    .values({column.name: sa.bindparam(column.name) for column in table.columns})
    .on_conflict_do_nothing()
    .returning(table.c.created_at)
)
HELD = compiled(sa.select(table.c.request_sha256, table.c.status, table.c.sealed).where(*OWN))
KEEP = compiled(sa.update(table).where(*OWN).values(status=sa.bindparam("new_status"), sealed=sa.bindparam("new_sealed")))
RELEASE = compiled(sa.delete(table).where(*OWN, table.c.status.is_(None)))
FORGET_OWN = compiled(sa.delete(table).where(*OWN, table.c.created_at < sa.bindparam("moment")))
OLD = sa.select(table.c.created_at).where(table.c.created_at < sa.bindparam("moment")).order_by(table.c.created_at)
FORGET_SOME = compiled(
    sa.delete(table).where(
        table.c.created_at
        < sa.func.coalesce(OLD.limit(1).offset(FORGOTTEN_AT_ONCE).scalar_subquery(), sa.bindparam("moment", type_=sa.Text))
    )
)


async def claim(
    transaction: Transaction,
    tenant_id: str,
    *,
    caller: str,
    key_sha256: str,
    request_sha256: str,
    moment: str,
    forget_before: str,
) -> tuple[str, int | None, bytes | None] | None:
    """Claim a key, None where it is claimed now; else what holds it. Some of what is too old is forgotten."""
    await transaction.run(FORGET_OWN, of_tenant=tenant_id, of_caller=caller, of_key=key_sha256, moment=forget_before)
    await transaction.run(FORGET_SOME, moment=forget_before)
    claimed = await transaction.run(
        CLAIM,
        tenant_id=tenant_id,
        caller=caller,
        key_sha256=key_sha256,
        request_sha256=request_sha256,
        status=None,
        sealed=None,
        created_at=moment,
    )
    if claimed:
        return None
    row = await transaction.one(HELD, of_tenant=tenant_id, of_caller=caller, of_key=key_sha256)
    return None if row is None else (str(row[0]), row[1], row[2])


async def keep(transaction: Transaction, tenant_id: str, *, caller: str, key_sha256: str, status: int, sealed: bytes) -> None:
    """Keep the answer of a request that has the claim."""
    await transaction.run(KEEP, of_tenant=tenant_id, of_caller=caller, of_key=key_sha256, new_status=status, new_sealed=sealed)


async def release(transaction: Transaction, tenant_id: str, *, caller: str, key_sha256: str) -> None:
    """Give up a claim that came to no answer."""
    await transaction.run(RELEASE, of_tenant=tenant_id, of_caller=caller, of_key=key_sha256)
