"""Refusals of access in the audit log, without a way to flood it.

What must stay true: a minute adds at most `KINDS_WRITTEN + 1` entries to a tenant's chain and `ADDRESSES_SHOWN + 1` to the
operator's, whatever is sent; each refusal is in one of them, by itself or in a count; and a tenant reads of its own keys only.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from tenantai.errors import NotReady
from tenantai.storage import audit, tenants
from tenantai.storage.audit import OPERATOR_CHAIN, SYSTEM, Actor
from tenantai.storage.database import Database, Transaction

WINDOW_SECONDS = 60.0
KINDS_WRITTEN = 10
KINDS_COUNTED_MAX = 100
KINDS_SHOWN = 20
ADDRESSES_COUNTED_MAX = 1000
ADDRESSES_SHOWN = 20

logger = structlog.get_logger("tenantai.audit")

Kind = tuple[str, str, str]
OTHER: Kind = ("other", "", "")


@dataclass(slots=True)
class Window:
    """What one chain was told of within the minute: the kinds that have an entry, and how often any came again."""

    written: set[Kind] = field(default_factory=set)
    again: Counter[Kind] = field(default_factory=Counter)


class Refusals:
    """Notes refusals: the first of a kind at once, the others as one count a minute."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._windows: dict[str, Window] = {}
        self._unauthenticated: Counter[str] = Counter()
        self._flushing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to write the counts, once a minute."""
        self._flushing = asyncio.create_task(self._flush_forever(), name="refusals")

    async def close(self) -> None:
        """Write what is counted, and stop."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self.flush()

    async def note(self, tenant_id: str | None, *, actor: Actor, route: str, reason: str) -> None:
        """Note that a known key was refused something; `tenant_id` is the key's own, None for the operator's."""
        chain = tenant_id or OPERATOR_CHAIN
        window, kind = self._windows.setdefault(chain, Window()), (actor.name, route, reason)
        if kind in window.written or len(window.written) >= KINDS_WRITTEN:
            window.again[kind if kind in window.again or len(window.again) < KINDS_COUNTED_MAX else OTHER] += 1
            return
        window.written.add(kind)
        await self._write(chain, actor=actor, details={"route": route, "reason": reason})

    def note_unauthenticated(self, address: str | None) -> None:
        """Count a request without a valid key."""
        known = address or "unknown"
        has_room = known in self._unauthenticated or len(self._unauthenticated) < ADDRESSES_COUNTED_MAX
        self._unauthenticated[known if has_room else "other"] += 1

    async def flush(self) -> None:
        """Write the counts and begin a new minute."""
        windows, self._windows = self._windows, {}
        unauthenticated, self._unauthenticated = self._unauthenticated, Counter()
        for chain, window in windows.items():
            if window.again:
                await self._write(chain, actor=SYSTEM, details=_counted(window.again))
        if unauthenticated:
            await self._write_unauthenticated(unauthenticated)

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_SECONDS)
            await self.flush()

    async def _write(self, chain: str, *, actor: Actor, details: Mapping[str, object]) -> None:
        """Write an entry, unless the tenant is gone; where the database cannot, the log has it."""

        async def unit(transaction: Transaction) -> None:
            if chain == OPERATOR_CHAIN or await tenants.get(transaction, chain) is not None:
                await audit.record(transaction, chain, event_type="access.refused", actor=actor, details=details)

        try:
            await self._database.write(unit)
        except (NotReady, sqlite3.Error):
            logger.warning("refusal not recorded", tenant_id=chain, exc_info=True, **details)

    async def _write_unauthenticated(self, counts: Counter[str]) -> None:
        shown = counts.most_common(ADDRESSES_SHOWN)
        rest = sum(counts.values()) - sum(count for _, count in shown)

        async def unit(transaction: Transaction) -> None:
            for address, count in shown:
                await _record_unauthenticated(transaction, address, {"count": count})
            if rest:
                await _record_unauthenticated(transaction, None, {"count": rest, "addresses": len(counts) - len(shown)})

        try:
            await self._database.write(unit)
        except (NotReady, sqlite3.Error):
            logger.warning("requests without a key not recorded", count=sum(counts.values()), exc_info=True)


async def _record_unauthenticated(transaction: Transaction, address: str | None, details: Mapping[str, int]) -> None:
    anyone = Actor("anyone", address=address)
    await audit.record(transaction, OPERATOR_CHAIN, event_type="access.unauthenticated", actor=anyone, details=details)


def _counted(again: Counter[Kind]) -> dict[str, object]:
    """Return the counts of a minute as an entry holds them."""
    shown = again.most_common(KINDS_SHOWN)
    kinds = [{"actor": actor, "route": route, "reason": reason, "count": count} for (actor, route, reason), count in shown]
    return {"count": sum(again.values()), "again": kinds}
