"""A tenant's keys: making, rotating and revoking them.

What must stay true: no key hands out what it lacks itself, neither a scope nor another account's things; a tenant keeps a live
key that can administer keys; a change and its audit entry are one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from tenantai.errors import Conflict, Forbidden, NotFound, ValidationFailed
from tenantai.identifiers import now, timestamp
from tenantai.server.services.credentials import (
    OPERATOR_SCOPE,
    TENANT_SCOPES,
    Principal,
    is_live,
    issue,
    new_secret,
    scopes_of,
    sha256_of,
    shown_of,
)
from tenantai.storage import accounts, api_keys, audit, tenants
from tenantai.storage.api_keys import ApiKey
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.wire.api_keys import NewApiKey

NO_KEY = "There is no such API key in this tenant. Check the id."
ADMINISTERS = "key:write"


@dataclass(frozen=True, slots=True)
class Made:
    """A key with a new secret, and until when the one before it works."""

    key: ApiKey
    secret: str
    previous_works_until: str | None = None


class ApiKeys:
    """Changes the keys of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant_id: str, *, wanted: NewApiKey, account_id: str | None, by: Principal, actor: Actor) -> Made:
        """Make a key; raises Forbidden, NotFound, ValidationFailed or Conflict."""
        scopes = _granted(wanted.scopes, by)
        if wanted.expires_at is not None and wanted.expires_at <= timestamp():
            raise Conflict("expiresAt has passed already. Give a time to come, or none.")

        async def unit(transaction: Transaction) -> Made:
            if await tenants.get(transaction, tenant_id) is None:
                raise NotFound("There is no such tenant. Check the id.")
            if account_id is not None and await accounts.get(transaction, tenant_id, account_id=account_id) is None:
                raise NotFound("There is no such account in this tenant. Check accountId.")
            secret, key = await issue(
                transaction, tenant_id, name=wanted.name, scopes=scopes, account_id=account_id, expires_at=wanted.expires_at
            )
            about = {"name": key.name, "scopes": list(scopes), "account_id": account_id, "expires_at": key.expires_at}
            await audit.record(transaction, tenant_id, event_type="key.created", actor=actor, subject_id=key.id, after=about)
            return Made(key, secret)

        return await self._database.write(unit)

    async def rotate(self, tenant_id: str, *, key_id: str, grace_seconds: int, by: Principal, actor: Actor) -> Made:
        """Give a key another secret, the old one working for so long yet; raises NotFound, Conflict or Forbidden."""
        secret, present = new_secret(), now()

        async def unit(transaction: Transaction) -> Made:
            key = await _own(transaction, tenant_id, key_id, by)
            if not is_live(key):
                raise Conflict("This API key is revoked or expired. Make a new one instead.")
            if lacking := frozenset(key.scopes) - by.scopes:
                raise Forbidden(f"This API key lacks {', '.join(sorted(lacking))}, so it may not rotate one that has it.")
            until = None
            if grace_seconds:
                until = min(timestamp(present + timedelta(seconds=grace_seconds)), key.expires_at or "~")
            await api_keys.forget_retired(transaction, tenant_id, moment=timestamp(present))
            await api_keys.rotate(
                transaction,
                tenant_id,
                key_id=key_id,
                new_sha256=sha256_of(secret),
                shown=shown_of(secret),
                old_works_until=until,
            )
            first, last = shown_of(secret)
            await audit.record(
                transaction,
                tenant_id,
                event_type="key.rotated",
                actor=actor,
                subject_id=key_id,
                before={"last_characters": key.last_characters},
                after={"last_characters": last},
                details={"name": key.name, "previous_works_until": until},
            )
            return Made(replace(key, first_characters=first, last_characters=last), secret, until)

        return await self._database.write(unit)

    async def revoke(self, tenant_id: str, *, key_id: str, by: Principal, actor: Actor) -> None:
        """End a key and its former secrets; one that is revoked already stays so. Raises NotFound or Conflict."""

        async def unit(transaction: Transaction) -> None:
            key, moment = await _own(transaction, tenant_id, key_id, by), timestamp()
            is_last = is_live(key) and ADMINISTERS in scopes_of(key)
            if is_last and not await api_keys.another_administers(transaction, tenant_id, key_id=key_id, moment=moment):
                raise Conflict(f"This is the tenant's last live key with {ADMINISTERS}. Make another one first.")
            if await api_keys.revoke(transaction, tenant_id, key_id=key_id, moment=moment):
                await audit.record(
                    transaction,
                    tenant_id,
                    event_type="key.revoked",
                    actor=actor,
                    subject_id=key_id,
                    before={"revoked_at": None},
                    after={"revoked_at": moment},
                    details={"name": key.name},
                )

        await self._database.write(unit)


async def refuse_role(
    transaction: Transaction, tenant_id: str, *, account_id: str, role: str, before: str, by: Principal
) -> None:
    """Refuse a role that gives the account's keys more than the caller has, or takes the last right to administer keys.

    Raises Forbidden or Conflict.
    """
    if role == before:
        return
    bound = await api_keys.of_account(transaction, tenant_id, account_id=account_id)
    for key in bound:
        gained = scopes_of(replace(key, account_role=role)) - scopes_of(replace(key, account_role=before))
        if lacking := gained - by.scopes:
            raise Forbidden(
                f"This API key lacks {', '.join(sorted(lacking))}, which keys of that account would gain by the role."
            )
    if role != "admin":
        await refuse_losing_last(transaction, tenant_id, account_id=account_id)


async def refuse_losing_last(transaction: Transaction, tenant_id: str, *, account_id: str) -> None:
    """Raise Conflict where the tenant's last live key that administers keys is bound to this account."""
    bound = await api_keys.of_account(transaction, tenant_id, account_id=account_id)
    administers = any(is_live(key) and ADMINISTERS in scopes_of(key) for key in bound)
    if administers and not await api_keys.administers_without(transaction, tenant_id, account_id=account_id, moment=timestamp()):
        raise Conflict(f"The tenant's last live key with {ADMINISTERS} is this account's. Make another one first.")


async def _own(transaction: Transaction, tenant_id: str, key_id: str, by: Principal) -> ApiKey:
    key = await api_keys.get(transaction, tenant_id, key_id=key_id, visible_to=by.account_id)
    if key is None:
        raise NotFound(NO_KEY)
    return key


def _granted(wanted: Sequence[str] | None, by: Principal) -> tuple[str, ...]:
    """Return a new key's scopes, in the order that pages list them."""
    asked = set(wanted) if wanted is not None else {scope for scope in by.scopes if not scope.startswith("key:")}
    asked.discard(OPERATOR_SCOPE)
    if lacking := asked - by.scopes:
        raise Forbidden(f"This API key lacks {', '.join(sorted(lacking))}, so it may not grant it. Name scopes that it has.")
    if not asked:
        raise ValidationFailed([{"field": "scopes", "problem": "must be named: this key has none but key:* to hand on"}])
    return tuple(scope for scope in TENANT_SCOPES if scope in asked)
