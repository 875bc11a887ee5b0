"""The entry of a database that is put back: the operator's log says so, in the copy itself, before it comes into its place.

What must stay true: what a restore takes back is told by the log that it leaves.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from tenantai.storage import audit
from tenantai.storage.audit import OPERATOR_CHAIN, Actor
from tenantai.storage.database import Transaction
from tenantai.storage.migrating import MigrationRefused
from tenantai.storage.writer import write_alone

OPERATOR = Actor("operator")
"""Who runs commands on a data folder; no request, and so no key and no address."""


def note_restored(database: Path, *, source: str, taken_at: str | None = None) -> None:
    """Write into a copy's operator's log that it was restored; one from before there was a log is left as it is. Blocking.

    `source` is the name of the file that it comes from. Raises MigrationRefused where it can't be written.
    """
    details = {"from": source, "taken_at": taken_at}

    async def unit(connection: sqlite3.Connection) -> None:
        transaction = Transaction(connection)
        await audit.record(transaction, OPERATOR_CHAIN, event_type="data.restored", actor=OPERATOR, details=details)

    try:
        if _has_log(database):
            write_alone(database, unit)
    except sqlite3.Error as error:
        raise MigrationRefused(f"The copy can't be written to ({error}). Make room on the disk, and restore it again.") from error


def _has_log(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_chains'").fetchone() is not None
