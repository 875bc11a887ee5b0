"""Reading the audit log: a tenant's entries by filters, in the order of its chain, either way.

What must stay true: however long a chain is, a question walks at most `EXAMINED_MAX` of its entries at a time, and says how far
it came; each filter has an index that ends in the sequence, so that no order is ever made by sorting.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from tenantai.storage.audit import Entry
from tenantai.storage.database import Query, Reading, Row, compiled
from tenantai.storage.schema import audit_chains as chains
from tenantai.storage.schema import audit_entries as table
from tenantai.wire.audit import STORE_EVENTS

EXAMINED_MAX = 5_000
ROUNDS_MAX = 20
COUNTED_MAX = 10_000
AT_ONCE_MAX = 100
NARROWEST_FIRST = ("subject_id", "asset_id", "account_id", "actor", "event_type")
DETAILS = Entry.__slots__.index("details")

COLUMNS = tuple(table.c[name] for name in Entry.__slots__)
CHAIN = compiled(
    sa.select(chains.c.last_sequence, chains.c.last_hash, chains.c.kept_after_sequence, chains.c.kept_after_hash).where(
        chains.c.tenant_id == sa.bindparam("of_tenant")
    )
)
OWN = table.c.tenant_id == sa.bindparam("of_tenant")
MOMENT: sa.BindParameter[str] = sa.bindparam("moment")
FORWARDS, BACKWARDS = (table.c.created_at, table.c.sequence), (table.c.created_at.desc(), table.c.sequence.desc())


def _first_where(condition: sa.ColumnElement[bool], order: tuple[sa.ColumnElement[Any], ...]) -> Query:
    return compiled(sa.select(table.c.sequence).where(OWN, condition).order_by(*order).limit(1))


EARLIEST_SINCE = _first_where(table.c.created_at >= MOMENT, FORWARDS)
LATEST_UNTIL = _first_where(table.c.created_at <= MOMENT, BACKWARDS)
ANY_BEFORE = _first_where(table.c.created_at < MOMENT, FORWARDS)
ANY_AFTER = _first_where(table.c.created_at > MOMENT, BACKWARDS)


@dataclass(frozen=True, slots=True)
class Chain:
    """The two ends of a tenant's chain: what it counted and hashed last, and what the entries still here come after."""

    last_sequence: int
    last_hash: str
    kept_after_sequence: int
    kept_after_hash: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What entries must be like; `of_store` leaves those about the document store and the vault."""

    event_type: str | None = None
    actor: str | None = None
    account_id: str | None = None
    subject_id: str | None = None
    asset_id: str | None = None
    of_store: bool = False

    @property
    def given(self) -> dict[str, str]:
        """The columns that must have a value, the one that narrows most first."""
        return {name: value for name in NARROWEST_FIRST if (value := getattr(self, name)) is not None}

    @property
    def walks(self) -> bool:
        """Whether no index alone answers, so that entries must be looked at one by one."""
        return self.of_store or len(self.given) > 1


@dataclass(frozen=True, slots=True)
class Span:
    """The entries of a chain between two sequences, both exclusive."""

    above: int
    below: int

    @property
    def length(self) -> int:
        """How many entries there are in it."""
        return max(self.below - self.above - 1, 0)


@dataclass(frozen=True, slots=True)
class Found:
    """Entries that were found, and the part of the span that was not looked at yet."""

    entries: Sequence[Entry]
    rest: Span


async def chain(reading: Reading, tenant_id: str) -> Chain | None:
    """Return the ends of the tenant's chain, None before its first entry."""
    row = await reading.one(CHAIN, of_tenant=tenant_id)
    return None if row is None else Chain(*row)


async def span(reading: Reading, tenant_id: str, *, since: str | None = None, until: str | None = None) -> Span:
    """Return the part of the chain from the first entry at `since` or later to the last at `until` or earlier.

    A chain's order is that of its writing: where a clock was set back, entries between the two may have times outside.
    """
    held = await chain(reading, tenant_id)
    if held is None:
        return Span(0, 1)
    whole = Span(held.kept_after_sequence, held.last_sequence + 1)
    above, below = whole.above, whole.below
    if since is not None and await reading.one(ANY_BEFORE, of_tenant=tenant_id, moment=since):
        first = await reading.one(EARLIEST_SINCE, of_tenant=tenant_id, moment=since)
        above = int(first[0]) - 1 if first else whole.below - 1
    if until is not None and await reading.one(ANY_AFTER, of_tenant=tenant_id, moment=until):
        last = await reading.one(LATEST_UNTIL, of_tenant=tenant_id, moment=until)
        below = int(last[0]) + 1 if last else whole.above + 1
    return Span(max(above, whole.above), min(below, whole.below))


async def page(
    reading: Reading,
    tenant_id: str,
    *,
    filters: Filters,
    within: Span,
    row_count: int,
    skipped: int = 0,
    newest_first: bool = True,
) -> Found:
    """Return up to `row_count` entries of a span, but for so many `skipped` of the first.

    They are fewer, though there may be more in the rest, where too many were walked.
    """
    found: list[Row] = []
    rest = within
    for _ in range(ROUNDS_MAX):
        examined = await _examined(reading, tenant_id, filters=filters, within=rest, newest_first=newest_first)
        found += await reading.all(
            _rows(tuple(filters.given), of_store=filters.of_store, newest_first=newest_first),
            of_tenant=tenant_id,
            above=examined.above,
            below=examined.below,
            row_count=row_count - len(found),
            **filters.given,
        )
        if len(found) == row_count:
            last = int(found[-1][SEQUENCE])
            rest = Span(rest.above, last) if newest_first else Span(last, rest.below)
            break
        rest = Span(rest.above, examined.above + 1) if newest_first else Span(examined.below - 1, rest.below)
        if not rest.length:
            break
    shown = found[skipped:]
    entries = await asyncio.to_thread(_entries, shown) if len(shown) > AT_ONCE_MAX else _entries(shown)
    return Found(entries, rest)


async def total(reading: Reading, tenant_id: str, *, filters: Filters, within: Span) -> tuple[int, bool]:
    """Return how many entries there are, and whether that is all: with filters the newest `COUNTED_MAX` are looked through."""
    if not filters.given and not filters.of_store:
        return within.length, True
    examined = await _examined(reading, tenant_id, filters=filters, within=within, newest_first=True, at_most=COUNTED_MAX)
    count = _count(tuple(filters.given), of_store=filters.of_store)
    row = await reading.one(count, of_tenant=tenant_id, above=examined.above, below=examined.below, **filters.given)
    return (int(row[0]) if row else 0), examined == within


async def _examined(
    reading: Reading, tenant_id: str, *, filters: Filters, within: Span, newest_first: bool, at_most: int | None = None
) -> Span:
    """Return the part of a span that one question may walk, in the index that it walks: all where it walks none in vain."""
    if at_most is None and not filters.walks:
        return within
    walked = tuple(filters.given)[:1]
    row = await reading.one(
        _edge(walked, newest_first=newest_first),
        of_tenant=tenant_id,
        above=within.above,
        below=within.below,
        examined=at_most or EXAMINED_MAX,
        **{name: filters.given[name] for name in walked},
    )
    if row is None:
        return within
    return Span(int(row[0]), within.below) if newest_first else Span(within.above, int(row[0]))


SEQUENCE = Entry.__slots__.index("sequence")


def _entries(rows: Sequence[Row]) -> list[Entry]:
    return [Entry(**dict(zip(Entry.__slots__, row, strict=True)) | {"details": _details(row[DETAILS])}) for row in rows]


def _details(stored: Any) -> dict[str, Any]:
    """Return an entry's details; those that someone spoiled by hand are no reason to show nothing."""
    try:
        details = json.loads(stored)
    except (TypeError, ValueError):
        details = None
    return details if isinstance(details, dict) else {"unreadable": True}


@lru_cache
def _rows(names: tuple[str, ...], *, of_store: bool, newest_first: bool) -> Query:
    order = table.c.sequence.desc() if newest_first else table.c.sequence
    conditions = _conditions(names, of_store=of_store)
    return compiled(sa.select(*COLUMNS).where(*conditions).order_by(order).limit(sa.bindparam("row_count")))


@lru_cache
def _edge(names: tuple[str, ...], *, newest_first: bool) -> Query:
    """Compile the search for the entry behind those that may be walked."""
    order = table.c.sequence.desc() if newest_first else table.c.sequence
    conditions = _conditions(names, of_store=False)
    return compiled(sa.select(table.c.sequence).where(*conditions).order_by(order).limit(1).offset(sa.bindparam("examined")))


@lru_cache
def _count(names: tuple[str, ...], *, of_store: bool) -> Query:
    return compiled(sa.select(sa.func.count()).select_from(table).where(*_conditions(names, of_store=of_store)))


def _conditions(names: tuple[str, ...], *, of_store: bool) -> list[sa.ColumnElement[bool]]:
    """Return what must hold: the first name is looked up in its index, what follows is kept from it by COALESCE."""
    walked = [table.c[name] == sa.bindparam(name) for name in names[:1]]
    compared = [sa.func.coalesce(table.c[name], "") == sa.bindparam(name) for name in names[1:]]
    if of_store:
        compared.append(sa.or_(*(sa.func.coalesce(table.c.event_type, "") == event for event in STORE_EVENTS)))
    return [OWN, table.c.sequence > sa.bindparam("above"), table.c.sequence < sa.bindparam("below"), *walked, *compared]
