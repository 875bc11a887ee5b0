"""Proving a tenant's audit chain: nothing in it was edited, dropped, moved or cut off since it was written.

What must stay true: a proof names the first broken link; it is made in slices, none of them on the event loop; and entries
that retention removes meanwhile, or that are written meanwhile, are no fault.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tenantai.storage import audit_chain, audit_log, tenants
from tenantai.storage.audit import FIRST_HASH, hash_of
from tenantai.storage.audit_chain import stored
from tenantai.storage.audit_log import Chain
from tenantai.storage.database import Database, Row

SLICE_ENTRIES = 500
PROOF_ENTRIES = 100_000
BEGINS_WITH = "tenant.created"
EMPTY = Chain(0, FIRST_HASH, 0, FIRST_HASH)

Fault = Literal["edited", "unlinked", "missing", "cut off", "added", "end edited", "dropped", "begun anew"]


@dataclass(frozen=True, slots=True)
class Link:
    """A link that holds: the hash of the entry with this sequence."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link that does not hold; `id` is the entry's, None where there is none."""

    sequence: int
    id: str | None
    fault: Fault


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved: so many entries, up to a link, behind which there may be more where it is not complete."""

    checked: int
    proved: Link
    broken: Broken | None = None
    is_complete: bool = True


async def prove(database: Database, tenant_id: str, *, after: Link | None = None) -> Proof:
    """Prove the chain from its kept beginning, or go on behind a link that was proved; at most `PROOF_ENTRIES` at a time."""
    held = await audit_log.chain(database.reading, tenant_id)
    head = held or EMPTY
    proof = Proof(0, after or Link(head.kept_after_sequence, head.kept_after_hash))
    if after is None:
        proof = replace(proof, broken=await _fault_at_the_beginning(database, tenant_id, held))
    while proof.broken is None and proof.proved.sequence < head.last_sequence:
        if proof.checked >= PROOF_ENTRIES:
            return replace(proof, is_complete=False)
        proof = await _go_on(database, tenant_id, proof, head)
    if proof.broken is not None:
        return proof
    return replace(proof, broken=await _fault_at_the_end(database, tenant_id, proof.proved, head))


async def has_anchor(database: Database, tenant_id: str, anchor: Link) -> bool:
    """Return whether an entry that was proved before is still the one it was; one that retention removed has no say."""
    held = await audit_log.chain(database.reading, tenant_id) or EMPTY
    if anchor.sequence < held.kept_after_sequence:
        return True
    if anchor.sequence == held.kept_after_sequence:
        return anchor.hash == held.kept_after_hash
    return await audit_chain.hash_at(database.reading, tenant_id, sequence=anchor.sequence) == anchor.hash


async def _fault_at_the_beginning(database: Database, tenant_id: str, held: Chain | None) -> Broken | None:
    """Return what is wrong before the first link: a tenant without a chain or its first entry, or entries gone unarchived."""
    reading = database.reading
    if held is not None and held.kept_after_sequence:
        is_archived = held.kept_after_sequence <= await audit_chain.archived_through(reading, tenant_id)
        return None if is_archived else Broken(held.kept_after_sequence, None, "dropped")
    if await tenants.get(reading, tenant_id) is None:
        return None
    rows = stored(await audit_chain.links(reading, tenant_id, after=0, row_count=1))
    if not rows:
        return Broken(1, None, "missing") if held is None else None
    is_other = rows[0]["sequence"] == 1 and rows[0]["event_type"] != BEGINS_WITH
    return Broken(1, str(rows[0]["id"]), "begun anew") if is_other else None


async def _go_on(database: Database, tenant_id: str, proof: Proof, head: Chain) -> Proof:
    """Check one slice more."""
    row_count = min(SLICE_ENTRIES, head.last_sequence - proof.proved.sequence)
    rows = await audit_chain.links(database.reading, tenant_id, after=proof.proved.sequence, row_count=row_count)
    checked, proved, broken = await asyncio.to_thread(_check, rows, proof.proved)
    if broken is None and not checked:
        broken = Broken(proved.sequence + 1, None, "cut off")
    if broken is not None and broken.fault in {"missing", "cut off"}:
        now = await audit_log.chain(database.reading, tenant_id)
        if now is not None and now.kept_after_sequence > proved.sequence:
            return Proof(proof.checked + checked, Link(now.kept_after_sequence, now.kept_after_hash))
    return Proof(proof.checked + checked, proved, broken)


def _check(rows: Sequence[Row], proved: Link) -> tuple[int, Link, Broken | None]:
    """Return how many rows follow a link one after another, the last of them, and the first that does not."""
    for checked, entry in enumerate(stored(rows)):
        sequence, entry_id = int(str(entry["sequence"])), str(entry["id"])
        if sequence != proved.sequence + 1:
            return checked, proved, Broken(proved.sequence + 1, None, "missing")
        try:
            own = hash_of(entry)
        except TypeError:
            own = ""
        if own != entry["hash"]:
            return checked, proved, Broken(sequence, entry_id, "edited")
        if entry["previous_hash"] != proved.hash:
            return checked, proved, Broken(sequence, entry_id, "unlinked")
        proved = Link(sequence, own)
    return len(rows), proved, None


async def _fault_at_the_end(database: Database, tenant_id: str, proved: Link, head: Chain) -> Broken | None:
    """Return what is wrong behind the last link: another hash than the chain's own end, or entries that it knows nothing of."""
    if proved.sequence == head.last_sequence and proved.hash != head.last_hash:
        return Broken(proved.sequence, None, "end edited")
    newest = await audit_chain.newest(database.reading, tenant_id)
    now = await audit_log.chain(database.reading, tenant_id)
    end = now.last_sequence if now else 0
    return Broken(end + 1, None, "added") if newest > end else None
