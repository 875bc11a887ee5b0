"""Taking the logs of the database into analytics, in order, each row exactly once.

What must stay true: rows, the hours that they add to and how far the log was taken are one transaction, and rows that were taken
before are passed over; so a kill at any point loses nothing and doubles nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenantai.storage.analytics import Columns, Session, numbers, texts
from tenantai.storage.analytics_tables import HOUR, SUMS, USAGE, Log

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  DuckDB's times have no zone; all of them are UTC
READ = {"created_at": "coalesce(try_cast(created_at AS TIMESTAMP), TIMESTAMP '1970-01-01') AS created_at"}
ADD_UP = f"INSERT INTO usage_hours SELECT {HOUR}, {SUMS} FROM"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a log was taken: the number of its last row, and when that was written."""

    number: int
    moment: str | None


def cursor(session: Session, log: Log) -> Cursor:
    """Return how far a log was taken."""
    return Cursor(*session.one("SELECT number, moment FROM cursors WHERE log = $log", log=log.name))


def take(session: Session, log: Log, rows: Sequence[Sequence[Any]]) -> int:
    """Take rows of a log, which come in its order, all of its columns in theirs; how many were new."""
    with session.transaction():
        taken = cursor(session, log).number
        new = [row for row in rows if row[0] > taken]
        if new:
            with session.batch(_columns(log, new)):
                _insert(session, log)
            move_cursor(session, log, Cursor(new[-1][0], str(new[-1][log.columns.index("created_at")])))
    return len(new)


def move_cursor(session: Session, log: Log, to: Cursor) -> None:
    """Note how far a log was taken."""
    session.rows("UPDATE cursors SET number = $number, moment = $moment WHERE log = $log",
                 number=to.number, moment=to.moment, log=log.name)  # fmt: skip


def compact(session: Session, *, until: datetime) -> bool:
    """Add up the rows of a span of hours that ended before `until`; whether there is more to add up.

    Each batch brings rows of its own for an hour. A month that is over is added up once more as a whole, sorted by tenant, so
    that a question for one tenant reads little of the others'.
    """
    (done,) = session.one("SELECT moment FROM cursors WHERE log = 'hours'")
    since = datetime.fromisoformat(done) if done else _first_hour(session)
    if since is None or since >= until:
        return False
    month, following = _month(since), _month(_month(since) + timedelta(days=32))
    begin, end = (month, following) if following <= until else (since, until)
    with session.transaction():
        span = {"begin": begin, "until": end}
        where = "WHERE begins >= $begin AND begins < $until"
        keys = HOUR.replace("date_trunc('hour', created_at) AS ", "")
        session.rows(
            f"CREATE OR REPLACE TEMP TABLE compacted AS SELECT {keys}, {SUMS} FROM usage_hours {where} GROUP BY ALL", **span
        )
        session.rows(f"DELETE FROM usage_hours {where}", **span)
        session.rows("INSERT INTO usage_hours SELECT * FROM compacted ORDER BY tenant_id, begins")
        session.rows("DROP TABLE compacted")
        session.rows("UPDATE cursors SET moment = $moment WHERE log = 'hours'", moment=end.isoformat())
    return end < until


def tenants(session: Session) -> set[str]:
    """Return every tenant of whom there is anything outside the archives."""
    names = ("usage_events", "usage_hours", "audit_entries")
    return {str(row[0]) for row in session.rows(" UNION ".join(f"SELECT DISTINCT tenant_id FROM {name}" for name in names))}


def forget(session: Session, tenant_id: str) -> None:
    """Remove all of a tenant's rows; the archives are not touched."""
    with session.transaction():
        for table in ("usage_events", "usage_hours", "audit_entries"):
            session.rows(f"DELETE FROM {table} WHERE tenant_id = $tenant", tenant=tenant_id)
    session.rows("CHECKPOINT")


def _insert(session: Session, log: Log) -> None:
    """Insert the rows of the batch, and add usage up."""
    columns = log.listed
    if log is USAGE:
        read = ", ".join(READ.get(name, name) for name in log.columns)
        session.rows(f"{ADD_UP} (SELECT {read} FROM batch) GROUP BY ALL")
        session.rows(f"INSERT INTO {log.table} ({columns}) SELECT {read} FROM batch")
    else:
        session.rows(f"INSERT INTO {log.table} ({columns}) SELECT {columns} FROM batch")


def _columns(log: Log, rows: Sequence[Sequence[Any]]) -> Columns:
    by_name = zip(log.columns, zip(*rows, strict=True), strict=True)
    return {name: numbers(values) if name in log.numbers else texts(values) for name, values in by_name}


def _first_hour(session: Session) -> datetime | None:
    (first,) = session.one("SELECT min(begins) FROM usage_hours WHERE begins > $epoch", epoch=EPOCH)
    return first if isinstance(first, datetime) else None


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
