"""What leaves the database: old months of usage and audit events, which go to archives, and all that is left of deleted tenants.

What must stay true: the database forgets nothing that an archive does not hold, compared at every run; of an audit chain the
entries leave from its old end, with an entry that says so, and what stays is provable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial

import structlog

from tenantai.identifiers import now
from tenantai.server.services.analytics_feed import AnalyticsFeed
from tenantai.storage import analytics_archives, analytics_intake, analytics_record, audit, audit_chain
from tenantai.storage.analytics import Analytics, Damaged, Session
from tenantai.storage.analytics_archives import Archive, NotTheSame
from tenantai.storage.analytics_tables import AUDIT, LOGS, USAGE, Log, LogName
from tenantai.storage.database import Database, Transaction

FIRST_SECONDS, AGAIN_SECONDS = 60.0, 3600.0
FORGET_ROWS = 1000
FORGET_PAUSE_SECONDS = 0.02

logger = structlog.get_logger("tenantai.retention")


class Retention:
    """Sees to it once an hour; `days` says how long each log stays in the database, 0 for ever."""

    def __init__(self, database: Database, analytics: Analytics, feed: AnalyticsFeed, *, days: Mapping[LogName, int]) -> None:
        self._database = database
        self._analytics = analytics
        self._feed = feed
        self._days = days
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name="retention")

    async def close(self) -> None:
        """Stop; what is half done is taken up at the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def run(self, moment: datetime | None = None) -> None:
        """Do all that is due."""
        await self.forget_deleted_tenants()
        for log in LOGS.values():
            if self._days[log.name]:
                ended = (moment or now()).astimezone(UTC).date() - timedelta(days=self._days[log.name])
                await self._archive(log, ended.replace(day=1))
                await self._forget(log)

    async def forget_tenant(self, tenant_id: str) -> None:
        """Erase all of a tenant that was deleted from the database, from analytics and from every archive."""

        def forget(session: Session) -> None:
            analytics_archives.forget(self._analytics, session, tenant_id)
            analytics_intake.forget(session, tenant_id)

        async with self._feed.held():
            await self._feed.on_thread(forget)

    async def forget_deleted_tenants(self) -> None:
        """Erase what is left of tenants that are no longer in the database, as when a kill came between."""

        def known(session: Session) -> set[str]:
            archives = [archive for log in LOGS.values() for archive in analytics_archives.registered(session, log)]
            archived = [analytics_archives.tenants(self._analytics, session, archive) for archive in archives]
            return analytics_intake.tenants(session).union(*archived)

        found = await self._feed.on_thread(known)
        for tenant_id in await analytics_record.unknown_tenants(self._feed.reading, tenant_ids=found):
            await self.forget_tenant(tenant_id)

    async def _run(self) -> None:
        seconds = FIRST_SECONDS
        while True:
            await asyncio.sleep(seconds)
            seconds = AGAIN_SECONDS
            try:
                await self.run()
            except Damaged:
                self._feed.note_damage()
            except Exception:
                logger.exception("old events can't be archived now; they stay in the database")

    async def _archive(self, log: Log, day: date) -> None:
        """Write the months that ended before a day into files."""
        months = await self._feed.on_thread(partial(analytics_archives.months, log=log, day=day.isoformat()))
        for month in months:
            archive = await self._feed.on_thread(partial(self._write, log=log, month=month))
            if archive is not None:
                logger.info("archived", log=log.name, month=archive.month, rows=archive.row_count)

    def _write(self, session: Session, *, log: Log, month: str) -> Archive | None:
        through = analytics_archives.boundary(session, log, day=_following(month))
        return analytics_archives.write(self._analytics, session, log, month=month, through=through)

    async def _forget(self, log: Log) -> None:
        """Have the database forget what the archives hold, a few rows at a time; raises NotTheSame where they differ."""
        archives = await self._feed.on_thread(partial(analytics_archives.registered, log=log))
        first, _ = await analytics_record.ends(self._feed.reading, log)
        through = max((archive.through for archive in archives), default=0)
        if first is None or first > through:
            return
        await self._compare(log, above=first - 1, through=through)
        if log is USAGE:
            await self._repeat(partial(_forget_usage, through=through))
            return
        for archive in archives:
            if log is AUDIT and archive.through >= first:
                await self._forget_entries(archive)

    async def _compare(self, log: Log, *, above: int, through: int) -> None:
        work = partial(analytics_archives.sums, self._analytics, log=log, above=above, through=through)
        archived = await self._feed.on_thread(work)
        recorded = await analytics_record.sums(self._feed.reading, log, above=above, through=through)
        if archived != recorded:
            raise NotTheSame(f"the archives of {log.name} hold {archived} where the database holds {recorded}")

    async def _forget_entries(self, archive: Archive) -> None:
        """Cut each chain at the last of its entries that an archive holds."""
        ends = await self._feed.on_thread(partial(analytics_archives.ends_of_chains, self._analytics, archive=archive))
        for tenant_id, sequence, count in ends:
            unit = partial(_forget_chain, tenant_id=tenant_id, sequence=sequence, month=archive.month, count=count)
            await self._repeat(unit)

    async def _repeat(self, unit: Callable[[Transaction], Awaitable[bool]]) -> None:
        """Do a piece of work again until there is no more of it, with room for others between."""
        is_more = True
        while is_more:
            is_more = await self._database.write(unit)
            await asyncio.sleep(FORGET_PAUSE_SECONDS)


async def _forget_usage(transaction: Transaction, *, through: int) -> bool:
    return await analytics_record.forget_usage(transaction, through=through, row_count=FORGET_ROWS) == FORGET_ROWS


async def _forget_chain(transaction: Transaction, *, tenant_id: str, sequence: int, month: str, count: int) -> bool:
    """Drop entries of a chain, and say in it with the first of them what goes; whether there are more."""
    said = await audit_chain.archived_through(transaction, tenant_id)
    dropped, left = await audit_chain.forget_through(transaction, tenant_id, sequence=sequence, row_count=FORGET_ROWS)
    if dropped and said < sequence:
        details = {"month": month, "entries": count, "through_sequence": sequence}
        await audit.record(transaction, tenant_id, event_type="audit.archived", actor=audit.SYSTEM, details=details)
    return bool(left)


def _following(month: str) -> str:
    """Return the first day after a month."""
    first = date.fromisoformat(f"{month[:7]}-01")
    return (first + timedelta(days=32)).replace(day=1).isoformat()
