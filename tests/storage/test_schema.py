"""The tables mean the same in the dialects that they are declared for."""

import re

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from tenantai.storage.database import DIALECT, insert
from tenantai.storage.schema import metadata, usage_counters

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
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
