"""DuckDB, which counts what the record in SQLite holds: its file, its sessions, and what its failures mean.

What must stay true: this is the only module that imports duckdb; the file can be thrown away at any time, for the database and
the archives hold all that is in it; files outside its folder are out of its reach; and nothing here runs on an event loop.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tenantai.errors import NotReady
from tenantai.storage.analytics_tables import TABLES, VERSION

FILE = "analytics.duckdb"
SCRATCH = "scratch"
BATCH = "batch"

Row = tuple[Any, ...]
Columns = Mapping[str, NDArray[Any]]

CLOSED = "Analytics are not open now. Try again shortly."
HELD = "Another program holds the file of analytics. Close it; the server tries again by itself."
TOO_SLOW = "This question takes too long. Ask for a shorter span or a longer interval."
TOO_LARGE = "This question takes more memory than analytics may have. Ask for a shorter span."
DISK = "The server cannot write to its disk now. Tell the operator; nothing was changed."
FAILED = "Analytics cannot answer now. Try again shortly."


class Damaged(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """The file cannot be used and must be made anew."""


class Session:
    """One line of questions to the file; a thread of its own uses it, while any thread may interrupt it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, **given: Any) -> list[Row]:
        """Return every row; raises NotReady with a sentence that says why not, or Damaged."""
        with _translated():
            return self._connection.execute(sql, given or None).fetchall()

    def one(self, sql: str, **given: Any) -> Row:
        """Return the first row, empty where there is none."""
        return next(iter(self.rows(sql, **given)), ())

    @contextmanager
    def batch(self, columns: Columns) -> Iterator[None]:
        """Let statements within the block read these columns as the table `batch`."""
        with _translated():
            self._connection.register(BATCH, columns)
        try:
            yield
        finally:
            with suppress(duckdb.Error):
                self._connection.unregister(BATCH)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block does, all of it or nothing."""
        self.rows("BEGIN")
        try:
            yield
            self.rows("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")
            raise

    def interrupt(self) -> None:
        """Stop the statement that runs now, if one does."""
        with suppress(duckdb.Error):
            self._connection.interrupt()

    def close(self) -> None:
        """End the session."""
        self._connection.close()


class Analytics:
    """The file and its folder; `threads` work on one statement at most, all statements share the memory."""

    def __init__(self, folder: Path, *, memory_bytes_max: int, threads: int) -> None:
        self.folder = folder
        self.scratch = folder / SCRATCH
        self._file = folder / FILE
        self._options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{memory_bytes_max // 2**20}MiB",
            "threads": threads,
            "temp_directory": str(self.scratch),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._connection: duckdb.DuckDBPyConnection | None = None

    def open(self) -> None:
        """Open the file, made where it is not there; raises Damaged, and NotReady where another program holds it."""
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self.scratch.iterdir():
            if leftover.is_file():
                leftover.unlink()
        try:
            self._connection = self._opened()
        except duckdb.Error as error:
            raise _unopened(error) from error
        if self._connection.execute("SELECT number FROM layout").fetchall() != [(VERSION,)]:
            raise Damaged

    def close(self) -> None:
        """Close the file; sessions that are still open end with an error."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(duckdb.Error):
                connection.close()

    def discard(self) -> None:
        """Throw the file away."""
        self.close()
        for path in (self._file, self._file.with_name(f"{FILE}.wal")):
            path.unlink(missing_ok=True)

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._connection is not None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a session of its own; raises NotReady where the file is closed."""
        session = self.begin()
        try:
            yield session
        finally:
            session.close()

    def begin(self) -> Session:
        """Return a session of its own, to be closed; raises NotReady where the file is closed."""
        if self._connection is None:
            raise NotReady(CLOSED)
        with _translated():
            return Session(self._connection.cursor())

    def _opened(self) -> duckdb.DuckDBPyConnection:
        """Connect, shut the way to other files, and make the tables."""
        connection = duckdb.connect(self._file, config=self._options)
        try:
            connection.execute(f"SET allowed_directories = [{literal(f'{self.folder}/')}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            connection.execute("BEGIN")
            connection.execute(TABLES)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._file.chmod(0o600)
        return connection


def _unopened(error: duckdb.Error) -> Exception:
    """Return what a failure to open means: whatever is not the file's own fault is no reason to throw it away."""
    said = str(error).lower() if isinstance(error, duckdb.IOException) else ""
    if "lock" in said:
        return NotReady(HELD)
    return NotReady(DISK) if any(word in said for word in ("space", "permission", "too many open")) else Damaged()


def literal(text: str) -> str:
    """Return text as SQL has it, for the few places that take no parameter, such as a file's name."""
    return "'" + text.replace("'", "''") + "'"


def texts(values: Sequence[object]) -> NDArray[Any]:
    """Return a column of texts, None where there is none."""
    return np.array([value if value is None or isinstance(value, str) else str(value) for value in values], dtype=object)


def numbers(values: Sequence[object]) -> NDArray[Any]:
    """Return a column of whole numbers, 0 for what is none."""
    return np.array([value if isinstance(value, int) else 0 for value in values], dtype=np.int64)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what DuckDB raises into what it means here."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise NotReady(TOO_SLOW) from error
    except duckdb.OutOfMemoryException as error:
        raise NotReady(TOO_LARGE) from error
    except duckdb.ConnectionException as error:
        raise NotReady(CLOSED) from error
    except duckdb.IOException as error:
        raise NotReady(DISK if "space" in str(error).lower() else FAILED) from error
    except (duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException) as error:
        raise Damaged from error
    except duckdb.Error as error:
        if "corrupt" in str(error).lower():
            raise Damaged from error
        raise
