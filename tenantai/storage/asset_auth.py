"""The Asset Manager's password of each tenant, the sessions it opened, and the tries of it.

What must stay true: a password is here as argon2id's hash only, a session's token as its SHA-256 only.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insert, insertion
from tenantai.storage.schema import asset_passwords as passwords
from tenantai.storage.schema import asset_sessions as sessions
from tenantai.storage.schema import password_tries as tries


@dataclass(frozen=True, slots=True)
class Password:
    """A tenant's password: its hash, and the scopes that it grants in the vault."""

    hash: str
    scopes: tuple[str, ...]


PASSWORD = compiled(sa.select(passwords.c.hash, passwords.c.scopes).where(passwords.c.tenant_id == sa.bindparam("of_tenant")))
_setting = insert(passwords).values({column.name: sa.bindparam(column.name) for column in passwords.columns})
SET_PASSWORD = compiled(
    _setting.on_conflict_do_update(
        index_elements=[passwords.c.tenant_id],
        set_={name: _setting.excluded[name] for name in ("hash", "changed_at", "scopes")},
    )
)
OPEN_SESSION = insertion(sessions, [column.name for column in sessions.columns])
END_SESSIONS = compiled(sa.delete(sessions).where(sessions.c.tenant_id == sa.bindparam("of_tenant")))
TRIES = compiled(
    sa.select(tries.c.created_at)
    .where(
        tries.c.tenant_id == sa.bindparam("of_tenant"),
        tries.c.kind == sa.bindparam("of_kind"),
        tries.c.created_at > sa.bindparam("since"),
        tries.c.created_at < sa.bindparam("until"),
    )
    .order_by(tries.c.created_at)
)
TRY = insertion(tries, [column.name for column in tries.columns])


async def password_of(reading: Reading, tenant_id: str) -> Password | None:
    """Return the tenant's password, None where none was set."""
    row = await reading.one(PASSWORD, of_tenant=tenant_id)
    return None if row is None else Password(str(row[0]), tuple(str(row[1]).split()))


async def set_password(transaction: Transaction, tenant_id: str, *, hashed: str, scopes: Iterable[str], moment: str) -> None:
    """Set the password with what it grants, and end every session that the one before it opened."""
    await transaction.run(SET_PASSWORD, tenant_id=tenant_id, hash=hashed, changed_at=moment, scopes=" ".join(scopes))
    await transaction.run(END_SESSIONS, of_tenant=tenant_id)


async def open_session(transaction: Transaction, tenant_id: str, *, token_sha256: str, moment: str, expires_at: str) -> None:
    """Keep a session."""
    await transaction.run(OPEN_SESSION, tenant_id=tenant_id, token_sha256=token_sha256, created_at=moment, expires_at=expires_at)


async def tries_between(reading: Reading, tenant_id: str, *, kind: str, since: str, until: str) -> list[str]:
    """Return the times of the tries of a kind between two times, the oldest first."""
    return [str(row[0]) for row in await reading.all(TRIES, of_tenant=tenant_id, of_kind=kind, since=since, until=until)]


async def add_try(transaction: Transaction, tenant_id: str, *, kind: str, new_id: str, moment: str) -> None:
    """Count a try."""
    await transaction.run(TRY, id=new_id, tenant_id=tenant_id, kind=kind, created_at=moment)
