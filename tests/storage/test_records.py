"""Storage: every question names its tenant and has an index, and units of work are committed together but fail alone."""

import asyncio
import importlib
import inspect
import itertools
import pkgutil
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tenantai import storage
from tenantai.errors import NotReady
from tenantai.identifiers import new_id
from tenantai.storage import analytics_record, audit_log, conversations, operations, tenants
from tenantai.storage.analytics_tables import LOGS
from tenantai.storage.database import Database, Query, Reading, Transaction, compiled
from tenantai.storage.schema import metadata

NOT_NOUNS = {
    *("across_tenants", "blobs", "database", "full_text", "migrating", "migrations", "schema", "writer"),
    *(
        "analytics",
        "analytics_archives",
        "analytics_intake",
        "analytics_questions",
        "analytics_child",
        "analytics_copies",
        "analytics_overview",
        "analytics_rebuilding",
        "analytics_record",
    ),
    "analytics_tables",
}
MODULES = [importlib.import_module(f"tenantai.storage.{m.name}") for m in pkgutil.iter_modules(storage.__path__)]
NOUNS = [module for module in MODULES if module.__name__.rsplit(".", 1)[1] not in NOT_NOUNS]
FUNCTIONS = [
    (module, name, function)
    for module in NOUNS
    for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
    if function.__module__ == module.__name__
]
SCANS_ALLOWED = {
    "json_each": "the list that the caller handed in",
    "wanted": "the list that the caller handed in",
    "page_start": "the page starts of a chunk, which are a few",
    "full_text_terms VIRTUAL TABLE INDEX 1": "FTS5's own look-up of one term; INDEX 0 would be a scan",
    "WAITING_TENANTS": "walks the index of states, which holds the queue only",
    "REWRITE": "the one row of Alembic's",
    ".SEQUENCES": "SQLite's own table of the highest numbers: a row for each table that counts",
    ".SET_SEQUENCE": "the same",
    ".BEGIN_SEQUENCE": "the same",
    "SEGMENTS": "asked at a start; a row for each file of the usage journal, which are a few",
    ".COUNTERS": "asked by the operator's doctor and once after a start, in the background",
    "SCAN (subquery-1)": "the rows that a bounded walk of an index found",
    "OTHER_MODELS": "asked by the operator's doctor and at a rebuild, not by requests",
}


def test_nouns_are_found() -> None:
    """The walk below sees the modules it is about."""
    assert {"tenants", "accounts", "files", "chunks", "conversations"} <= {m.__name__.rsplit(".", 1)[1] for m in NOUNS}
    assert len(FUNCTIONS) > 30


@pytest.mark.parametrize(("module", "name", "function"), FUNCTIONS, ids=[f"{m.__name__}.{n}" for m, n, _ in FUNCTIONS])
def test_every_function_names_its_tenant(module: ModuleType, name: str, function: object) -> None:
    """A function of a noun takes a connection or transaction first, then a tenant, and its choices by keyword."""
    parameters = list(inspect.signature(function).parameters.values())  # type: ignore[arg-type]
    assert parameters[0].name in {"reading", "transaction", "database"}
    assert parameters[0].annotation in {Reading, Transaction, Database}
    assert (parameters[1].name, parameters[1].annotation) == ("tenant_id", str)
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[2:])


def _queries() -> dict[str, Query]:
    found = {f"{m.__name__}.{n}": v for m in MODULES for n, v in vars(m).items() if isinstance(v, Query)}
    for by_account in (False, True):
        for by_text in (False, True):
            found[f"conversations.page {by_account} {by_text}"] = conversations._page_query(
                by_account=by_account, by_text=by_text
            )
    filters = [names for count in range(4) for names in itertools.combinations(audit_log.NARROWEST_FIRST, count)]
    for names, of_store, newest_first in itertools.product(filters, (False, True), (False, True)):
        shape = f"{names} {of_store} {newest_first}"
        found[f"audit_log.page {shape}"] = audit_log._rows(names, of_store=of_store, newest_first=newest_first)
        found[f"audit_log.edge {shape}"] = audit_log._edge(names[:1], newest_first=newest_first)
        found[f"audit_log.total {shape}"] = audit_log._count(names, of_store=of_store)
    for log in LOGS.values():
        found[f"analytics_record.rows {log.name}"] = analytics_record.rows_query(log.name)
        found[f"analytics_record.first {log.name}"] = analytics_record.first_query(log.name)
        found[f"analytics_record.sums {log.name}"] = analytics_record.sums_query(log.name, log.summed)
    return found


QUERIES = _queries()


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_without_an_index(migrated: Path, name: str) -> None:
    """No statement reads a whole table, but for those allowed with their reason."""
    query = QUERIES[name]
    with closing(sqlite3.connect(migrated)) as connection:
        given = {**dict.fromkeys(re.findall(r":(\w+)", query.sql), "1"), **query.parameters}
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", given).fetchall()
    scans = [row[3] for row in plan if row[3].startswith("SCAN") and not row[3].startswith("SCAN CONSTANT")]
    unexplained = [s for s in scans if not any(known in s or name.endswith(known) for known in SCANS_ALLOWED)]
    assert unexplained == []


def test_newest_operation_of_an_account_is_two_steps_in_an_index(migrated: Path) -> None:
    """How far a key bound to an account is told costs no walk over the tenant's files or operations, however many there are."""
    query = operations.LATEST_SEEN
    with closing(sqlite3.connect(migrated)) as connection:
        given = {"of_tenant": "t", "account": "a", **query.parameters}
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", given)]
    newest = "SEARCH files USING INDEX ix_files_newest (tenant_id=? AND account_id=?)"
    assert plan.count(newest) == 2
    assert not [step for step in plan if step.endswith("(tenant_id=?)") or "TEMP B-TREE" in step or "CORRELATED" in step]


AUDIT_INDEXES = {
    (): "sqlite_autoindex_audit_entries_2 (tenant_id=? AND sequence>? AND sequence<?)",
    ("event_type",): "ix_audit_entries_event (tenant_id=? AND event_type=? AND sequence>? AND sequence<?)",
    ("actor", "event_type"): "ix_audit_entries_actor (tenant_id=? AND actor=? AND sequence>? AND sequence<?)",
    ("account_id", "actor"): "ix_audit_entries_account (tenant_id=? AND account_id=? AND sequence>? AND sequence<?)",
    ("subject_id", "asset_id"): "ix_audit_entries_subject (tenant_id=? AND subject_id=? AND sequence>? AND sequence<?)",
    ("asset_id",): "ix_audit_entries_asset (tenant_id=? AND asset_id=? AND sequence>? AND sequence<?)",
}


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("names", AUDIT_INDEXES, ids=str)
def test_audit_entries_are_found_in_their_order(migrated: Path, names: tuple[str, ...], newest_first: bool) -> None:
    """A page of the audit log steps through the index of its narrowest filter, from its place on, and sorts nothing."""
    for query in (
        audit_log._rows(names, of_store=False, newest_first=newest_first),
        audit_log._edge(names[:1], newest_first=newest_first),
    ):
        with closing(sqlite3.connect(migrated)) as connection:
            given = {**dict.fromkeys(re.findall(r":(\w+)", query.sql), 1), **query.parameters}
            (step,) = (row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", given))
        assert step.replace("COVERING ", "") == f"SEARCH audit_entries USING INDEX {AUDIT_INDEXES[names]}"


@pytest.mark.parametrize("may_repeat", [False, True])
async def test_units_that_wait_together_commit_together(database: Database, may_repeat: bool) -> None:
    """Units that wait for the writer share a commit; one that fails takes only its own changes with it."""

    async def unit(transaction: Transaction, number: int) -> int:
        await tenants.create(transaction, new_id(), name="T", email=f"{number}@x.org", plan="pro", moment="now")
        if number % 3 == 0:
            raise ValueError(number)
        return number

    traced: list[str] = []

    async def trace(transaction: Transaction) -> None:
        transaction._writing.set_trace_callback(traced.append)

    await database.write(trace)
    writes = [database.write(partial(unit, number=n), may_repeat=may_repeat) for n in range(30)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [o for o in outcomes if isinstance(o, int)] == [n for n in range(30) if n % 3]
    assert [o.args[0] for o in outcomes if isinstance(o, ValueError)] == list(range(0, 30, 3))
    assert traced.count("COMMIT") == 2  # the first is the tracing unit's own
    rows = await database.reading.all(compiled("SELECT email FROM tenants"))
    assert {row[0] for row in rows} == {f"{n}@x.org" for n in range(30) if n % 3}


async def test_units_that_may_repeat_need_no_savepoint(database: Database) -> None:
    """Units that may be run twice are run once, without savepoints, where none of those beside them fails."""
    runs: list[int] = []

    async def unit(transaction: Transaction, number: int) -> None:
        await tenants.create(transaction, new_id(), name="T", email=f"{number}@x.org", plan="pro", moment="now")
        runs.append(number)

    traced: list[str] = []

    async def trace(transaction: Transaction) -> None:
        transaction._writing.set_trace_callback(traced.append)

    await database.write(trace)
    await asyncio.gather(*(database.write(partial(unit, number=n), may_repeat=True) for n in range(5)))
    assert runs == [0, 1, 2, 3, 4]
    assert not [statement for statement in traced if "SAVEPOINT" in statement]
    await asyncio.gather(*(database.write(partial(unit, number=n), may_repeat=n > 5) for n in range(5, 8)))
    assert [statement for statement in traced if "SAVEPOINT" in statement]


async def test_unit_outlives_its_caller(database: Database) -> None:
    """A unit whose caller is cancelled is committed all the same."""

    async def unit(transaction: Transaction) -> None:
        await tenants.create(transaction, new_id(), name="T", email="t@x.org", plan="pro", moment="now")

    writing = asyncio.create_task(database.write(unit))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await database.write(lambda t: t.all(compiled("SELECT 1")))
    assert len(await database.reading.all(compiled("SELECT id FROM tenants"))) == 1


@pytest.mark.parametrize("value", ["half a character: \ud800", 2**80, object()], ids=["surrogate", "huge", "no type"])
async def test_what_can_not_be_bound(database: Database, value: object) -> None:
    """A statement whose value SQLite can't take fails alone, by itself and beside others, and the writer goes on."""
    insert = compiled("INSERT INTO tenants (id, name, email, plan, created_at, updated_at) VALUES (:v, :v, :v, 'pro', '', '')")
    with pytest.raises((UnicodeEncodeError, OverflowError, sqlite3.Error)):
        await database.write_one(insert, v=value)
    three = (database.write_one(insert, v=given) for given in ("before", value, "after"))
    outcomes = await asyncio.gather(*three, return_exceptions=True)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False]
    assert len(await database.reading.all(compiled("SELECT id FROM tenants"))) == 2


async def test_unit_awaits_nothing_but_its_transaction(database: Database) -> None:
    """A unit that awaits anything else is told so and undone; the writer goes on."""
    foreign: list[Callable[[], Awaitable[Any]]] = [
        lambda: asyncio.sleep(0),
        lambda: asyncio.sleep(60),
        lambda: database.reading.all(compiled("SELECT 1")),
        asyncio.get_running_loop().create_future,
    ]

    async def unit(transaction: Transaction, wait: Callable[[], Awaitable[Any]]) -> None:
        await tenants.create(transaction, new_id(), name="T", email="t@x.org", plan="pro", moment="now")
        await wait()

    for wait in foreign:
        with pytest.raises(RuntimeError, match="unit awaited something other than its transaction"):
            await database.write(partial(unit, wait=wait))
    assert await database.write_one(compiled("SELECT id FROM tenants")) == []


@pytest.mark.parametrize("may_repeat", [False, True])
async def test_undone_transaction_fails_all_of_its_units(database: Database, may_repeat: bool) -> None:
    """Where SQLite undoes a whole transaction, as on a full disk, each of its units is told so, and none is half there."""

    async def unit(transaction: Transaction, number: int) -> None:
        await tenants.create(transaction, new_id(), name="T", email=f"{number}@x.org", plan="pro", moment="now")

    async def undone(transaction: Transaction) -> None:
        await transaction.run(undoing)

    full = "CREATE TEMP TRIGGER full BEFORE UPDATE ON tenants BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END"
    await database.write_one(compiled(full))
    undoing = compiled("UPDATE tenants SET name = 'U'")
    for failing in (database.write_one(undoing), database.write(undone, may_repeat=may_repeat)):
        one, two = (database.write(partial(unit, number=n), may_repeat=may_repeat) for n in (1, 2))
        writes = [one, failing, two]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [NotReady] * 3
        assert await database.write_one(compiled("SELECT id FROM tenants")) == []
    await database.write(partial(unit, number=3))


async def test_closed_database_takes_no_writes(database: Database) -> None:
    """What waits is committed before the database closes; later writes are refused, not left waiting."""

    async def unit(transaction: Transaction) -> None:
        await tenants.create(transaction, new_id(), name="T", email="t@x.org", plan="pro", moment="now")

    writing = asyncio.gather(*(database.write_one(compiled("SELECT 1")) for _ in range(100)), database.write(unit))
    await asyncio.sleep(0)
    await database.close()
    await writing
    with pytest.raises(NotReady):
        await database.write(unit)
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (1,)


async def test_writes_while_it_closes(database: Database) -> None:
    """What comes while the database closes is written or refused; nobody waits for ever, and what was written is there."""

    async def unit(transaction: Transaction, number: int) -> None:
        await tenants.create(transaction, new_id(), name="T", email=f"{number}@x.org", plan="pro", moment="now")

    closing_it = asyncio.create_task(database.close())
    writes: list[asyncio.Task[None]] = []
    while not closing_it.done():
        writes.append(asyncio.create_task(database.write(partial(unit, number=len(writes)))))
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), NotReady}
    with closing(sqlite3.connect(database.path)) as connection:
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (outcomes.count(None),)


async def test_readers_cannot_write(database: Database) -> None:
    """A reader's connection refuses to write, and foreign keys hold on the writer's."""
    with pytest.raises((sqlite3.OperationalError, NotReady)):
        await database.reading.all(compiled("DELETE FROM tenants"))

    async def orphan(transaction: Transaction) -> None:
        await transaction.run(compiled("INSERT INTO stores (tenant_id, generation) VALUES ('nobody', 1)"))

    with pytest.raises(sqlite3.IntegrityError):
        await database.write(orphan)


async def test_failing_disk(database: Database) -> None:
    """Where the database cannot write, the caller hears that it is not ready, and the next unit is tried afresh."""
    await database.write_one(compiled("PRAGMA query_only = ON"))

    async def unit(transaction: Transaction) -> None:
        await tenants.create(transaction, new_id(), name="T", email="t@x.org", plan="pro", moment="now")

    with pytest.raises(NotReady):
        await database.write(unit)
    await database.write_one(compiled("PRAGMA query_only = OFF"))
    await database.write(unit)


def test_every_tenants_row_names_its_tenant() -> None:
    """Every table has the tenant in each row, but that of the tenants and that of the files of the usage journal."""
    for table in metadata.sorted_tables:
        if table.name not in {"tenants", "usage_segments"}:
            assert not table.c.tenant_id.nullable, table.name
