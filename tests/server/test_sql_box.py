"""The SQL box: what it answers, and that nobody gets around it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tenantai.client import Client, ClientError
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services import sql_box
from tenantai.server.services.sql_box import SqlBox
from tenantai.settings import Settings
from tenantai.storage import analytics_child, analytics_copies
from tests.running import Reply, Running, Tenant, serving, until

QUERY = f"{API}/analytics/query"


async def ask(running: Running, key: str, sql: str, **more: Any) -> Reply:
    return await running.send("POST", QUERY, key=key, json={"sql": sql, **more})


async def rows(running: Running, key: str, sql: str, **more: Any) -> list[list[Any]]:
    reply = await ask(running, key, sql, **more)
    assert reply.status == 200, reply.text
    found: list[list[Any]] = reply.data["rows"]
    return found


async def problem(running: Running, key: str, sql: str) -> str:
    """Return what is wrong with a question."""
    reply = await running.send("POST", QUERY, key=key, json={"sql": sql})
    assert reply.status == 400, reply.text
    (found,) = reply.body["error"]["details"]
    assert found["field"] == "sql"
    return str(found["problem"])


def operator_key(running: Running) -> str:
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


@pytest.fixture
async def box(running: Running, acme: Tenant, globex: Tenant) -> AsyncIterator[Running]:
    """A server with two tenants who both did something."""
    for tenant, count in ((acme, 3), (globex, 5)):
        for _ in range(count):
            await running.send("GET", tenant.path, key=tenant.key)
    yield running
    assert list(running.app[keys.ANALYTICS].scratch.iterdir()) == []


async def test_a_tenant_asks_its_own_rows(box: Running, acme: Tenant, globex: Tenant) -> None:
    """A SELECT has the tenant's own events, hours and audit entries, with names and types, and nobody else's."""
    reply = await ask(box, acme.key, "SELECT endpoint, sum(requests) AS n FROM usage_events GROUP BY ALL ORDER BY n DESC, 1")
    assert reply.data["columns"] == [{"name": "endpoint", "type": "VARCHAR"}, {"name": "n", "type": "HUGEINT"}]
    assert reply.data["rows"][0] == ["GET /api/v1/tenants/{tenant_id}", 3]
    assert (reply.data["truncated"], reply.data["elapsedMs"] >= 0) == (False, True)
    assert [table["name"] for table in reply.data["tables"]] == ["usage_events", "usage_hours", "audit_entries"]
    assert all(table["isWhole"] for table in reply.data["tables"])
    for table in ("usage_events", "usage_hours", "audit_entries"):
        assert await rows(box, acme.key, f"SELECT DISTINCT tenant_id FROM {table}") == [[acme.id]]
    assert ["tenant.created"] in await rows(box, acme.key, "SELECT event_type FROM audit_entries")
    assert (await ask(box, acme.key, "FROM usage_events", tenantId=acme.id)).status == 200
    assert (await ask(box, acme.key, "FROM usage_events", tenantId=globex.id)).status == 403
    async with Client(box.url, acme.key) as client:
        answer = await client.analytics.query("SELECT count(*) AS n FROM audit_entries", limit=1)
        assert ([column.name for column in answer.columns], answer.rows, answer.truncated) == (["n"], [[3]], False)
        with pytest.raises(ClientError, match="SELECT") as refused_there:
            await client.analytics.query("DROP TABLE audit_entries")
        assert refused_there.value.code == "VALIDATION_ERROR"
        assert [problem["field"] for problem in refused_there.value.details] == ["sql"]


async def test_the_operator_asks_all_rows(box: Running, acme: Tenant, globex: Tenant) -> None:
    """The operator's key sees every tenant's rows, or those of the one that it names."""
    key, sql = operator_key(box), "SELECT DISTINCT tenant_id FROM audit_entries"
    assert {acme.id, globex.id} <= {row[0] for row in await rows(box, key, sql)}
    assert await rows(box, key, sql, tenantId=globex.id) == [[globex.id]]
    assert (await ask(box, key, sql, tenantId="nobody")).status == 404


async def test_scopes_and_accounts(box: Running, acme: Tenant) -> None:
    """The audit log is there for a key that may read it; a key that is bound to an account asks nothing."""
    usage_only, _ = await box.issue(acme, scopes=["usage:read"])
    assert await rows(box, usage_only, "SELECT table_name FROM duckdb_tables() ORDER BY 1") == [["usage_events"], ["usage_hours"]]
    assert "audit_entries" in await problem(box, usage_only, "FROM audit_entries")
    bound, _ = await box.issue(acme, account=acme.account)
    assert (await ask(box, bound, "FROM usage_events")).status == 403
    audit_only, _ = await box.issue(acme, scopes=["audit:read"])
    assert (await ask(box, audit_only, "FROM audit_entries")).status == 403


REACHING = [
    "SELECT * FROM read_csv('{folder}/operator.key')",
    "SELECT * FROM read_text('{folder}/operator.key')",
    "SELECT * FROM read_blob('{folder}/tenantai.sqlite3')",
    "SELECT * FROM '{folder}/analytics/usage/2026-01.parquet'",
    "SELECT * FROM read_parquet('{folder}/analytics/**/*.parquet')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_json('/proc/self/environ')",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "SELECT * FROM parquet_metadata('{folder}/analytics/x.parquet')",
    "SELECT * FROM sqlite_scan('{folder}/tenantai.sqlite3', 'tenants')",
    "SELECT * FROM query('SELECT * FROM read_text(''{folder}/operator.key'')')",
    "SELECT * FROM query_table('{folder}/operator.key')",
    "SELECT * FROM enable_logging()",
    "SELECT getenv('HOME')",
    "SELECT * FROM job",
    "SELECT * FROM tables",
    "SELECT * FROM analytics.main.usage_events",
    "SELECT * FROM other.usage_events",
    "SELECT * FROM layout",
    "SELECT * FROM archives",
    "SELECT number FROM usage_events",
]
CHANGING = [
    "INSERT INTO usage_events SELECT * FROM usage_events",
    "WITH x AS (INSERT INTO usage_events SELECT * FROM usage_events RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM usage_events RETURNING *) SELECT * FROM x",
    "DELETE FROM audit_entries",
    "UPDATE usage_events SET requests = 0",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "DROP TABLE usage_events",
    "ATTACH '{folder}/analytics/analytics.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE system",
    "COPY usage_events TO '{folder}/leak.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY usage_events FROM '{folder}/operator.key'",
    "EXPORT DATABASE '{folder}/leak'",
    "IMPORT DATABASE '{folder}/leak'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET ALL",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE CHECKPOINT",
    "PREPARE q AS SELECT 1",
    "EXECUTE q",
    "BEGIN",
    "COMMIT",
    "EXPLAIN ANALYZE SELECT 1",
    "VACUUM",
    "CREATE SECRET s (TYPE s3)",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE usage_events",
    "COMMIT; SET lock_configuration = false; SELECT 1",
    "PREPARE q AS SELECT 1; EXECUTE q",
    "SELECT $1",
    "SELECT ?",
    "-- nothing",
    "SELECT ((",
]


@pytest.fixture
def copied(tmp_path: Path) -> dict[str, str]:
    """A copy of a table, as the process apart is given it."""
    path = tmp_path / "copy.parquet"
    duckdb.connect().execute(f"COPY (SELECT 't' AS tenant_id, 1 AS requests) TO '{path}' (FORMAT parquet)")
    return {"usage_events": str(path)}


def refused(sql: str, tables: dict[str, str], folder: Path) -> str:
    """Have the child's side answer; what it says is wrong with the question."""
    job = {"sql": sql.replace("{folder}", str(folder)), "tables": tables, "row_count": 10, "seconds": 10, "memory_bytes": 2**28}
    with pytest.raises(analytics_child.Refused) as found:
        analytics_child._asked(job)
    return str(found.value)


@pytest.mark.parametrize("sql", REACHING)
def test_nothing_reaches_around_it(sql: str, copied: dict[str, str], tmp_path: Path) -> None:
    """No file, network, extension, variable, other database or other table can be read."""
    for name in ("operator.key", "tenantai.sqlite3"):
        (tmp_path / name).write_text("sk_live_secret,1")
    said = refused(sql, copied, tmp_path)
    assert "sk_live_secret" not in said


@pytest.mark.parametrize("sql", CHANGING)
def test_nothing_is_changed(sql: str, copied: dict[str, str], tmp_path: Path) -> None:
    """Only one SELECT is taken: no statement that changes, attaches, copies, sets or prepares, nor one behind another."""
    assert refused(sql, copied, tmp_path)
    assert not list(tmp_path.glob("leak*"))


async def test_attacks_over_http(box: Running, acme: Tenant, globex: Tenant) -> None:
    """What the process refuses is a 400 with a sentence, for a tenant and the operator alike, and changes nothing."""
    folder, secret = str(box.app[keys.SETTINGS].data_dir), operator_key(box)
    for key in (acme.key, secret):
        for sql in (REACHING[0], CHANGING[1], CHANGING[8]):
            reply = await ask(box, key, sql.replace("{folder}", folder))
            assert reply.status == 400, reply.text
            for leak in (secret, globex.id, folder, "/root", "/home"):
                assert leak not in reply.text
    assert "is not in the catalog" not in await problem(box, acme.key, "SELECT * FROM sqlite_scan('a', 'b')")
    assert "number" in await problem(box, acme.key, "SELECT number FROM usage_events")
    assert (await ask(box, secret, "SELECT number FROM usage_events")).status == 200
    assert await rows(box, acme.key, "SELECT count(DISTINCT tenant_id) FROM usage_events") == [[1]]


async def test_what_the_engine_tells_of_itself(box: Running, acme: Tenant, globex: Tenant) -> None:
    """Whatever the engine's own tables say, no path of the server, no other tenant and no key is in it."""
    folder = str(box.app[keys.SETTINGS].data_dir)
    for table in (
        *("duckdb_settings()", "duckdb_databases()", "duckdb_tables()", "duckdb_views()", "duckdb_columns()", "duckdb_logs()"),
        *("duckdb_secrets()", "which_secret('s3://x', 's3')", "duckdb_functions()", "duckdb_variables()"),
        *("duckdb_extensions()", "duckdb_temporary_files()", "duckdb_memory()", "pragma_database_size()", "duckdb_indexes()"),
        *("information_schema.tables", "pg_catalog.pg_class", "sqlite_master", "duckdb_schemas()", "duckdb_constraints()"),
    ):
        told = (await ask(box, acme.key, f"SELECT * FROM {table}", limit=10_000)).text
        for leak in (folder, "analytics.duckdb", ".parquet", globex.id, operator_key(box), "/root", "/home"):
            assert leak not in told, table
    assert await rows(
        box, acme.key, "SELECT current_setting('enable_external_access'), current_setting('lock_configuration')"
    ) == [[False, True]]


async def test_answers_are_bounded(box: Running, acme: Tenant) -> None:
    """Rows are cut at the limit and by their size, texts and lists at theirs, and nothing is lost of numbers and times."""
    reply = await ask(box, acme.key, "FROM range(5000)", limit=3)
    assert (reply.data["rows"], reply.data["truncated"]) == ([[0], [1], [2]], True)
    assert (await ask(box, acme.key, "FROM range(3)", limit=3)).data["truncated"] is False
    wide = await ask(box, acme.key, "SELECT repeat('x', 9000) FROM range(10000)", limit=10_000)
    assert (wide.data["truncated"], 100 < len(wide.data["rows"]) < 1000) == (True, True)
    ((text,),) = await rows(box, acme.key, "SELECT repeat('é', 1000000)")
    assert (len(text), text[-1]) == (10_000, "…")
    ((items, deep),) = await rows(box, acme.key, "SELECT range(5000), [[[[[[[[[[[[1]]]]]]]]]]]]")
    assert (len(items), json.dumps(deep).count("[")) == (1000, 8)
    sql = (
        "SELECT TIMESTAMP '2026-01-02 03:04:05.678', DATE '2026-01-02', 9007199254740993::BIGINT, 1.5::DOUBLE, 'nan'::DOUBLE, "
        "2.50::DECIMAL(9,2), '\\x00\\xFF'::BLOB, {'a': [1, NULL]}, TRUE, INTERVAL 1 DAY, chr(0), MAP {'k': 'v'}"
    )
    ((*values,),) = await rows(box, acme.key, sql)
    assert values[:10] == [
        *("2026-01-02T03:04:05.678000", "2026-01-02", "9007199254740993", 1.5, "nan", "2.50", "00ff", {"a": [1, None]}, True),
        "1 day, 0:00:00",
    ]
    names = (
        "SELECT COLUMNS('(.*)') AS '"
        + "\\1" * 1000
        + "' FROM (SELECT COLUMNS('(.*)') AS '"
        + "\\1" * 1000
        + "' FROM (SELECT 1 AS a))"
    )
    (named,) = (await ask(box, acme.key, names)).data["columns"]
    assert (len(named["name"]), named["name"][-1]) == (300, "…")
    assert "columns" in await problem(box, acme.key, f"SELECT {', '.join(['1'] * 1001)}")
    for wrong in ({"limit": 0}, {"limit": 10_001}, {"sql": "   "}, {"sql": "x" * 20_001}, {"sql": "SELECT '\0'"}, {"more": 1}):
        assert (await box.send("POST", QUERY, key=acme.key, json={"sql": "SELECT 1", **wrong})).fields == set(wrong)


GREEDY = [
    "SELECT sum(hash(a.range)) FROM range(100000000000) a",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
    "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c",
    "SELECT length(repeat('x', 3000000000))",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT string_agg(range::VARCHAR, '') FROM range(1000000000)",
    f"SELECT {'(' * 3000}1{')' * 3000}",
    f"SELECT {'+'.join(['1'] * 9000)}",
    f"SELECT {'[' * 3000}1{']' * 3000}",
]


async def test_greed_ends_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that takes too long, too much memory or too deep a breath is ended, and the server and the next one go on."""
    monkeypatch.setattr(sql_box, "LOADING_SECONDS", 3.0)
    hasty = settings.model_copy(update={"analytics_seconds_max": 1.0})
    async with serving(hasty) as running:
        acme = await running.register("Acme")
        for sql in GREEDY:
            assert await problem(running, acme.key, sql), sql
        assert await rows(running, acme.key, "SELECT 42") == [[42]]
        assert list(running.app[keys.ANALYTICS].scratch.iterdir()) == []


async def test_one_at_a_time(settings: Settings) -> None:
    """While a tenant's question runs its next one is refused, another tenant's is not; who leaves ends theirs."""
    async with serving(settings) as running:
        acme, globex = await running.register("Acme"), await running.register("Globex")
        long = asyncio.create_task(ask(running, acme.key, GREEDY[0]))
        box: SqlBox = running.app[keys.SQL_BOX]
        await until(lambda: any(sandbox.pid for sandbox in box.sandboxes))
        refused = await ask(running, acme.key, "SELECT 1")
        assert (refused.status, refused.error["code"]) == (503, "NOT_READY")
        assert await rows(running, globex.key, "SELECT 1") == [[1]]
        long.cancel()
        await until(lambda: not box._asking)
        await until(lambda: not any(sandbox.pid for sandbox in box.sandboxes))
        assert await rows(running, acme.key, "SELECT 1") == [[1]]


async def test_only_the_newest_are_copied(box: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more rows than are copied the newest are asked, and the answer says so."""
    monkeypatch.setattr(analytics_copies, "COPIED_ROWS_MAX", 1)
    reply = await ask(box, acme.key, "SELECT max(sequence) = count(*) FROM audit_entries")
    (audit,) = [table for table in reply.data["tables"] if table["name"] == "audit_entries"]
    assert (audit, reply.data["rows"]) == ({"name": "audit_entries", "rows": 1, "isWhole": False}, [[False]])
    everyone = await ask(box, operator_key(box), "SELECT count(*), max(number) FROM audit_entries")
    (last,) = await box.rows("SELECT max(number) FROM audit_entries")
    assert everyone.data["rows"] == [[1, last[0]]]
