"""Refusals of access in the audit log.

What must stay true: a request of a known key that is refused for lack of rights has an entry of its own before its answer goes
out, in the chain of the key's own tenant, whose limits bound how many there can be; requests without a valid key, which anyone
can send, add at most `ADDRESSES_SHOWN + 1` entries a minute to the operator's chain, which together count every one of them.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Mapping

import structlog

from tenantai.errors import NotReady
from tenantai.storage import audit, tenants
from tenantai.storage.audit import OPERATOR_CHAIN, Actor
from tenantai.storage.database import Database, Transaction

WINDOW_SECONDS = 60.0
ADDRESSES_COUNTED_MAX = 1000
ADDRESSES_SHOWN = 20

logger = structlog.get_logger("tenantai.audit")


class Refusals:
    """Notes refusals: those of known keys at once, requests without one as a count a minute."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
        """Write that a known key was refused something; `tenant_id` is the key's own, None for the operator's.

        Raises NotReady where the database cannot write. A tenant that is gone by then has no log.
        """
        chain = tenant_id or OPERATOR_CHAIN

        async def unit(transaction: Transaction) -> None:
            if tenant_id is None or await tenants.get(transaction, tenant_id) is not None:
                details = {"route": route, "reason": reason}
                await audit.record(transaction, chain, event_type="access.refused", actor=actor, details=details)

        await self._database.write(unit)

    def note_unauthenticated(self, address: str | None, *, count: int = 1) -> None:
        """Count requests without a valid key."""
        known = address or "unknown"
        has_room = known in self._unauthenticated or len(self._unauthenticated) < ADDRESSES_COUNTED_MAX
        self._unauthenticated[known if has_room else "other"] += count

    async def flush(self) -> None:
        """Write the counts and begin a new minute; those that can't be written now are written with the next."""
        counts, self._unauthenticated = self._unauthenticated, Counter()
        if not counts:
            return
        try:
            await self._write_unauthenticated(counts)
        except (NotReady, sqlite3.Error):
            logger.warning("requests without a key not recorded yet", count=sum(counts.values()), exc_info=True)
            for address, count in counts.items():
                self.note_unauthenticated(address, count=count)

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_SECONDS)
            await self.flush()

    async def _write_unauthenticated(self, counts: Counter[str]) -> None:
        shown = counts.most_common(ADDRESSES_SHOWN)
        rest = sum(counts.values()) - sum(count for _, count in shown)

        async def unit(transaction: Transaction) -> None:
            for address, count in shown:
                await _record_unauthenticated(transaction, address, {"count": count})
            if rest:
                await _record_unauthenticated(transaction, None, {"count": rest, "addresses": len(counts) - len(shown)})

        await self._database.write(unit)


async def _record_unauthenticated(transaction: Transaction, address: str | None, details: Mapping[str, int]) -> None:
    anyone = Actor("anyone", address=address)
    await audit.record(transaction, OPERATOR_CHAIN, event_type="access.unauthenticated", actor=anyone, details=details)
