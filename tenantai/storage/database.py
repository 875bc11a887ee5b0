"""SQLite behind one writer, on a thread of its own, and a few readers, driven through aiosqlite.

What must stay true: every write goes through `Database.write`, whose units await nothing but their transaction; units that
wait together are committed together, and each succeeds or fails alone.

Statements are written in SQLAlchemy Core, compiled once by `compiled`, and run on the driver directly: the reasons and the
figures are in docs/decisions/0002-storage.md.
"""

import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Executable, Table, bindparam
from sqlalchemy.dialects import sqlite

from tenantai.errors import NotReady
from tenantai.storage.writer import Repeatable, Statement, Writer, Written

READERS = 2
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
)
DIALECT = sqlite.dialect(paramstyle="named")
insert = sqlite.insert
"""An INSERT that may say what becomes of a conflict; that of PostgreSQL's dialect has the same methods."""

T = TypeVar("T")
Row = Sequence[Any]


class Query:
    """A statement, compiled for the driver when it is first run: two hundred at once would hold a start up for 0.1 s."""

    def __init__(self, statement: Executable | str) -> None:
        self._statement = statement

    @cached_property
    def sql(self) -> str:
        """What the driver runs."""
        return self._compiled[0]

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters that the statement brought along."""
        return self._compiled[1]

    @cached_property
    def _compiled(self) -> tuple[str, Mapping[str, Any]]:
        if isinstance(self._statement, str):
            return self._statement, {}
        result = self._statement.compile(dialect=DIALECT)  # type: ignore[attr-defined]
        given = {name: value for name, value in result.params.items() if not getattr(result.binds.get(name), "required", False)}
        return str(result), given

    def bound(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters to run with; those given win."""
        return {**self.parameters, **given} if self.parameters else given


def compiled(statement: Executable | str) -> Query:
    """Have a Core statement compiled once, or take SQL as it is; do this at import or behind a cache, never per request."""
    return Query(statement)


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
    """Runs statements inside the writer's transaction, on the writer's thread: nothing here ever waits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._writing = connection

    async def all(self, query: Query, **given: Any) -> list[Row]:
        """Return every row."""
        return self._writing.execute(query.sql, query.bound(given)).fetchall()

    async def run(self, query: Query, **given: Any) -> list[Row]:
        """Run a statement and return what its RETURNING clause says."""
        return self._writing.execute(query.sql, query.bound(given)).fetchall()

    async def run_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each row."""
        self._writing.executemany(query.sql, rows)


class Database:
    """The connections to one SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers: list[aiosqlite.Connection] = []
        self._looking_up: aiosqlite.Connection | None = None
        self._searching: aiosqlite.Connection | None = None
        self._turn = itertools.count()
        self._writer = Writer(path, pragmas=PRAGMAS)

    @property
    def written(self) -> Written:
        """What was written since the start."""
        return self._writer.written

    async def open(self) -> None:
        """Connect; the file and its tables must exist."""
        await self._writer.open()
        self._readers = [await connect(self.path, read_only=True) for _ in range(READERS)]
        self._looking_up = await connect(self.path, read_only=True)
        self._searching = await connect(self.path, read_only=True)

    async def close(self) -> None:
        """Commit what waits, then disconnect."""
        await self._writer.close()
        for connection in (*self._readers, *filter(None, (self._looking_up, self._searching))):
            await connection.close()
        self._looking_up = self._searching = None
        self._readers = []

    @property
    def reading(self) -> Reading:
        """A reader; the next call may get another one."""
        return Reading(self._readers[next(self._turn) % len(self._readers)])

    @property
    def looking_up(self) -> Reading:
        """The reader for what every request needs (keys, ledgers), which no long question holds up."""
        return _reading_of(self._looking_up)

    @property
    def searching(self) -> Reading:
        """The reader for questions that look through a tenant's whole history, one after the other: others wait for none."""
        return _reading_of(self._searching)

    async def write(self, unit: Callable[[Transaction], Awaitable[T]], *, may_repeat: bool = False) -> T:
        """Run a unit of work in a transaction and return its result once it is committed.

        The unit runs on the writer's thread, and to its end even where the caller is cancelled meanwhile; it can await nothing
        but its transaction. One that `may_repeat` changes nothing but the database: it is run again where another one that is
        committed with it fails, and costs less for it. Raises what the unit raises, or NotReady where the database cannot write.
        """

        def work(connection: sqlite3.Connection) -> Awaitable[T]:
            return unit(Transaction(connection))

        result: T = await self._writer.submit(Repeatable(work) if may_repeat else work)
        return result

    async def write_one(self, query: Query, **given: Any) -> list[Row]:
        """Run one statement as a unit by itself, which costs less."""
        rows: list[Row] = await self._writer.submit(Statement(query.sql, query.bound(given)))
        return rows


def _reading_of(connection: aiosqlite.Connection | None) -> Reading:
    if connection is None:
        raise NotReady("The server's database is closed. Try again shortly; nothing was changed.")
    return Reading(connection)


async def connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """Open a connection with the pragmas that every connection needs."""
    connection = await aiosqlite.connect(path, isolation_level=None, cached_statements=512)
    for pragma in (*PRAGMAS, "PRAGMA query_only = ON") if read_only else PRAGMAS:
        await connection.execute_fetchall(pragma)
    return connection
