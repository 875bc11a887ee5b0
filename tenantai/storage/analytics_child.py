"""The child process that runs one SELECT of somebody else's over copies of tables, in a DuckDB of its own.

What must stay true: the process holds nothing but what whoever asks may read; before their text is looked at, files,
extensions and settings are out of reach.
"""

import math
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from datetime import time as time_of_day
from typing import Any

import duckdb

from tenantai.sandbox.child import serve
from tenantai.sandbox.frames import dumped, framed

ANSWER_CHARACTERS_MAX = 4_000_000
CELL_CHARACTERS_MAX = 10_000
ITEMS_MAX, DEPTH_MAX = 1000, 8
COLUMNS_MAX, NAME_CHARACTERS_MAX = 1000, 300
EXACT_MAX = 2**53
BATCH_ROWS = 100
SENTENCE_CHARACTERS_MAX = 300
FRAME_CHARACTERS = 1_000_000

ONE = "must be one statement"
SELECT_ONLY = "must be a SELECT: nothing can be changed here"
NO_PARAMETERS = "must have no parameters"
OUT_OF_REACH = "asks for files, the network or settings, which are out of reach here"
TOO_LARGE = "takes more memory than a question may have"
TOO_SLOW = "takes too long"
TOO_WIDE = f"has more than {COLUMNS_MAX} columns"
Job = dict[str, Any]


class Refused(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """SQL that is not run, or came to nothing."""


def main() -> None:
    """Serve until stdin closes."""
    serve(_answer)


def _answer(job: Job) -> Iterable[bytes]:
    try:
        answer = _asked(job)
    except Refused as refused:
        answer = {"problem": str(refused)}
    except MemoryError:
        answer = {"problem": TOO_LARGE}
    except Exception:  # noqa: BLE001  whatever a statement makes of the engine ends this question alone
        answer = {"problem": "could not be answered"}
    whole = dumped(answer)
    pieces = [whole[at : at + FRAME_CHARACTERS] for at in range(0, len(whole), FRAME_CHARACTERS)]
    return [framed(dumped({"frames": len(pieces)})), *map(framed, pieces)]


def _asked(job: Job) -> dict[str, Any]:
    with closing(_prepared(job["tables"], memory_bytes=job["memory_bytes"])) as connection:
        return _answered(connection, job)


def _answered(connection: duckdb.DuckDBPyConnection, job: Job) -> dict[str, Any]:
    statement = _one_select(connection, job["sql"])
    began = time.perf_counter()
    alarm = threading.Timer(job["seconds"], connection.interrupt)
    alarm.daemon = True
    alarm.start()
    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute(statement)
        columns = _columns(connection)
        rows, truncated = _rows(connection, job["row_count"])
    except duckdb.Error as error:
        raise Refused(_sentence(error)) from error
    finally:
        alarm.cancel()
        alarm.join()
    return {"columns": columns, "rows": rows, "truncated": truncated, "elapsed_ms": (time.perf_counter() - began) * 1000}


def _prepared(tables: dict[str, str], *, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """Return a database with the tables and nothing else, from which no way leads out."""
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_bytes // 2**20}MiB",
        "threads": 1,
        "temp_directory": "",
        "secret_directory": "none",
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
    }
    connection = duckdb.connect(":memory:", config=options)
    try:
        for name, path in tables.items():
            connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM read_parquet($path)', {"path": path})
    except duckdb.Error as error:
        raise Refused(TOO_LARGE) from error
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise Refused(_sentence(error)) from error
    if len(statements) != 1:
        raise Refused(ONE)
    if statements[0].type != duckdb.StatementType.SELECT:
        raise Refused(SELECT_ONLY)
    if statements[0].named_parameters:
        raise Refused(NO_PARAMETERS)
    return statements[0]


def _columns(connection: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    described = connection.description or []
    if len(described) > COLUMNS_MAX:
        raise Refused(TOO_WIDE)
    return [
        {"name": _cut(str(name), NAME_CHARACTERS_MAX), "type": _cut(str(kind), NAME_CHARACTERS_MAX)}
        for name, kind, *_ in described
    ]


def _rows(connection: duckdb.DuckDBPyConnection, row_count: int) -> tuple[list[list[Any]], bool]:
    """Return so many rows as JSON can hold them, fewer where they are too large together, and whether there are more."""
    rows: list[list[Any]] = []
    characters = 0
    for row in _fetched(connection):
        if len(rows) == row_count:
            return rows, True
        shown = [_shown(value, DEPTH_MAX) for value in row]
        characters += len(dumped(shown))
        if characters > ANSWER_CHARACTERS_MAX:
            return rows, True
        rows.append(shown)
    return rows, False


def _fetched(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while batch := connection.fetchmany(BATCH_ROWS):
        yield from batch


def _shown(value: Any, depth: int) -> Any:  # noqa: PLR0911  one way out for each kind of value
    """Return a value as JSON holds it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT_MAX else _cut(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (datetime, date, time_of_day)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return _cut(bytes(value[:CELL_CHARACTERS_MAX]).hex())
    if isinstance(value, (list, tuple)):
        return [_shown(item, depth - 1) for item in value[:ITEMS_MAX]] if depth else "…"
    if isinstance(value, dict):
        items = list(value.items())[:ITEMS_MAX]
        return {_cut(str(name)): _shown(item, depth - 1) for name, item in items} if depth else "…"
    return _cut(str(value))


def _cut(text: str, characters_max: int = CELL_CHARACTERS_MAX) -> str:
    whole = text.encode("utf-8", "replace").decode()
    return whole if len(whole) <= characters_max else f"{whole[: characters_max - 1]}…"


def _sentence(error: duckdb.Error) -> str:
    """Return what is wrong with a statement; what the engine says of files and settings is its own affair."""
    if isinstance(error, duckdb.InterruptException):
        return TOO_SLOW
    if isinstance(error, duckdb.OutOfMemoryException):
        return TOO_LARGE
    said = str(error).split("\n\n", 1)[0].replace("\n", " ").strip()
    if isinstance(error, (duckdb.PermissionException, duckdb.IOException)) or "configuration" in said or "extension" in said:
        return OUT_OF_REACH
    if "read-only" in said:
        return SELECT_ONLY
    return f"is not understood: {said[:SENTENCE_CHARACTERS_MAX]}"


if __name__ == "__main__":
    main()
