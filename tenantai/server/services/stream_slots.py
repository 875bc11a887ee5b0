"""How many streams a tenant has open: counted here, given back whatever happens."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tenantai.errors import LimitExceeded
from tenantai.identifiers import now, timestamp

RETRY_SECONDS = 1


class StreamSlots:
    """The open streams of every tenant."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def open_count(self) -> int:
        """How many streams all tenants have open."""
        return self._open.total()

    def used(self, tenant_id: str) -> int:
        """Return how many streams a tenant has open."""
        return self._open[tenant_id]

    def most(self, count: int) -> list[tuple[str, int]]:
        """Return so many tenants with the most streams open, and how many each has."""
        return self._open.most_common(count)

    @contextmanager
    def taken(self, tenant_id: str, *, limit: int) -> Iterator[None]:
        """Hold a place for one stream; raises LimitExceeded where all are taken."""
        if (used := self._open[tenant_id]) >= limit:
            raise LimitExceeded(
                "TOO_MANY_STREAMS",
                f"This tenant has {used} {'stream' if used == 1 else 'streams'} open and may have {limit}. Wait for one to end.",
                reason="streams",
                limit=limit,
                used=used,
                retry_after_seconds=RETRY_SECONDS,
                reset_at=timestamp(now() + timedelta(seconds=RETRY_SECONDS)),
            )
        self._open[tenant_id] += 1
        try:
            yield
        finally:
            self._open[tenant_id] -= 1
            if not self._open[tenant_id]:
                del self._open[tenant_id]
