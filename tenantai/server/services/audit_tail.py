"""Following the audit log: entries as they are written, from any place in a chain on.

What must stay true: each entry behind the place comes once and in order, those written while nobody listened too; every tail ends
at a shutdown.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from tenantai.storage import audit_log
from tenantai.storage.audit import Entry
from tenantai.storage.audit_log import Filters, Span
from tenantai.storage.database import Database

LOOK_EVERY_SECONDS = 0.5
BATCH_ENTRIES = 100


class AuditTail:
    """The open tails of all chains."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_draining = asyncio.Event()

    async def last(self, tenant_id: str) -> int:
        """Return the sequence of the chain's last entry, 0 before the first."""
        held = await audit_log.chain(self._database.reading, tenant_id)
        return held.last_sequence if held else 0

    async def entries(self, tenant_id: str, *, filters: Filters, after: int) -> AsyncIterator[Sequence[Entry]]:
        """Yield entries behind a sequence as they come, none at all (an empty list) at each look that finds nothing."""
        while not self._is_draining.is_set():
            within = Span(after, await self.last(tenant_id) + 1)
            found = await self._behind(tenant_id, filters, within)
            after = found.rest.above if found.rest.length else within.below - 1
            yield found.entries
            if not found.rest.length:
                await self._wait()

    async def _behind(self, tenant_id: str, filters: Filters, within: Span) -> audit_log.Found:
        if not within.length:
            return audit_log.Found([], within)
        reading = self._database.reading
        return await audit_log.page(
            reading, tenant_id, filters=filters, within=within, row_count=BATCH_ENTRIES, newest_first=False
        )

    @property
    def is_draining(self) -> bool:
        """Whether the server shuts down."""
        return self._is_draining.is_set()

    def drain(self) -> None:
        """End every tail now."""
        self._is_draining.set()

    async def _wait(self) -> None:
        """Wait for the next look, or for the shutdown."""
        try:
            async with asyncio.timeout(LOOK_EVERY_SECONDS):
                await self._is_draining.wait()
        except TimeoutError:
            return
