"""Bringing analytics together with what there is: the archives beside them, and how far the database has come.

What must stay true: analytics that know more than the database and the archives, or less than an archive, are made anew from
both; nothing here changes an archive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenantai.storage import analytics_archives as archives
from tenantai.storage.analytics import Analytics, Damaged, Session
from tenantai.storage.analytics_archives import Archive
from tenantai.storage.analytics_intake import Cursor, cursor
from tenantai.storage.analytics_tables import LOGS, LogName


@dataclass(frozen=True, slots=True)
class Prepared:
    """How far analytics are, how far the archives reach, and the archives that are missing or can't be read."""

    cursors: Mapping[LogName, Cursor]
    archived: Mapping[LogName, int]
    lost: Sequence[Path]


def prepare(analytics: Analytics, last_numbers: Mapping[LogName, int]) -> Prepared:
    """Open analytics, made anew where they can't be used; `last_numbers` are the highest that the database ever gave."""
    archives.clear_unfinished(analytics)
    try:
        return _prepared(analytics, last_numbers)
    except Damaged:
        analytics.discard()
        return _prepared(analytics, last_numbers)


def _prepared(analytics: Analytics, last_numbers: Mapping[LogName, int]) -> Prepared:
    if not analytics.is_open:
        analytics.open()
    with analytics.session() as session:
        there, unreadable = archives.found(analytics, session)
        reach = {log.name: max((a.through for a in there if a.log is log), default=0) for log in LOGS.values()}
        missing = _drop_missing(analytics, session, there)
        for archive in there:
            _join(analytics, session, archive)
        cursors = {log.name: cursor(session, log) for log in LOGS.values()}
        for name, taken in cursors.items():
            if taken.number > max(last_numbers[name], reach[name]):
                raise Damaged
        return Prepared(cursors, reach, [*unreadable, *missing])


def _join(analytics: Analytics, session: Session, archive: Archive) -> None:
    """Read an archive from its file, if that is not done: one written just before a kill, or all of them in a new file."""
    known = archives.registered(session, archive.log)
    if any(one.month == archive.month for one in known):
        return
    taken = cursor(session, archive.log).number
    if archive.through <= taken:
        archives.adopt(session, archive)
    elif taken == max((one.through for one in known), default=0):
        archives.load(analytics, session, archive)
    else:
        raise Damaged


def _drop_missing(analytics: Analytics, session: Session, there: Sequence[Archive]) -> list[Path]:
    """Read no longer what is gone; the hours that it added to stay."""
    months = {(archive.log.name, archive.month) for archive in there}
    gone = [a for log in LOGS.values() for a in archives.registered(session, log) if (log.name, a.month) not in months]
    for archive in gone:
        archives.unregister(session, archive)
    return [archive.path(analytics) for archive in gone]
