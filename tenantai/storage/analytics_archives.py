"""Old months of the logs as Parquet files, one a month and log, that analytics reads beside its own rows.

What must stay true: a file appears whole or not at all, holds every field, and is compared with what it was made from before
anything is forgotten; it holds the rows up to a number and behind those of the file before it, so that each row of a log is in
exactly one place.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tenantai.errors import NotReady
from tenantai.storage.analytics import Analytics, Damaged, Session, literal
from tenantai.storage.analytics_intake import ADD_UP, Cursor, cursor, move_cursor
from tenantai.storage.analytics_tables import LOGS, USAGE, Log

FORM = "FORMAT parquet, COMPRESSION zstd"
UNFINISHED = ".unfinished"


class NotTheSame(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """An archive differs from what it was made from."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A month of a log: how many rows, and the number of the last."""

    log: Log
    month: str
    row_count: int
    through: int

    def path(self, analytics: Analytics) -> Path:
        """Return where it lies."""
        return analytics.folder / self.log.name / f"{self.month}.parquet"

    def source(self, analytics: Analytics) -> str:
        """Return it as SQL reads it."""
        return f"read_parquet({literal(str(self.path(analytics)))})"


@dataclass(frozen=True, slots=True)
class Sums:
    """What two copies of the same rows agree on: how many there are, and the sums of numbers in them."""

    row_count: int
    sums: tuple[int, ...]


def boundary(session: Session, log: Log, *, day: str) -> int:
    """Return the number of the last row before the first one, by time, of a day or later.

    Where a clock was set back or ahead, some rows before the number are younger, and some behind it older: those wait.
    """
    found = session.one(f"SELECT number FROM {log.table} WHERE created_at >= $day ORDER BY created_at, number LIMIT 1", day=day)
    return int(found[0]) - 1 if found else cursor(session, log).number


def months(session: Session, log: Log, *, day: str) -> list[str]:
    """Return the months of the rows from before a day that are in no archive, the oldest first."""
    month = "substr(created_at::VARCHAR, 1, 7)"
    rows = session.rows(f"SELECT DISTINCT {month} AS month FROM {log.table} WHERE created_at < $day ORDER BY month", day=day)
    return [str(row[0]) for row in rows]


def write(analytics: Analytics, session: Session, log: Log, *, month: str, through: int) -> Archive | None:
    """Move the rows up to a number from analytics' own into a file; None where there are none."""
    count, last = session.one(f"SELECT count(*), max(number) FROM {log.table} WHERE number <= $through", through=through)
    if not count:
        return None
    archive = Archive(log, _free_month(analytics, log, month), int(count), int(last))
    _put(analytics, session, archive, f"{log.table} WHERE number <= {int(last)}")
    adopt(session, archive)
    return archive


def adopt(session: Session, archive: Archive) -> None:
    """Read the rows of an archive from its file from now on."""
    with session.transaction():
        session.rows(f"DELETE FROM {archive.log.table} WHERE number <= $through", through=archive.through)
        _register(session, archive)


def load(analytics: Analytics, session: Session, archive: Archive) -> None:
    """Take an archive into analytics that have nothing yet of its rows."""
    source = archive.source(analytics)
    (moment,) = session.one(f"SELECT max(created_at)::VARCHAR FROM {source} WHERE number = $last", last=archive.through)
    with session.transaction():
        if archive.log is USAGE:
            session.rows(f"{ADD_UP} {source} GROUP BY ALL")
        _register(session, archive)
        move_cursor(session, archive.log, Cursor(archive.through, moment))


def registered(session: Session, log: Log) -> list[Archive]:
    """Return the archives that analytics reads, the oldest first."""
    rows = session.rows("SELECT month, row_count, through FROM archives WHERE log = $log ORDER BY through", log=log.name)
    return [Archive(log, *row) for row in rows]


def found(analytics: Analytics, session: Session) -> tuple[list[Archive], list[Path]]:
    """Return the archives in the folder, the oldest rows first, and the files there that can't be read as one."""
    archives: list[Archive] = []
    unreadable: list[Path] = []
    for log in LOGS.values():
        for path in sorted((analytics.folder / log.name).glob("*.parquet")):
            archive = Archive(log, path.stem, 0, 0)
            try:
                count, last = session.one(f"SELECT count(*), max(number) FROM {archive.source(analytics)}")
                archives.append(Archive(log, path.stem, int(count), int(last or 0)))
            except Exception:  # noqa: BLE001  whatever is wrong with a file, the others are read
                unreadable.append(path)
    return sorted(archives, key=lambda archive: (archive.log.name, archive.through)), unreadable


def unregister(session: Session, archive: Archive) -> None:
    """Read an archive no longer; its file is gone."""
    session.rows("DELETE FROM archives WHERE log = $log AND month = $month", log=archive.log.name, month=archive.month)


def sums(analytics: Analytics, session: Session, log: Log, *, above: int, through: int) -> Sums:
    """Return what the archives hold between two numbers, the first left out."""
    sources = [archive.source(analytics) for archive in registered(session, log) if archive.through > above]
    if not sources:
        return Sums(0, tuple(0 for _ in ("number", *log.summed)))
    union = " UNION ALL ".join(f"SELECT number, {', '.join(log.summed)} FROM {source}" for source in sources)
    wanted = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in ("number", *log.summed))
    count, *rest = session.one(
        f"SELECT count(*), {wanted} FROM ({union}) WHERE number > $above AND number <= $through", above=above, through=through
    )
    return Sums(int(count), tuple(int(value) for value in rest))


def ends_of_chains(analytics: Analytics, session: Session, archive: Archive) -> list[tuple[str, int, int]]:
    """Return (tenant id, last sequence, entries) of each chain that an archive of the audit log holds a part of."""
    rows = session.rows(f"SELECT tenant_id, max(sequence), count(*) FROM {archive.source(analytics)} GROUP BY tenant_id")
    return [(str(tenant_id), int(last), int(count)) for tenant_id, last, count in rows]


def tenants(analytics: Analytics, session: Session, archive: Archive) -> set[str]:
    """Return the tenants of whom an archive holds anything."""
    return {str(row[0]) for row in session.rows(f"SELECT DISTINCT tenant_id FROM {archive.source(analytics)}")}


def forget(analytics: Analytics, session: Session, tenant_id: str) -> None:
    """Write each archive that holds rows of a tenant anew without them."""
    for log in LOGS.values():
        for archive in registered(session, log):
            source = archive.source(analytics)
            if not session.one(f"SELECT 1 FROM {source} WHERE tenant_id = $tenant LIMIT 1", tenant=tenant_id):
                continue
            kept = f"{source} WHERE tenant_id != {literal(tenant_id)}"
            (count,) = session.one(f"SELECT count(*) FROM {kept}")
            if count:
                _put(analytics, session, archive, kept)
            else:
                archive.path(analytics).unlink()
                unregister(session, archive)


def clear_unfinished(analytics: Analytics) -> None:
    """Remove what a kill left half written."""
    for log in LOGS.values():
        for path in (analytics.folder / log.name).glob(f"*{UNFINISHED}"):
            path.unlink()


def _put(analytics: Analytics, session: Session, archive: Archive, rows: str) -> None:
    """Write rows into an archive's place, once they are safe on disk and read back as they were."""
    path = archive.path(analytics)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}{UNFINISHED}")
    try:
        target = literal(str(unfinished))
        session.rows(f"COPY (SELECT * FROM {rows} ORDER BY tenant_id, created_at, number) TO {target} ({FORM})")
        _sync(unfinished)
        _refuse_unlike(session, archive, rows, f"read_parquet({target})")
        unfinished.chmod(0o600)
        unfinished.replace(path)
        _sync(path.parent)
    except (NotReady, Damaged, NotTheSame, OSError):
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def _refuse_unlike(session: Session, archive: Archive, rows: str, written: str) -> None:
    if _fingerprint(session, rows) != _fingerprint(session, written):
        raise NotTheSame(f"{archive.log.name} {archive.month} was not written as it is")


def _fingerprint(session: Session, rows: str) -> tuple[object, ...]:
    """Return how many rows there are, and a sum over all of their fields that does not depend on their order."""
    return session.one(f"SELECT count(*), sum(hash(kept)) FROM (SELECT * FROM {rows}) AS kept")


def _free_month(analytics: Analytics, log: Log, month: str) -> str:
    """Return a month's name, with a number behind it where there is a file of it already."""
    name, further = month, 1
    while Archive(log, name, 0, 0).path(analytics).exists():
        further += 1
        name = f"{month}-{further}"
    return name


def _register(session: Session, archive: Archive) -> None:
    session.rows(
        "INSERT INTO archives VALUES ($log, $month, $row_count, $through)",
        log=archive.log.name,
        month=archive.month,
        row_count=archive.row_count,
        through=archive.through,
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
