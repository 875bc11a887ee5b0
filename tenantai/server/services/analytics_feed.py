"""The way of usage and audit events from the database into analytics, a batch at a time, in the background.

What must stay true: DuckDB is written to on one thread, for which the event loop never waits; whatever happens to its file, it is
made anew from the database and the archives; and what is not yet taken is told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal, TypeVar

import aiosqlite
import structlog

from tenantai.errors import NotReady
from tenantai.identifiers import timestamp
from tenantai.storage import analytics_intake, analytics_record
from tenantai.storage.analytics import Analytics, Damaged, Session
from tenantai.storage.analytics_rebuilding import prepare
from tenantai.storage.analytics_tables import LOGS, USAGE, Log, LogName
from tenantai.storage.database import Database, Reading, Row, Transaction, connect

BATCH_ROWS = 5_000
FEED_SECONDS = 5.0
RETRY_SECONDS = 5.0
AGAIN_SECONDS = 0.5
DOWN = "Analytics are down; the log has the reason. The server tries again by itself."
ARCHIVE_LOST = "An archive of analytics is missing or can't be read; the log names it."

T = TypeVar("T")
State = Literal["up", "rebuilding", "down"]

logger = structlog.get_logger("tenantai.analytics")


@dataclass(frozen=True, slots=True)
class Status:
    """How analytics are; `error` says what is wrong."""

    state: State
    error: str | None = None


class AnalyticsFeed:
    """Keeps analytics as they should be until it is closed; `settle` brings into the database what is still on its way there."""

    def __init__(self, database: Database, analytics: Analytics, *, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        self.status = Status("rebuilding")
        self._database = database
        self._analytics = analytics
        self._settle = settle
        self._thread = ThreadPoolExecutor(1, "analytics")
        self._session: Session | None = None
        self._reader: aiosqlite.Connection | None = None
        self._taking = asyncio.Lock()
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._cursors: dict[LogName, analytics_intake.Cursor] = {}
        self._complete_through: str | None = None
        self._compacted: datetime | None = None
        self._lost = self._is_damaged = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin, in the background."""
        await self.connect()
        self._task = asyncio.create_task(self._run(), name="analytics")

    async def close(self) -> None:
        """Stop at the next batch's end; what was not taken is taken at the next start."""
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if self._task is not None:
            self._task.cancel()
            if self._session is not None:
                self._session.interrupt()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
        self._thread.shutdown()
        await reader.close()

    @property
    def complete_through(self) -> str | None:
        """The time up to which analytics have everything, None where they have nothing yet."""
        if self._complete_through is not None:
            return self._complete_through
        taken = self._cursors.get(USAGE.name)
        return taken.moment if taken else None

    async def catch_up(self, *, seconds: float) -> None:
        """Wait until what is in the database now is taken, or for so long."""
        taken = asyncio.get_running_loop().create_future()
        self._waiting.append(taken)
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await taken

    async def on_thread(self, work: Callable[[Session], T]) -> T:
        """Return what work on the thread that writes comes to; raises NotReady where analytics are closed, and Damaged."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(self._worked, work))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Take nothing while the block runs."""
        async with self._taking:
            yield

    async def ask(self) -> None:
        """Ask analytics something small, beside what they are at; raises NotReady or Damaged."""
        await asyncio.to_thread(self._ask)

    def _ask(self) -> None:
        with self._analytics.session() as session:
            session.one("SELECT number FROM layout")

    def note_damage(self) -> None:
        """Have the file made anew: a question found it damaged."""
        self._is_damaged = True
        self._wake.set()

    async def connect(self) -> None:
        """Open the feed's own way to read the database, and no more."""
        self._reader = await connect(self._database.path, read_only=True)

    async def rebuild(self) -> dict[LogName, int]:
        """Throw the file away and make it anew now; the numbers of the last rows taken. For a command: nothing else may run."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._analytics.discard)
        await self._prepare()
        await self._take_all()
        return {name: taken.number for name, taken in self._cursors.items()}

    @property
    def reading(self) -> Reading:
        """The feed's own way to read the database; raises NotReady before it is open."""
        if self._reader is None:
            raise NotReady(DOWN)
        return Reading(self._reader)

    async def _run(self) -> None:
        """Take, again and again; a fault is told, and what it spoiled made anew."""
        while True:
            try:
                await self._prepare()
                await self._take_all()
                self._refuse_damaged()
                self.status = Status("up", ARCHIVE_LOST if self._lost else None)
            except Damaged:
                logger.warning("analytics are damaged; they are made anew", exc_info=True)
                await self._begin_anew()
            except Exception as error:  # noqa: BLE001  the feed outlives any fault
                await self._fail(error)
            else:
                await self._pause(FEED_SECONDS)

    async def _begin_anew(self) -> None:
        """Throw the file away; where it can't be, it is tried again later."""
        try:
            await self._throw_away()
        except OSError as error:
            self._is_damaged = True
            await self._fail(error)
            return
        self._release()
        await self._pause(AGAIN_SECONDS)

    def _refuse_damaged(self) -> None:
        if self._is_damaged:
            raise Damaged

    async def _fail(self, error: Exception) -> None:
        logger.error("analytics can't go on now", exc_info=error)
        self.status = Status("down", error.message if isinstance(error, NotReady) else DOWN)
        self._release()
        await self._pause(RETRY_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _prepare(self) -> None:
        """Open the file, and bring it together with the archives and the database, where that is not done."""
        if self._cursors:
            return
        self._complete_through = None
        self.status = Status("rebuilding")
        ends = {log.name: (await analytics_record.ends(self.reading, log))[1] for log in LOGS.values()}
        prepared = await asyncio.get_running_loop().run_in_executor(self._thread, prepare, self._analytics, ends)
        for path in prepared.lost:
            logger.error("an archive of analytics is missing or can't be read", path=str(path))
        self._lost = bool(prepared.lost)
        for log in LOGS.values():
            archived = prepared.archived.get(log.name, 0)
            if archived > ends[log.name]:
                await self._skip_numbers(log, archived)
        self._cursors = dict(prepared.cursors)

    async def _skip_numbers(self, log: Log, number: int) -> None:
        async def unit(transaction: Transaction) -> None:
            await analytics_record.use_numbers_behind(transaction, log, number=number)

        await self._database.write(unit)

    async def _take_all(self) -> None:
        """Take whatever is in the database now, and let those go on who wait for it."""
        self._wake.clear()
        waiting, self._waiting = self._waiting, []
        try:
            began = timestamp()
            if self._settle is not None:
                await self._settle()
            for log in LOGS.values():
                while await self._take(log) == BATCH_ROWS:
                    pass
            self._complete_through = began
            await self._compact()
        finally:
            _let_go(waiting)

    async def _take(self, log: Log) -> int:
        """Take a batch; how many rows it had."""
        async with self._taking:
            behind = self._cursors[log.name].number
            rows = await analytics_record.rows_after(self.reading, log, number=behind, row_count=BATCH_ROWS)
            if rows:
                self._cursors[log.name] = await self.on_thread(partial(_taken, log=log, rows=rows))
        return len(rows)

    async def _compact(self) -> None:
        """Add up the hours that are over, by the newest event and by the clock, a span at a time."""
        moment = self._cursors[USAGE.name].moment
        hour = None if moment is None else _hour(min(moment, timestamp()))
        if hour is not None and hour != self._compacted:
            while await self.on_thread(partial(analytics_intake.compact, until=hour)):
                pass
            self._compacted = hour

    def _worked(self, work: Callable[[Session], T]) -> T:
        """Do work in a session; on the thread."""
        if self._session is None:
            self._session = self._analytics.begin()
        return work(self._session)

    def _shut(self) -> None:
        """Close the file; on the thread."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
        self._analytics.close()

    async def _throw_away(self) -> None:
        """Forget the file and all that was read from it."""

        def discard() -> None:
            self._shut()
            self._analytics.discard()

        self._cursors = {}
        self._compacted, self._is_damaged = None, False
        await asyncio.get_running_loop().run_in_executor(self._thread, discard)

    def _release(self) -> None:
        """Let those go on who wait; they are told how far analytics came."""
        waiting, self._waiting = self._waiting, []
        _let_go(waiting)
        self._wake.clear()


def _taken(session: Session, *, log: Log, rows: Sequence[Row]) -> analytics_intake.Cursor:
    analytics_intake.take(session, log, rows)
    return analytics_intake.cursor(session, log)


def _hour(moment: str) -> datetime | None:
    """Return the hour that a time is in, None where someone spoiled the time by hand."""
    with suppress(ValueError):
        return datetime.fromisoformat(moment).astimezone(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return None


def _let_go(waiting: Sequence[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
