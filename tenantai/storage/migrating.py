"""Brings the database to the newest schema, or says why not.

What must stay true: before a database with rows is changed it is copied; one that a migration left half done is not served
on, and neither is one from a newer version.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tenantai.identifiers import timestamp

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0015"


class MigrationRefused(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """The database cannot be served on; the message says what to do."""


class HalfMigrated(MigrationRefused):
    """A migration was cut off: the server stays up to say so, and serves nothing else."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a data folder keeps its database, the copies of it, and the mark of a migration under way."""

    data_dir: Path

    @property
    def database(self) -> Path:
        """The database file."""
        return self.data_dir / "tenantai.sqlite3"

    @property
    def analytics(self) -> Path:
        """The folder of analytics: their file, which can be made anew, and the archives of old months, which can't."""
        return self.data_dir / "analytics"

    @property
    def copies(self) -> Path:
        """The folder of copies taken before migrations."""
        return self.data_dir / "copies"

    @property
    def mark(self) -> Path:
        """The file that exists while a migration runs."""
        return self.data_dir / "migration-under-way.json"


def migrate(data_dir: Path, *, head: str = HEAD, migrations: Path = MIGRATIONS) -> None:
    """Create or migrate the database of a data folder; blocking: run it before serving.

    Raises MigrationRefused, and HalfMigrated where an earlier migration was cut off.
    """
    layout = Layout(data_dir)
    _refuse_half_done(layout)
    found = revision(layout.database)
    if found == head:
        return
    if found is not None:
        _refuse_newer(found, migrations)
        copy = copy_database(layout, label=f"before-{head}")
        layout.mark.write_text(json.dumps({"from": found, "to": head, "copy": str(copy)}))
    try:
        _upgrade(layout.database, head, migrations)
    except Exception as error:
        if found is None:
            raise
        raise HalfMigrated(_half_done_sentence(layout)) from error
    layout.mark.unlink(missing_ok=True)


def revision(database: Path) -> str | None:
    """Return the schema revision a database is at, None where there is none yet. Raises MigrationRefused."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(database)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise MigrationRefused(
            f"The database {database} can't be opened ({error}). Its folder must be one that can be written to."
        ) from error
    except sqlite3.DatabaseError as error:
        raise MigrationRefused(
            f"The database {database} is damaged. Restore a copy: python -m tenantai restore COPY --data-dir FOLDER"
        ) from error
    return None if row is None else str(row[0])


def copy_database(layout: Layout, *, label: str) -> Path:
    """Copy the database, consistent even while it is written to, and return the copy's path; what a kill left of one goes."""
    layout.copies.mkdir(mode=0o700, exist_ok=True)
    for cut_off in layout.copies.glob("*.unfinished*"):
        cut_off.unlink()
    copy = layout.copies / f"{label}-{timestamp().replace(':', '')}.sqlite3"
    unfinished = copy.with_suffix(".unfinished")
    with closing(sqlite3.connect(layout.database)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.chmod(0o600)
    unfinished.replace(copy)
    return copy


def restore_copy(data_dir: Path, copy: Path) -> None:
    """Put a copy in the database's place, after checking it; the server must not be running. Raises MigrationRefused."""
    from tenantai.storage.restoring import note_restored  # noqa: PLC0415  it needs what a start need not wait for

    layout = Layout(data_dir)
    check_copy(copy)
    incoming = layout.database.with_suffix(".incoming")
    with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(incoming)) as target:
        source.backup(target)
    incoming.chmod(0o600)
    note_restored(incoming, source=copy.name)
    for leftover in ("-wal", "-shm"):
        layout.database.with_name(layout.database.name + leftover).unlink(missing_ok=True)
    incoming.replace(layout.database)
    layout.mark.unlink(missing_ok=True)


def check_copy(copy: Path) -> None:
    """Raise MigrationRefused where a file is no sound database of tenantai, or one of a newer version."""
    try:
        with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"
            connection.execute("SELECT id FROM tenants LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise MigrationRefused(f"{copy} is not a copy of a tenantai database.") from error
    if not sound:
        raise MigrationRefused(f"{copy} is damaged. Take another copy.")
    _refuse_newer(revision(copy) or "unknown", MIGRATIONS)


def _refuse_half_done(layout: Layout) -> None:
    if layout.mark.exists():
        raise HalfMigrated(_half_done_sentence(layout))


def _half_done_sentence(layout: Layout) -> str:
    mark = json.loads(layout.mark.read_text())
    return (
        f"A migration of the database from {mark['from']} to {mark['to']} did not finish. Stop this server and put the copy "
        f"that was taken before it back: python -m tenantai restore --data-dir '{layout.data_dir}' '{mark['copy']}'"
    )


def _refuse_newer(found: str, migrations: Path) -> None:
    known = {path.name.split("_")[0] for path in (migrations / "versions").glob("*.py")}
    if found not in known:
        raise MigrationRefused(
            f"The database is from a newer version of tenantai (its schema is {found}, this version knows {max(known)}). "
            "Install that version, or restore a copy that was taken before the upgrade."
        )


def _upgrade(database: Path, head: str, migrations: Path) -> None:
    from alembic import command  # noqa: PLC0415  costs 0.2 s that a start at the newest schema need not pay
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine, event  # noqa: PLC0415

    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    config = Config()
    config.set_main_option("script_location", str(migrations))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, head)
    finally:
        engine.dispose()
    database.chmod(0o600)
