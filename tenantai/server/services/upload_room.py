"""Room in a tenant's storage for the uploads that are under way.

What must stay true: uploads at once take no more of the disk than the tenant may store and the one that is let through; what an
upload had reserved is free again however it ends. Whether a file is stored in the end is decided with its row.
"""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

from tenantai.errors import LimitExceeded
from tenantai.identifiers import now, timestamp
from tenantai.storage import room
from tenantai.storage.database import Database

RETRY_SECONDS = 3600


class UploadRoom:
    """What the uploads of each tenant hold now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()

    @asynccontextmanager
    async def reserving(self, tenant_id: str, *, limit: int) -> AsyncIterator["Reservation"]:
        """Give an upload a reservation that grows with it, until the block ends."""
        reservation = Reservation(self, tenant_id, limit)
        try:
            yield reservation
        finally:
            self._held[tenant_id] -= reservation.bytes
            self._ended[tenant_id] += 1
            if not self._held[tenant_id]:
                del self._held[tenant_id], self._ended[tenant_id]

    async def used(self, tenant_id: str) -> int:
        """Return the bytes that the tenant has stored."""
        return await room.bytes_used(self._database.reading, tenant_id)

    def grow(self, tenant_id: str, more: int) -> int:
        """Reserve more; returns what all uploads of the tenant hold now."""
        self._held[tenant_id] += more
        return self._held[tenant_id]

    def ended(self, tenant_id: str) -> int:
        """Return how many uploads of the tenant have ended lately: the bytes stored are others once it changes."""
        return self._ended[tenant_id]


class Reservation:
    """What one upload holds. One that is alone is not refused before its end: it may bring bytes that are there already."""

    def __init__(self, room_of_all: UploadRoom, tenant_id: str, limit: int) -> None:
        self._room = room_of_all
        self._tenant_id = tenant_id
        self._limit = limit
        self._used: tuple[int, int] | None = None
        self.bytes = 0

    async def counted(self, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        """Pass pieces on as they are reserved; raises LimitExceeded where uploads at once would take too much together."""
        async with aclosing(pieces):
            async for piece in pieces:
                self.bytes += len(piece)
                held = self._room.grow(self._tenant_id, len(piece))
                if held > self.bytes:
                    refuse_over_quota(await self._stored() + held - self.bytes, self.bytes, self._limit)
                yield piece

    async def _stored(self) -> int:
        """Return what is stored, asked again once another upload has ended."""
        ended = self._room.ended(self._tenant_id)
        if self._used is None or self._used[0] != ended:
            self._used = ended, await self._room.used(self._tenant_id)
        return self._used[1]


def refuse_over_quota(used: int, more: int, limit: int) -> None:
    """Raise LimitExceeded where so many more bytes would be too many."""
    if used + more > limit:
        raise LimitExceeded(
            "QUOTA_EXCEEDED",
            f"This file would take the tenant over its storage of {limit} bytes. Delete files, or ask for a larger plan.",
            reason="storage_bytes",
            limit=limit,
            used=used,
            retry_after_seconds=RETRY_SECONDS,
            reset_at=timestamp(now() + timedelta(seconds=RETRY_SECONDS)),
        )
