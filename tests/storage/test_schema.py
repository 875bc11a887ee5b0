"""The tables mean the same in the dialects that they are declared for."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from tenantai import storage
from tenantai.storage.database import DIALECT, Query, insert
from tenantai.storage.schema import metadata, usage_counters

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
SQLITES_OWN = re.compile(
    r"json_each|json_extract|->>|\binstr\(|CROSS JOIN \w+ ON|[ (]\+\w+\.\w+|sqlite_|\bMATCH\b|bm25", re.IGNORECASE
)
KNOWN_AS_ITS_OWN = {  # docs/decisions/0002-storage.md says what each needs in PostgreSQL
    "across_tenants": {"NAMES"},
    "analytics_record": {"SEQUENCES", "SET_SEQUENCE", "BEGIN_SEQUENCE", "UNKNOWN"},
    "audit": {"ALERTED"},
    "chunks": {"NUMBERED", "DELETE"},
    "file_texts": {"PAGES"},
    "files": {"UNUSED_BYTES", "QUOTED"},
    "operations": {"LATEST_SEEN", "LATEST_SYNC_SEEN"},
    "synced": {"CHOSEN", "IN_VAULT_OR_STORE"},
}
INDEXES = [index for table in metadata.sorted_tables for index in table.indexes]


def condition_of(index: sa.Index, dialect: sa.Dialect) -> tuple[bool, str]:
    """Whether an index is unique, and the WHERE clause that it gets."""
    made = str(CreateIndex(index).compile(dialect=dialect))
    return made.startswith("CREATE UNIQUE"), re.sub(r"\s+", " ", made).partition(" WHERE ")[2]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: str(index.name))
def test_an_index_holds_the_same_rows_in_every_dialect(index: sa.Index) -> None:
    """An index of some rows is one of the same rows for PostgreSQL; else what must be unique among some would be among all."""
    assert condition_of(index, POSTGRESQL) == condition_of(index, DIALECT)


def test_some_indexes_are_of_some_rows() -> None:
    """There are such indexes, the unique ones among them."""
    found = {str(index.name): condition_of(index, POSTGRESQL) for index in INDEXES}
    assert found["uq_files_live"] == (True, "state != 'deleting'")
    assert found["uq_files_synced"] == (True, "asset_path IS NOT NULL AND state != 'deleting'")
    assert sum(bool(condition) for _, condition in found.values()) > 10


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
def test_a_table_can_be_made_in_postgresql(table: sa.Table) -> None:
    """What is declared has a form in PostgreSQL."""
    assert str(CreateTable(table).compile(dialect=POSTGRESQL)).strip().startswith("CREATE TABLE")


def test_an_insert_has_the_same_methods_in_postgresql() -> None:
    """The one name that inserts with conflicts go through can be PostgreSQL's."""
    assert insert is sqlite.insert
    for made in (insert(usage_counters), postgresql.insert(usage_counters)):
        assert made.on_conflict_do_nothing() is not None
        assert made.on_conflict_do_update(index_elements=["tenant_id"], set_={"tokens": made.excluded.tokens}) is not None


def statements() -> Iterator[tuple[str, str, Query]]:
    """Yield every statement of storage with its module and name, those of the full text left out, which have a protocol."""
    for found in pkgutil.walk_packages(storage.__path__, "tenantai.storage."):
        name = found.name.removeprefix("tenantai.storage.")
        if not name.startswith(("migrations", "full_text")):
            yield from ((name, k, q) for k, q in vars(importlib.import_module(found.name)).items() if isinstance(q, Query))


def test_what_only_sqlite_reads_is_known() -> None:
    """Of all statements fifteen say what only SQLite reads; a new one is added here and to the page, or said in another way."""
    own: dict[str, set[str]] = {}
    for module, name, query in statements():
        if SQLITES_OWN.search(query.sql):
            own.setdefault(module, set()).add(name)
    assert own == KNOWN_AS_ITS_OWN
    assert sum(1 for _ in statements()) > 150


def test_the_other_statements_are_postgresqls_too() -> None:
    """What is Core and not SQLite's own compiles for PostgreSQL, but for inserts with conflicts, which have one name."""
    compiled = 0
    for module, name, query in statements():
        statement = query._statement
        if not isinstance(statement, str) and name not in KNOWN_AS_ITS_OWN.get(module, ()) and not _has_conflict(statement):
            assert str(statement.compile(dialect=POSTGRESQL)), (module, name)  # type: ignore[attr-defined]
            compiled += 1
    assert compiled > 150


def _has_conflict(statement: object) -> bool:
    return getattr(statement, "_post_values_clause", None) is not None
