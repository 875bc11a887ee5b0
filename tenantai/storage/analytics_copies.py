"""Copies of what one may see of the analytics, for SQL that is not ours: files that a process apart reads.

What must stay true: a copy for a tenant holds that tenant's rows and no others, nor a number that tells of others; none outlives
its question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tenantai.identifiers import new_id
from tenantai.storage.analytics import Analytics, Session, literal

COPIED_ROWS_MAX = 500_000
NEWEST = {"usage_events": "number", "usage_hours": "begins", "audit_entries": "number"}
NOT_A_TENANTS = "number"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a table: how many rows it has, and whether they are all there are."""

    name: str
    path: Path
    row_count: int
    is_whole: bool


class Copies:
    """Copies of some tables for one question: a tenant's rows, or, for None, everyone's."""

    def __init__(self, analytics: Analytics, *, tenant_id: str | None, names: Sequence[str]) -> None:
        self._tenant_id = tenant_id
        self._paths = {name: analytics.scratch / f"{new_id()}.parquet" for name in names}
        self._is_discarded = Event()

    def make(self, session: Session) -> list[Copy]:
        """Write them, all of one moment; call it on a thread."""
        try:
            with session.transaction():
                return [self._copied(session, name, path) for name, path in self._paths.items()]
        except BaseException:
            self.discard()
            raise
        finally:
            if self._is_discarded.is_set():
                self.discard()

    def discard(self) -> None:
        """Remove them; what is being written is removed once it is."""
        self._is_discarded.set()
        for path in self._paths.values():
            path.unlink(missing_ok=True)

    def _copied(self, session: Session, name: str, path: Path) -> Copy:
        where = "TRUE" if self._tenant_id is None else f"tenant_id = {literal(self._tenant_id)}"
        shown = "*" if self._tenant_id is None or name == "usage_hours" else f"* EXCLUDE ({NOT_A_TENANTS})"
        newest = f"WHERE {where} ORDER BY {NEWEST[name]} DESC LIMIT {COPIED_ROWS_MAX}"
        if self._tenant_id is None and NEWEST[name] == "number":  # no sort of everyone's rows where their numbers tell
            newest = f"WHERE number > (SELECT max(number) FROM {name}) - {COPIED_ROWS_MAX}"
        session.rows(f"COPY (SELECT {shown} FROM {name} {newest}) TO {literal(str(path))} (FORMAT parquet)")
        path.chmod(0o600)
        (copied,) = session.one(f"SELECT count(*) FROM read_parquet({literal(str(path))})")
        (count,) = session.one(f"SELECT count(*) FROM {name} WHERE {where}")
        return Copy(name, path, int(copied), copied == count)
