"""Migrations: a fresh start, a copy before each change, refusals with the way out, and the schema that they end in."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tenantai.storage.database import Database, Transaction, compiled
from tenantai.storage.full_text import TOKENIZER, Fts5
from tenantai.storage.migrating import HEAD, MIGRATIONS, Layout, MigrationRefused, migrate, restore_copy, revision
from tenantai.storage.schema import is_declared, metadata
from tenantai.wire.assets import VAULT_SCOPES

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
        connection.execute(
            "INSERT INTO tenants (id, name, email, plan, created_at, updated_at) "
            "VALUES ('t', 'T', 't@x.org', 'pro', 'then', 'then')"
        )
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
        options = {"compare_type": True, "include_name": is_declared}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    assert differences == []


def test_copy_before_a_change(old: Layout, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A database with rows is copied before it is changed, its rows stay, and the copy can be put back."""
    old.copies.mkdir()
    (old.copies / "before-0999-2026-01-01T000000.000Z.unfinished-journal").write_text("what a kill left")
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


TENANTS = [f"0190{n:04x}-0000-7000-8000-{n:012x}" for n in range(2)]
OLD_CHUNKS = [
    (1, TENANTS[0], "Light", "The green lamps hang in the hall."),
    (2, TENANTS[0], "", "A lamp, a LAMP and café doors."),
    (3, TENANTS[1], "Rooms > Hall", "Running water; the lamp is cold."),
    (5, TENANTS[0], "Last", "Last words of note"),
]
OLD_TEXTS = {
    1: "Light\nThe green lamps hang in the hall.",
    2: OLD_CHUNKS[1][3],
    3: f"Rooms > Hall\n{OLD_CHUNKS[2][3]}",
    5: OLD_CHUNKS[3][3],
}
WORDS = "light lamp cafe door run hall room last note cold absent".split()


@pytest.fixture
def first(tmp_path: Path) -> Layout:
    """A database of revision 0001 with chunks of two tenants, each with its full-text table."""
    migrate(tmp_path, head="0001")
    layout = Layout(tmp_path)
    with closing(sqlite3.connect(layout.database)) as connection, connection:
        for tenant in TENANTS:
            table = "fts_" + tenant.replace("-", "")
            connection.execute("INSERT INTO tenants VALUES (?, 'T', ?, 'pro', 'then', 'then')", (tenant, f"{tenant}@x.org"))
            connection.execute("INSERT INTO operations VALUES (?, ?, 'completed', 1, 1, 0, 'then', 'then')", (tenant, tenant))
            connection.execute(
                "INSERT INTO files VALUES (?, ?, NULL, ?, 'a.txt', NULL, 1, ?, 'ready', 0, NULL, NULL, NULL, 1, 'then', 'then')",
                (tenant, tenant, tenant, tenant),
            )
            connection.execute(f"CREATE VIRTUAL TABLE {table} USING fts5(body, content = '', tokenize = '{TOKENIZER}')")
            connection.execute(f"CREATE VIRTUAL TABLE {table}_terms USING fts5vocab({table}, instance)")
        for number, tenant, heading, text in OLD_CHUNKS:
            given = (number, tenant, tenant, number, heading, text)
            connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, 0, 1, NULL, ?, ?, '{}', 1)", given)
            table = "fts_" + tenant.replace("-", "")
            connection.execute(f"INSERT INTO {table} (rowid, body) VALUES (?, ?)", (number, OLD_TEXTS[number]))
    return layout


def old_postings(layout: Layout) -> dict[tuple[str, str], dict[int, int]]:
    """Return what the tables of revision 0001 find, by tenant and term."""
    with closing(sqlite3.connect(layout.database)) as connection:
        return {
            (tenant, word): dict(
                connection.execute(
                    f"SELECT doc, count(*) FROM fts_{tenant.replace('-', '')}_terms WHERE term = ? GROUP BY doc", (word,)
                ).fetchall()
            )
            for tenant in TENANTS
            for word in WORDS
        }


async def test_one_full_text_table(first: Layout) -> None:
    """What the tables a tenant found is found in the one of 0002, which takes their place; the chunks can be removed from it."""
    before = old_postings(first)
    assert before[TENANTS[0], "lamp"] == {1: 1, 2: 2}
    migrate(first.data_dir)
    database, index = Database(first.database), Fts5()
    await database.open()
    for (tenant, word), expected in before.items():
        numbers, counts = await index.postings(database.reading, tenant, term=word)
        assert dict(zip(numbers.tolist(), counts.tolist(), strict=True)) == expected

    async def unit(transaction: Transaction) -> None:
        for number, tenant, _, _ in OLD_CHUNKS:
            await index.remove(transaction, tenant, texts=[(number, OLD_TEXTS[number])])

    await database.write(unit)
    assert await database.reading.all(compiled("SELECT * FROM full_text_terms")) == []
    assert await database.reading.all(compiled("SELECT name FROM sqlite_master WHERE name GLOB 'fts_*'")) == []
    await database.close()
    index.close()


def test_passwords_keep_the_whole_vault(tmp_path: Path) -> None:
    """A password that was set before what it grants was kept opens the whole vault, as it did."""
    migrate(tmp_path, head="0013")
    with closing(sqlite3.connect(Layout(tmp_path).database)) as connection, connection:
        connection.execute(
            "INSERT INTO tenants (id, name, email, plan, created_at, updated_at) "
            "VALUES ('t', 'T', 't@x.org', 'pro', 'then', 'then')"
        )
        connection.execute("INSERT INTO asset_passwords (tenant_id, hash, changed_at) VALUES ('t', 'h', 'then')")
    migrate(tmp_path)
    with closing(sqlite3.connect(Layout(tmp_path).database)) as connection:
        (held,) = connection.execute("SELECT hash, scopes FROM asset_passwords").fetchall()
    assert held == ("h", " ".join(VAULT_SCOPES))
