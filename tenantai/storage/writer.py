"""The one connection that writes, on a thread of its own.

What must stay true: all that waits is run in one trip to the thread and committed together, and each unit succeeds or fails
alone; no event loop runs on the thread, so a unit of work can await nothing but its transaction, which never has to wait; and
nothing is said to be written that the next start would not find.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from tenantai.errors import NotReady

UNITS_PER_COMMIT = 64

Work = Callable[[sqlite3.Connection], Awaitable[Any]]
Outcome = tuple[Any, BaseException | None]
Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Statement:
    """A unit of one statement: it needs neither BEGIN nor a savepoint, for SQLite undoes it alone."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A unit that may be run twice, since it changes nothing but the database: it needs no savepoint, which copies pages."""

    work: Work


Unit = Work | Statement | Repeatable


@dataclass(slots=True)
class Written:
    """What was written since the start: transactions, units of work in them, and the time they took."""

    commits: int = 0
    units: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Units that are committed together, who waits for each, and since when, in seconds of the monotonic clock."""

    units: Sequence[Unit]
    futures: Sequence[asyncio.Future[Any]]
    began: float


class Writer:
    """Takes units of work from the event loop's thread and commits them on its own."""

    def __init__(self, path: Path, *, pragmas: Sequence[str]) -> None:
        self._path = path
        self._pragmas = pragmas
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._file: Identity | None = None
        self._waiting: list[tuple[Unit, asyncio.Future[Any]]] = []
        self._is_due = False
        self.written = Written()

    async def open(self) -> None:
        """Connect; the file must exist."""
        self._connection = await asyncio.to_thread(_connect, self._path, self._pragmas)
        self._file = _identity(self._path)
        on_loop = asyncio.get_running_loop().call_soon_threadsafe
        self._thread = Thread(target=self._commit_forever, args=(self._connection, on_loop), name="database writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Commit what waits, then disconnect; what comes after that is refused, so that nobody waits for ever."""
        if self._connection is None or self._thread is None:
            return
        with contextlib.suppress(NotReady):
            await self.submit(Statement("SELECT 1", {}))
        connection, self._connection = self._connection, None
        late, self._waiting = self._waiting, []
        self._batches.put(None)
        for _, committed in late:
            _settle(committed, None, sqlite3.OperationalError("the database was closed"))
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(connection.close)

    def submit(self, unit: Unit) -> asyncio.Future[Any]:
        """Return the future of what a unit returns; it is committed even where the future is cancelled meanwhile."""
        if self._connection is None:
            raise NotReady("The server's database is closed. Try again shortly; nothing was changed.")
        loop = asyncio.get_running_loop()
        committed: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((unit, committed))
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._hand_over)
        return committed

    def _hand_over(self) -> None:
        """Send what waits to the thread; what comes meanwhile goes with the next trip."""
        batch, self._waiting = self._waiting[:UNITS_PER_COMMIT], self._waiting[UNITS_PER_COMMIT:]
        self._is_due = bool(batch)
        if batch:
            self._batches.put(Batch([unit for unit, _ in batch], [committed for _, committed in batch], time.perf_counter()))

    def _commit_forever(self, connection: sqlite3.Connection, on_loop: Callable[..., object]) -> None:
        """Commit batches as they come, on the thread: a pool's thread would cost a turn of a chat a twentieth more."""
        while (batch := self._batches.get()) is not None:
            outcomes = self._commit(connection, batch.units)
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                on_loop(self._take_back, batch, outcomes)

    def _commit(self, connection: sqlite3.Connection, units: Sequence[Unit]) -> list[Outcome]:
        """Commit units; where the file was deleted, or another disk is in its folder's place, none: SQLite itself would go on."""
        if _identity(self._path) != self._file:
            return [(None, sqlite3.OperationalError("the database's file is no longer in its place"))] * len(units)
        return _commit(connection, units)

    def _take_back(self, batch: "Batch", outcomes: Sequence[Outcome]) -> None:
        self.written.commits += 1
        self.written.units += len(batch.units)
        self.written.seconds += time.perf_counter() - batch.began
        for committed, (result, error) in zip(batch.futures, outcomes, strict=True):
            _settle(committed, result, error)
        self._hand_over()


def write_alone(path: Path, unit: Work) -> Any:
    """Run a unit of work on a database that nobody has open, and return its result; blocking. Raises what the unit raises."""
    with contextlib.closing(_connect(path, ())) as connection:
        ((result, error),) = _commit(connection, [unit])
    if error is not None:
        raise error
    return result


def _identity(path: Path) -> Identity | None:
    """Return what tells a file from any other that comes to its place, None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  a microsecond for each commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path, pragmas: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=512, check_same_thread=False)
    for pragma in pragmas:
        connection.execute(pragma)
    return connection


def _commit(connection: sqlite3.Connection, units: Sequence[Unit]) -> list[Outcome]:
    """Run units in one transaction; each one's result, or what it raised."""
    alone = len(units) == 1
    try:
        if alone and isinstance(units[0], Statement):
            return [_attempt(connection, units[0], alone=True)]
        if not alone and all(isinstance(unit, Statement | Repeatable) for unit in units):
            together = _together(connection, units)
            if together is not None:
                return together
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(connection, unit, alone=alone) for unit in units]
        connection.execute("COMMIT" if any(error is None for _, error in outcomes) else "ROLLBACK")
    except BaseException as failure:  # noqa: BLE001  whatever it is, those who wait must hear of it
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        return [(None, failure)] * len(units)
    return outcomes


def _together(connection: sqlite3.Connection, units: Sequence[Unit]) -> list[Outcome] | None:
    """Run units in one transaction without savepoints; where one fails nothing is left of any, and all can be run again."""
    connection.execute("BEGIN IMMEDIATE")
    outcomes: list[Outcome] = []
    for unit in units:
        outcomes.append(_attempt(connection, unit, alone=True))
        if outcomes[-1][1] is not None:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return None
    connection.execute("COMMIT")
    return outcomes


def _attempt(connection: sqlite3.Connection, unit: Unit, *, alone: bool) -> Outcome:
    """Run one unit; where others share the transaction, a savepoint keeps its failure from them."""
    if isinstance(unit, Statement):
        return _run_statement(connection, unit, alone=alone)
    if not alone:
        connection.execute("SAVEPOINT unit")
    outcome: Outcome
    try:
        work = unit.work if isinstance(unit, Repeatable) else unit
        outcome = _run_without_loop(work(connection)), None
    except Exception as failure:  # noqa: BLE001  whatever a unit raises belongs to its caller
        outcome = None, failure
        if not alone:
            connection.execute("ROLLBACK TO unit")
    if not alone:
        connection.execute("RELEASE unit")
    return outcome


def _run_statement(connection: sqlite3.Connection, statement: Statement, *, alone: bool) -> Outcome:
    try:
        return connection.execute(statement.sql, statement.parameters).fetchall(), None
    except Exception as failure:
        if not alone and not connection.in_transaction:  # a full disk can make SQLite undo the others' work too
            raise sqlite3.OperationalError("the whole transaction was undone") from failure
        return None, failure


def _run_without_loop(work: Awaitable[Any]) -> Any:
    """Run a unit to its end; raises RuntimeError where it awaits what only an event loop could give."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    except RuntimeError as error:
        if "event loop" in str(error):
            raise _foreign_wait(work) from error
        raise
    steps.close()
    raise _foreign_wait(work)


def _foreign_wait(work: Awaitable[Any]) -> RuntimeError:
    name = getattr(work, "__qualname__", type(work).__name__)
    return RuntimeError(f"{name} awaited something other than its transaction. Await that before or after Database.write.")


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
