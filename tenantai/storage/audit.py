"""The audit log: what happened, who did it, and a hash chain for each tenant that shows any later tampering.

What must stay true: an entry is written in the transaction of the change that it tells of, and each entry's hash covers the
whole entry and the hash of the one before it, so that none can be edited, dropped or moved unseen.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tenantai.identifiers import new_id, timestamp
from tenantai.storage.database import Transaction, compiled, insertion
from tenantai.storage.schema import audit_chains as chains
from tenantai.storage.schema import audit_entries as table
from tenantai.wire.audit import EventType

OPERATOR_CHAIN = "operator"
FIRST_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `name` is what a person reads (`key:…`, `operator`, `system`, `asset-session`), the rest where it is known."""

    name: str
    key_id: str | None = None
    account_id: str | None = None
    address: str | None = None
    request_id: str | None = None


SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `sequence` counts a tenant's own from 1, `subject_id` is what was acted upon."""

    id: str
    tenant_id: str
    sequence: int
    event_type: str
    actor: str
    key_id: str | None
    account_id: str | None
    address: str | None
    request_id: str | None
    subject_id: str | None
    asset_id: str | None
    details: Mapping[str, Any]
    created_at: str
    previous_hash: str
    hash: str


LAST = compiled(sa.select(chains.c.last_sequence, chains.c.last_hash).where(chains.c.tenant_id == sa.bindparam("of_tenant")))
BEGIN = compiled(sa.insert(chains))
EXTEND = compiled(
    sa.update(chains)
    .where(chains.c.tenant_id == sa.bindparam("of_tenant"))
    .values(last_sequence=sa.bindparam("sequence"), last_hash=sa.bindparam("hash"))
)
ALERTED = compiled(
    "SELECT max(json_extract(details, '$.percent')) FROM audit_entries "
    "WHERE tenant_id = :of_tenant AND event_type = 'usage.alert' AND json_extract(details, '$.limit') = :limit "
    "AND json_extract(details, '$.since') = :since AND json_extract(details, '$.allowed') = :allowed"
)
INSERT = insertion(table, Entry.__slots__)
COVERED = tuple(name for name in Entry.__slots__ if name != "hash")

_details_json = json.JSONEncoder(sort_keys=True).encode


async def alerted(transaction: Transaction, tenant_id: str, *, limit: str, since: str, allowed: int) -> int:
    """Return the highest mark of a limit, in percent, that a period's entries tell was passed; 0 where they tell none."""
    row = await transaction.one(ALERTED, of_tenant=tenant_id, limit=limit, since=since, allowed=allowed)
    return 0 if row is None or row[0] is None else int(row[0])


async def record(  # noqa: PLR0913  an entry has so many sides, each by keyword
    transaction: Transaction,
    tenant_id: str,
    *,
    event_type: EventType,
    actor: Actor,
    subject_id: str | None = None,
    account_id: str | None = None,
    asset_id: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to a tenant's chain, in the transaction of the change; nothing of it may hold a secret.

    `account_id` is the account that the change concerns, the actor's own where none is named: a key bound to an account reads
    that one's entries only. `before` and `after` are the thing's fields around the change (where both are given, those that
    differ are kept).
    """
    last = await transaction.one(LAST, of_tenant=tenant_id)
    sequence, previous = (int(last[0]) + 1, str(last[1])) if last is not None else (1, FIRST_HASH)
    fields: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": tenant_id,
        "sequence": sequence,
        "event_type": event_type,
        "actor": actor.name,
        "key_id": actor.key_id,
        "account_id": account_id or actor.account_id,
        "address": actor.address,
        "request_id": actor.request_id,
        "subject_id": subject_id,
        "asset_id": asset_id,
        "details": _details_json({**_difference(before, after), **(details or {})}),
        "created_at": timestamp(),
        "previous_hash": previous,
    }
    fields["hash"] = hash_of(fields)
    if last is None:
        await transaction.run(
            BEGIN,
            tenant_id=tenant_id,
            last_sequence=sequence,
            last_hash=fields["hash"],
            kept_after_sequence=0,
            kept_after_hash=FIRST_HASH,
        )
    else:
        await transaction.run(EXTEND, of_tenant=tenant_id, sequence=sequence, hash=fields["hash"])
    await transaction.run(INSERT, **fields)


def hash_of(fields: Mapping[str, Any]) -> str:
    """Return the hash of an entry's stored fields (`details` as its JSON text), its own hash left out."""
    return hashlib.sha256(json.dumps([fields[name] for name in COVERED]).encode()).hexdigest()


def _difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `before` and `after` as details hold them, cut to what differs where both are there."""
    if before is None or after is None:
        return {name: dict(side) for name, side in (("before", before), ("after", after)) if side is not None}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {"before": {name: before.get(name) for name in changed}, "after": {name: after.get(name) for name in changed}}
