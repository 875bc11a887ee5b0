"""Migrations: a fresh start, a copy before each change, refusals with the way out, and the schema that they end in."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tenantai.storage.migrating import HEAD, MIGRATIONS, Layout, MigrationRefused, migrate, restore_copy, revision
from tenantai.storage.schema import metadata

NEXT = '''
"""A later change."""
import sqlalchemy as sa
from alembic import op
revision = "0999"
down_revision = "{head}"
branch_labels = None
depends_on = None
def upgrade() -> None:
    op.add_column("tenants", sa.Column("colour", sa.Text))
    {then}
'''


@pytest.fixture
def old(tmp_path: Path) -> Layout:
    """A database of today with a row in it."""
    migrate(tmp_path)
    layout = Layout(tmp_path)
    with closing(sqlite3.connect(layout.database)) as connection, connection:
        connection.execute("INSERT INTO tenants VALUES ('t', 'T', 't@x.org', 'pro', 'then', 'then')")
    return layout


def later(folder: Path, *, then: str = "") -> Path:
    """Return migrations that go one step further."""
    migrations = folder / "migrations"
    shutil.copytree(MIGRATIONS, migrations)
    (migrations / "versions" / "0999_later.py").write_text(NEXT.format(head=HEAD, then=then))
    return migrations


def names(layout: Layout) -> list[str]:
    with closing(sqlite3.connect(layout.database)) as connection:
        return [str(row[0]) for row in connection.execute("SELECT name FROM tenants")]


def test_fresh(tmp_path: Path) -> None:
    """A fresh folder gets the newest schema, for its owner's eyes only; a second start changes nothing and copies nothing."""
    migrate(tmp_path)
    layout = Layout(tmp_path)
    assert revision(layout.database) == HEAD
    assert layout.database.stat().st_mode & 0o077 == 0
    migrate(tmp_path)
    assert not layout.copies.exists()


def test_schema_is_what_is_declared(migrated: Path) -> None:
    """What the migrations make is what the tables declare, to the last column, index and constraint."""
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    engine.dispose()
    assert differences == []


def test_copy_before_a_change(old: Layout, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A database with rows is copied before it is changed, its rows stay, and the copy can be put back."""
    migrate(old.data_dir, head="0999", migrations=later(tmp_path_factory.mktemp("later")))
    assert revision(old.database) == "0999"
    assert names(old) == ["T"]
    assert not old.mark.exists()
    (copy,) = old.copies.iterdir()
    assert copy.stat().st_mode & 0o077 == 0
    assert revision(copy) == HEAD
    restore_copy(old.data_dir, copy)
    assert revision(old.database) == HEAD
    assert names(old) == ["T"]
    migrate(old.data_dir)


def test_half_done(old: Layout, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A migration that fails is not served on, at each start; the message gives the command that puts the copy back."""
    failing = later(tmp_path_factory.mktemp("later"), then="raise RuntimeError('half done')")
    for _ in range(2):
        with pytest.raises(MigrationRefused, match="python -m tenantai restore") as refused:
            migrate(old.data_dir, head="0999", migrations=failing)
    (copy,) = old.copies.iterdir()
    assert str(copy) in str(refused.value)
    restore_copy(old.data_dir, copy)
    migrate(old.data_dir)
    assert names(old) == ["T"]


def test_newer(old: Layout) -> None:
    """A database from a newer version is refused and left as it is."""
    with closing(sqlite3.connect(old.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationRefused, match="newer version"):
        migrate(old.data_dir)
    assert revision(old.database) == "9999"


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
def test_restoring_what_is_no_copy(old: Layout, tmp_path: Path, content: bytes) -> None:
    """A file that is no copy is not put in the database's place."""
    wrong = tmp_path / "wrong.sqlite3"
    wrong.write_bytes(content)
    with pytest.raises(MigrationRefused):
        restore_copy(old.data_dir, wrong)
    assert names(old) == ["T"]
