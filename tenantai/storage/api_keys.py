"""API keys: hashes only, with what a person needs to tell them apart."""

from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insertion
from tenantai.storage.schema import accounts
from tenantai.storage.schema import api_keys as table
from tenantai.storage.schema import former_secrets as former


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
    last_used_at: str | None = None


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
    table.c.last_used_at,
)
OWN = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id == sa.bindparam("key_id"))
SEEN_BY = sa.or_(sa.bindparam("account", type_=sa.Text).is_(None), table.c.account_id == sa.bindparam("account", type_=sa.Text))
GET = compiled(sa.select(*COLUMNS).select_from(JOINED).where(OWN, SEEN_BY))
PAGE = compiled(
    sa.select(*COLUMNS)
    .select_from(JOINED)
    .where(table.c.tenant_id == sa.bindparam("of_tenant"), SEEN_BY, table.c.id > sa.bindparam("after"))
    .order_by(table.c.id)
    .limit(sa.bindparam("row_count"))
)
OTHER_ADMINISTERING = compiled(
    sa.select(sa.literal(1))
    .select_from(JOINED)
    .where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.id != sa.bindparam("key_id"),
        table.c.revoked_at.is_(None),
        sa.or_(table.c.expires_at.is_(None), table.c.expires_at > sa.bindparam("moment")),
        (sa.literal(" ") + table.c.scopes + sa.literal(" ")).like("% key:write %"),
        sa.or_(table.c.account_id.is_(None), accounts.c.role == "admin"),
    )
    .limit(1)
)
ADMINISTERING_WITHOUT = compiled(
    sa.select(sa.literal(1))
    .select_from(JOINED)
    .where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.account_id.is_distinct_from(sa.bindparam("without")),
        table.c.revoked_at.is_(None),
        sa.or_(table.c.expires_at.is_(None), table.c.expires_at > sa.bindparam("moment")),
        (sa.literal(" ") + table.c.scopes + sa.literal(" ")).like("% key:write %"),
        sa.or_(table.c.account_id.is_(None), accounts.c.role == "admin"),
    )
    .limit(1)
)
OF_ACCOUNT = compiled(
    sa.select(*COLUMNS)
    .select_from(JOINED)
    .where(
        table.c.tenant_id == sa.bindparam("of_tenant"),
        table.c.account_id == sa.bindparam("account"),
        table.c.revoked_at.is_(None),
    )
)
ROTATE = compiled(
    sa.update(table)
    .where(OWN)
    .values(
        secret_sha256=sa.bindparam("new_sha256"), first_characters=sa.bindparam("first"), last_characters=sa.bindparam("last")
    )
)
SHORTEN = compiled(
    sa.update(former)
    .where(
        former.c.tenant_id == sa.bindparam("of_tenant"),
        former.c.key_id == sa.bindparam("key_id"),
        former.c.works_until > sa.bindparam("until"),
    )
    .values(works_until=sa.bindparam("until"))
)
SECRET = compiled(sa.select(table.c.secret_sha256).where(OWN))
RETIRE = insertion(former, ("secret_sha256", "tenant_id", "key_id", "works_until"))
FORGET_RETIRED = compiled(
    sa.delete(former).where(former.c.tenant_id == sa.bindparam("of_tenant"), former.c.works_until <= sa.bindparam("moment"))
)
INSERT = insertion(table, ("secret_sha256", *(n for n in ApiKey.__slots__ if n not in {"account_role", "last_used_at"})))
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


async def get(reading: Reading, tenant_id: str, *, key_id: str, visible_to: str | None) -> ApiKey | None:
    """Return a key, where `visible_to` is an account one that is bound to it; or None."""
    row = await reading.one(GET, of_tenant=tenant_id, key_id=key_id, account=visible_to)
    return None if row is None else from_row(tuple(row))


async def page(reading: Reading, tenant_id: str, *, visible_to: str | None, after: str, row_count: int) -> list[ApiKey]:
    """Return keys by creation, behind the id `after`."""
    rows = await reading.all(PAGE, of_tenant=tenant_id, account=visible_to, after=after, row_count=row_count)
    return [from_row(tuple(row)) for row in rows]


async def of_account(reading: Reading, tenant_id: str, *, account_id: str) -> list[ApiKey]:
    """Return the keys that are bound to an account and not revoked."""
    return [from_row(tuple(row)) for row in await reading.all(OF_ACCOUNT, of_tenant=tenant_id, account=account_id)]


async def administers_without(reading: Reading, tenant_id: str, *, account_id: str, moment: str) -> bool:
    """Return whether a live key that is not bound to this account has `key:write`."""
    given = {"of_tenant": tenant_id, "without": account_id, "moment": moment}
    return await reading.one(ADMINISTERING_WITHOUT, **given) is not None


async def another_administers(reading: Reading, tenant_id: str, *, key_id: str, moment: str) -> bool:
    """Return whether a live key other than this one has `key:write`."""
    return await reading.one(OTHER_ADMINISTERING, of_tenant=tenant_id, key_id=key_id, moment=moment) is not None


async def rotate(
    transaction: Transaction, tenant_id: str, *, key_id: str, new_sha256: str, shown: tuple[str, str], old_works_until: str | None
) -> None:
    """Give a key another secret; the old one is kept where it goes on working, and none before it works for longer."""
    await transaction.run(SHORTEN, of_tenant=tenant_id, key_id=key_id, until=old_works_until or "")
    if old_works_until is not None:
        old = await transaction.one(SECRET, of_tenant=tenant_id, key_id=key_id)
        if old is not None:
            await transaction.run(RETIRE, secret_sha256=old[0], tenant_id=tenant_id, key_id=key_id, works_until=old_works_until)
    await transaction.run(ROTATE, of_tenant=tenant_id, key_id=key_id, new_sha256=new_sha256, first=shown[0], last=shown[1])


async def forget_retired(transaction: Transaction, tenant_id: str, *, moment: str) -> None:
    """Forget former secrets that work no more."""
    await transaction.run(FORGET_RETIRED, of_tenant=tenant_id, moment=moment)
