"""A run: an answer or an analysis under way, and how it may be ended from outside.

What must stay true: a run ends at its limit of time, with the server, or where its key may not have it any more, and says why;
the tokens that it used are charged once, whatever ends it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from tenantai.errors import NotReady, ProviderFailed, TenantaiError
from tenantai.providers.protocols import Usage
from tenantai.wire.stream import FinishReason

TOO_LATE = "The server is shutting down, and begins nothing new. Nothing was changed. Ask again in a moment."

logger = structlog.get_logger("tenantai.runs")


@dataclass(slots=True, kw_only=True)
class Run:
    """What bounds a run, and how it ended."""

    tenant_id: str
    request_id: str
    stream_seconds: float
    is_compatible: bool = False
    finish_reason: FinishReason = "error"
    error: TenantaiError | None = None
    ended_by: TenantaiError | None = None
    limit: asyncio.Timeout | None = None
    charge: Callable[[Usage], None] | None = None

    @property
    def counted(self) -> Usage:
        """Tokens used so far."""
        raise NotImplementedError

    def end(self, error: TenantaiError) -> None:
        """End the run now, with this error."""
        self.ended_by = error
        if self.limit is not None:
            _expire(self.limit)

    def charge_once(self) -> None:
        """Have the tokens counted that were used so far; a run that is kept again is not charged again."""
        charge, self.charge = self.charge, None
        if charge is not None:
            charge(self.counted)


class Runs:
    """The runs of one kind that are under way; the sentences say what is told of one that takes too long, or meets a shutdown."""

    def __init__(self, *, too_long: str, shutting_down: str) -> None:
        self._too_long = too_long
        self._shutting_down = shutting_down
        self._limits: set[asyncio.Timeout] = set()
        self._is_draining = False

    def require_open(self) -> None:
        """Raise NotReady where the server shuts down: a run that began now would end at once, and leave that in the history."""
        if self._is_draining:
            raise NotReady(TOO_LATE)

    async def bounded(self, run: Run, work: Awaitable[None]) -> None:
        """Do a run's work within its time; what ends it before is noted in the run, not raised, but for a client that leaves."""
        try:
            ends_now = self._is_draining or run.ended_by is not None
            async with asyncio.timeout(0 if ends_now else run.stream_seconds) as limit:
                self._limits.add(limit)
                run.limit = limit
                try:
                    await work
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            run.error = run.ended_by or (NotReady(self._shutting_down) if self._is_draining else ProviderFailed(self._too_long))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except TenantaiError as error:
            run.error = error
        except Exception:
            logger.exception("fault of a run", request_id=run.request_id, tenant_id=run.tenant_id)
            run.error = TenantaiError()

    def drain(self) -> None:
        """End every run now."""
        self._is_draining = True
        for limit in self._limits:
            _expire(limit)


def _expire(limit: asyncio.Timeout) -> None:
    with suppress(RuntimeError):  # it has expired already, or is over
        limit.reschedule(asyncio.get_running_loop().time())
