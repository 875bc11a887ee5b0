"""SQLite behind one writer and a few readers, driven through aiosqlite.

What must stay true: every write goes through `Database.write`, whose units wait for nothing but the database; units that
wait together are committed together, and each succeeds or fails alone.

Statements are written in SQLAlchemy Core, compiled once by `compiled`, and run on the driver directly: the reasons and the
figures are in docs/decisions/0002-storage.md.
"""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Executable, Table, bindparam
from sqlalchemy.dialects import sqlite

from tenantai.errors import NotReady

READERS = 2
UNITS_PER_COMMIT = 64
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
)
DIALECT = sqlite.dialect(paramstyle="named")

T = TypeVar("T")
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A statement compiled for the driver, with the parameters it brought along."""

    sql: str
    parameters: Mapping[str, Any]

    def bound(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters to run with; those given win."""
        return {**self.parameters, **given} if self.parameters else given


def compiled(statement: Executable | str) -> Query:
    """Compile a Core statement, or take SQL as it is; do this at import or behind a cache, never per request."""
    if isinstance(statement, str):
        return Query(statement, {})
    result = statement.compile(dialect=DIALECT)  # type: ignore[attr-defined]
    return Query(
        str(result),
        {name: value for name, value in result.params.items() if name not in result.binds or not result.binds[name].required},
    )


def insertion(table: Table, names: Iterable[str]) -> Query:
    """Compile an INSERT of the columns named; the others get their defaults."""
    return compiled(table.insert().values({name: bindparam(name) for name in names}))


class Reading:
    """Runs queries on one connection; each call is one trip to its thread."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def all(self, query: Query, **given: Any) -> list[Row]:
        """Return every row; raises NotReady where the database cannot be read now."""
        try:
            return list(await self._connection.execute_fetchall(query.sql, query.bound(given)))
        except sqlite3.OperationalError as error:
            raise NotReady("The server cannot reach its database now. Try again shortly; nothing was changed.") from error

    async def one(self, query: Query, **given: Any) -> Row | None:
        """Return the first row, or None."""
        rows = await self.all(query, **given)
        return rows[0] if rows else None


class Transaction(Reading):
    """Runs statements inside the writer's transaction."""

    async def run(self, query: Query, **given: Any) -> list[Row]:
        """Run a statement and return what its RETURNING clause says."""
        return await self.all(query, **given)

    async def run_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each row, in one trip."""
        if rows:
            await self._connection.executemany(query.sql, rows)


Unit = Callable[[Transaction], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    """A unit of one statement."""

    query: Query
    given: Mapping[str, Any]

    def __call__(self, transaction: Transaction) -> Awaitable[list[Row]]:
        """Run it."""
        return transaction.run(self.query, **self.given)


class Database:
    """The connections to one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers: list[aiosqlite.Connection] = []
        self._turn = itertools.count()
        self._units: asyncio.Queue[tuple[Unit, asyncio.Future[Any]]] = asyncio.Queue()
        self._writer: aiosqlite.Connection | None = None
        self._committing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; the file and its tables must exist."""
        self._writer = await connect(self.path)
        self._readers = [await connect(self.path, read_only=True) for _ in range(READERS)]
        self._committing = asyncio.create_task(self._commit_forever(self._writer), name="database writer")

    async def close(self) -> None:
        """Commit what waits, then disconnect."""
        await self._units.join()
        if self._committing is not None:
            self._committing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._committing
        for connection in (*self._readers, self._writer):
            if connection is not None:
                await connection.close()
        self._readers, self._writer = [], None

    @property
    def reading(self) -> Reading:
        """A reader; the next call may get another one."""
        return Reading(self._readers[next(self._turn) % len(self._readers)])

    async def write(self, unit: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a unit of work in a transaction and return its result once it is committed.

        The unit runs even where the caller is cancelled meanwhile. Raises what the unit raises, or NotReady where the
        database cannot write.
        """
        committed: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._units.put_nowait((unit, committed))
        return await committed

    async def write_one(self, query: Query, **given: Any) -> list[Row]:
        """Run one statement as a unit by itself: it needs neither BEGIN nor a savepoint, for SQLite undoes it alone."""
        committed: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._units.put_nowait((Statement(query, given), committed))
        return await committed

    async def _commit_forever(self, writer: aiosqlite.Connection) -> None:
        while True:
            batch = [await self._units.get()]
            while len(batch) < UNITS_PER_COMMIT and not self._units.empty():
                batch.append(self._units.get_nowait())
            try:
                await _commit(writer, batch)
            finally:
                for _ in batch:
                    self._units.task_done()


async def connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """Open a connection with the pragmas that every connection needs."""
    connection = await aiosqlite.connect(path, isolation_level=None, cached_statements=512)
    for pragma in (*PRAGMAS, "PRAGMA query_only = ON") if read_only else PRAGMAS:
        await connection.execute_fetchall(pragma)
    return connection


async def _commit(writer: aiosqlite.Connection, batch: Sequence[tuple[Unit, asyncio.Future[Any]]]) -> None:
    """Run a batch of units in one transaction and settle their futures."""
    outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
    if len(batch) == 1 and isinstance(batch[0][0], Statement):
        _settle(batch[0][1], *await _attempt(writer, batch[0][0], alone=True))
        return
    try:
        await writer.execute_fetchall("BEGIN IMMEDIATE")
        for unit, committed in batch:
            outcomes.append((committed, *await _attempt(writer, unit, alone=len(batch) == 1)))
        await writer.execute_fetchall("COMMIT" if any(error is None for _, _, error in outcomes) else "ROLLBACK")
    except (sqlite3.Error, asyncio.CancelledError) as failure:
        with contextlib.suppress(sqlite3.Error):
            await writer.execute_fetchall("ROLLBACK")
        outcomes = [(committed, None, failure) for _, committed in batch]
        if isinstance(failure, asyncio.CancelledError):
            raise
    finally:
        for committed, result, error in outcomes:
            _settle(committed, result, error)


async def _attempt(writer: aiosqlite.Connection, unit: Unit, *, alone: bool) -> tuple[Any, BaseException | None]:
    """Run one unit; where others share the transaction, a savepoint keeps its failure from them."""
    alone = alone or isinstance(unit, Statement)
    if not alone:
        await writer.execute_fetchall("SAVEPOINT unit")
    result: Any = None
    error: Exception | None = None
    try:
        result = await unit(Transaction(writer))
    except Exception as failure:  # noqa: BLE001  whatever a unit raises belongs to its caller
        error = failure
        if not alone:
            await writer.execute_fetchall("ROLLBACK TO unit")
    if not alone:
        await writer.execute_fetchall("RELEASE unit")
    return result, error


def _settle(committed: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if committed.done():
        return
    if error is None:
        committed.set_result(result)
    elif isinstance(error, sqlite3.OperationalError):
        unavailable = NotReady("The server cannot write to its database now. Try again shortly; nothing was changed.")
        unavailable.__cause__ = error
        committed.set_exception(unavailable)
    else:
        committed.set_exception(error)
