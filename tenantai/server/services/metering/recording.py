"""Takes the journal of usage into the database, once a second, and says when a tenant comes near a limit.

What must stay true: the events of a piece of the journal, the counters they add to, the alerts that this sets off and how far
the journal was taken are one transaction; a start serves nothing before what a killed process left is taken.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

import structlog

from tenantai.errors import NotReady
from tenantai.server.services.metering.ledger import Limit
from tenantai.server.services.metering.meter import Meter
from tenantai.server.services.metering.plans import Terms
from tenantai.server.services.metering.proof import drift
from tenantai.storage import across_tenants, audit, tenants, usage
from tenantai.storage.audit import OPERATOR_CHAIN, SYSTEM
from tenantai.storage.database import Database, Transaction
from tenantai.storage.usage import DAY, MONTH, UsageEvent, Used
from tenantai.storage.usage_journal import UsageJournal, last_second, parsed

RECORD_SECONDS = 1.0
ALERTS_PERCENT = (50, 80, 100)
LIMITS_HELD_MAX = 10_000

logger = structlog.get_logger("tenantai.usage")


class Watched(NamedTuple):
    """A limit of a tenant's period, as it is now."""

    tenant_id: str
    limit: Limit
    starts_on: str
    allowed: int


class Recording:
    """Takes the journal, again and again."""

    def __init__(self, database: Database, journal: UsageJournal, terms: Terms, meter: Meter) -> None:
        self._database = database
        self._journal = journal
        self._terms = terms
        self._meter = meter
        self._told: dict[Watched, int] = {}
        self._taking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._proving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take what an earlier process left, then begin."""
        await asyncio.to_thread(self._journal.open)
        await self.take()
        await self._forget_removed()
        self._task = asyncio.create_task(self._take_forever(), name="usage")
        self._proving = asyncio.create_task(self._prove(), name="usage proof")

    async def close(self) -> None:
        """Take the rest, and stop."""
        for task in filter(None, (self._task, self._proving)):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._journal.close()
        with suppress(NotReady, sqlite3.Error, OSError):
            await self.take()

    async def take(self) -> None:
        """Take all that is in the journal now."""
        async with self._taking:
            for name in await asyncio.to_thread(self._journal.segments):
                is_ended = name != self._journal.current  # asked before: what ends meanwhile gets lines behind those taken
                await self._take_segment(name)
                if is_ended:
                    await asyncio.to_thread(self._journal.remove, name)

    async def _take_forever(self) -> None:
        while True:
            await asyncio.sleep(RECORD_SECONDS)
            try:
                self._meter.charge_so_far()
                await self.take()
                await self._meter.read_again()
                self._meter.forget_idle()
            except (NotReady, sqlite3.Error, OSError):
                logger.warning("usage not recorded yet; it is kept in the journal", exc_info=True)
            except Exception:
                logger.exception("usage can't be recorded; it is kept in the journal")

    async def _prove(self) -> None:
        """Hold the counters that a start found against their events, and say what came of it."""
        try:
            counters, found = await drift(self._database.reading, moment=self._meter.now())
        except NotReady:
            return
        if found:
            logger.error("usage counters differ from their events", counters=counters, drift=len(found), first=found[:10])
        elif counters:
            logger.info("usage proved", counters=counters, drift=0)

    async def _take_segment(self, name: str) -> None:
        taken, second = await across_tenants.segment_taken(self._database.reading, name=name)
        while data := await asyncio.to_thread(self._journal.read, name, offset=taken):
            taken, second = await self._record(name, data, taken, second)

    async def _record(self, name: str, data: bytes, taken: int, second: int) -> tuple[int, int]:
        until, at = taken + len(data), last_second(data, second=second)

        async def unit(transaction: Transaction) -> dict[Watched, int]:
            told: dict[Watched, int] = {}
            for tenant_id, found in _by_tenant(parsed(data, second=second)).items():
                await self._record_tenant(transaction, tenant_id, found, told)
            await across_tenants.take_segment(transaction, name=name, bytes_taken=until, second=at)
            return told

        told = await self._database.write(unit)
        if len(self._told) > LIMITS_HELD_MAX:
            self._told.clear()
        self._told.update(told)
        return until, at

    async def _record_tenant(
        self, transaction: Transaction, tenant_id: str, found: list[tuple[UsageEvent, str]], told: dict[Watched, int]
    ) -> None:
        """Keep a tenant's events; those of one that was deleted meanwhile go with it."""
        tenant = await tenants.get(transaction, tenant_id)
        if tenant is None and tenant_id != OPERATOR_CHAIN:
            return
        await usage.add_events(transaction, tenant_id, events=[event for event, _ in found])
        for (period, starts_on), more in _by_period(found).items():
            now = await usage.count(transaction, tenant_id, period=period, starts_on=starts_on, more=more)
            if tenant is not None:
                plan = self._terms.of(tenant)
                for limit, used in _watched(period, now):
                    watched = Watched(tenant_id, limit, starts_on, getattr(plan, limit))
                    await self._alert(transaction, watched, used, told)

    async def _alert(self, transaction: Transaction, watched: Watched, used: int, told: dict[Watched, int]) -> None:
        """Say in the audit log which marks of a limit are passed and not told of, also where it was lowered since."""
        passed = [percent for percent in ALERTS_PERCENT if 0 < percent * watched.allowed <= used * 100]
        if not passed:
            return
        before = told.get(watched, self._told.get(watched))
        if before is None:
            before = await audit.alerted(
                transaction, watched.tenant_id, limit=watched.limit, since=watched.starts_on, allowed=watched.allowed
            )
        for percent in passed:
            if percent > before:
                given = {"limit": watched.limit, "allowed": watched.allowed, "since": watched.starts_on}
                details = {**given, "percent": percent, "used": used}
                await audit.record(transaction, watched.tenant_id, event_type="usage.alert", actor=SYSTEM, details=details)
        told[watched] = passed[-1]

    async def _forget_removed(self) -> None:
        """Forget segments whose files are gone."""
        there = set(await asyncio.to_thread(self._journal.segments))
        for name in await across_tenants.segments(self._database.reading):
            if name not in there:

                async def unit(transaction: Transaction, gone: str = name) -> None:
                    await across_tenants.forget_segment(transaction, name=gone)

                await self._database.write(unit)


def _by_tenant(found: Iterable[tuple[UsageEvent, str]]) -> Mapping[str, list[tuple[UsageEvent, str]]]:
    groups: dict[str, list[tuple[UsageEvent, str]]] = {}
    for event, month in found:
        groups.setdefault(event.tenant_id, []).append((event, month))
    return groups


def _by_period(found: Iterable[tuple[UsageEvent, str]]) -> Mapping[tuple[str, str], Used]:
    """Return what is to be added to each counter."""
    sums: dict[tuple[str, str], Used] = {}
    for event, month in found:
        tokens = event.input_tokens + event.output_tokens
        for counter in ((DAY, event.created_at[:10]), (MONTH, month)):
            held = sums.get(counter, Used())
            sums[counter] = Used(held.requests + event.requests, held.tokens + tokens)
    return sums


def _watched(period: str, now: Used) -> list[tuple[Limit, int]]:
    """Return the limits of a period with what is used of each."""
    if period == DAY:
        return [("requests_per_day", now.requests)]
    return [("requests_per_month", now.requests), ("tokens_per_month", now.tokens)]
