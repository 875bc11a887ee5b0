"""A tenant's use over time, as it asks for it: the span in whole intervals, how much of it may be asked for, and the answer.

What must stay true: an answer says up to when it is complete, and what it cannot hold it refuses, naming what to ask for instead.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenantai.errors import ValidationFailed
from tenantai.identifiers import now, timestamp
from tenantai.storage.analytics import Session
from tenantai.storage.analytics_questions import history
from tenantai.wire.usage_history import Interval, UsageHistoryQuery

INTERVALS_MAX: dict[Interval, int] = {"hour": 31 * 24, "day": 800, "month": 240}
INTERVALS_DEFAULT: dict[Interval, int] = {"hour": 24, "day": 30, "month": 12}
BUCKETS_MAX = 50_000
MONTH_DAYS_MAX = 31
EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1970, 9000))


@dataclass(frozen=True, slots=True)
class Span:
    """Whole intervals, from the first one's beginning to before the last one's end; times are in UTC and bear no zone."""

    since: datetime
    until: datetime


def span_of(query: UsageHistoryQuery, *, moment: datetime | None = None) -> Span:
    """Return the intervals that a query names any part of; raises ValidationFailed where they are too many."""
    interval = query.interval
    until = _end(_time(query.until) if query.until else _bare(moment or now()), interval)
    default = _back(until, interval, INTERVALS_DEFAULT[interval])
    since = _begin(_time(query.since), interval) if query.since else default
    if since >= until:
        raise ValidationFailed([{"field": "from", "problem": "must lie before to"}])
    most = INTERVALS_MAX[interval]
    if since < _back(until, interval, most):
        advice = "" if interval == "month" else " Ask for a shorter span, or for a longer interval."
        raise ValidationFailed([{"field": "from", "problem": f"is more than {most} intervals ({interval}) before to.{advice}"}])
    return Span(since, until)


def question(query: UsageHistoryQuery, span: Span, tenant_id: str, *, account_id: str | None) -> Callable[[Session], str]:
    """Return what to ask analytics: the buckets as JSON; raises ValidationFailed where they are too many."""

    def ask(session: Session) -> str:
        count, buckets = history(
            session,
            tenant_id,
            interval=query.interval,
            group_by=query.group_by,
            since=span.since,
            until=span.until,
            account_id=account_id,
            bucket_count=BUCKETS_MAX,
        )
        if count > BUCKETS_MAX:
            problem = f"gives more than {BUCKETS_MAX} buckets. Ask for a shorter span, for a longer interval, or for an export"
            raise ValidationFailed([{"field": "groupBy", "problem": problem}])
        return buckets

    return ask


def answer(query: UsageHistoryQuery, span: Span, buckets: str, *, complete_through: str | None) -> str:
    """Return the answer, `wire.UsageHistory` as JSON."""
    told = {"interval": query.interval, "groupBy": query.group_by, "from": _told(span.since), "to": _told(span.until)}
    return f'{json.dumps({**told, "completeThrough": complete_through})[:-1]}, "buckets": {buckets}}}'


def _begin(moment: datetime, interval: Interval) -> datetime:
    """Return the beginning of the interval that a time is in."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour if interval == "hour" else hour.replace(hour=0)
    return day.replace(day=1) if interval == "month" else day


def _end(moment: datetime, interval: Interval) -> datetime:
    """Return the time itself where an interval begins at it, else the end of its interval."""
    begun = _begin(moment, interval)
    if begun == moment:
        return moment
    if interval == "month":
        return _begin(begun + timedelta(days=MONTH_DAYS_MAX + 1), interval)
    return begun + (timedelta(hours=1) if interval == "hour" else timedelta(days=1))


def _back(moment: datetime, interval: Interval, count: int) -> datetime:
    """Return the beginning of the interval so many before the one that a time begins."""
    if interval != "month":
        return moment - count * (timedelta(hours=1) if interval == "hour" else timedelta(days=1))
    months = moment.year * 12 + moment.month - 1 - count
    return moment.replace(year=months // 12, month=months % 12 + 1)


def _time(text: str) -> datetime:
    """Return a time that a query names, none so far off that no interval ends behind it."""
    return min(max(_bare(datetime.fromisoformat(text)), EARLIEST), LATEST)


def _bare(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _told(moment: datetime) -> str:
    return timestamp(moment.replace(tzinfo=UTC))
