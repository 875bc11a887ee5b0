"""What all tenants together used lately, for the operator.

What must stay true: a question reads the newest rows only, however many there are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tenantai.storage.analytics import Session
from tenantai.storage.analytics_questions import MEASURES

Interval = Literal["minute", "hour"]

SOURCES = {
    "minute": ("date_trunc('minute', created_at)", "usage_events", "created_at"),
    "hour": ("usage_hours.begins", "usage_hours", "usage_hours.begins"),
}


@dataclass(frozen=True, slots=True)
class Used:
    """What an interval brought."""

    requests: int = 0
    errors: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


def used_since(session: Session, *, interval: Interval, since: datetime) -> dict[datetime, Used]:
    """Return what each interval from a time on brought, by its beginning; those in which nothing happened are left out."""
    begins, table, column = SOURCES[interval]
    rows = session.rows(f"SELECT {begins} AS begun, {MEASURES} FROM {table} WHERE {column} >= $since GROUP BY begun", since=since)
    return {begun: Used(*map(int, counts)) for begun, *counts in rows}
