"""What was used, as rows of numbers that a chart and a list can show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenantai.tui import shown
from tenantai.wire.usage import Forecast, UsageReport
from tenantai.wire.usage_history import Group, Interval, UsageBucket, UsageHistory

SPANS: dict[str, tuple[timedelta, Interval]] = {
    "24 hours": (timedelta(hours=24), "hour"),
    "7 days": (timedelta(days=7), "day"),
    "30 days": (timedelta(days=30), "day"),
    "90 days": (timedelta(days=90), "day"),
    "12 months": (timedelta(days=365), "month"),
}
MEASURES: dict[str, Callable[[UsageBucket], int]] = {
    "requests": lambda bucket: bucket.requests,
    "tokens": lambda bucket: bucket.total_tokens,
    "errors": lambda bucket: bucket.errors,
    "refused": lambda bucket: bucket.refused,
}
GROUPS: tuple[Group, ...] = ("endpoint", "key", "account", "model", "status")
INTERVALS: tuple[Interval, ...] = ("hour", "day", "month")
HOURS_DAYS_MAX = 31
BAR = 20
API = " /api/v1"
PARTS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Line:
    """What one group used in the whole span; `group` None is where the thing has none, and `is_all` stands for all of them."""

    name: str
    group: str | None
    is_all: bool
    requests: int
    errors: int
    refused: int
    tokens: int
    share: float


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a limit is used, and what becomes of it."""

    name: str
    used: str
    limit: str
    percent: float
    outlook: str


def lines_of(history: UsageHistory, *, measure: str, names: Mapping[str, str]) -> list[Line]:
    """Return all of it, then each group, the largest first."""
    groups: dict[str | None, list[UsageBucket]] = {}
    for bucket in history.buckets:
        groups.setdefault(bucket.group, []).append(bucket)
    whole = sum(map(MEASURES[measure], history.buckets)) or 1
    all_of_it = _line("all", None, history.buckets, whole, measure, is_all=True)
    if history.group_by is None:
        return [all_of_it]
    each = [
        _line(names.get(group or "", (group or "–").replace(API, " ")), group, buckets, whole, measure, is_all=False)
        for group, buckets in groups.items()
    ]
    return [all_of_it, *sorted(each, key=lambda line: (-line.share, line.name))]


def _line(name: str, group: str | None, buckets: Sequence[UsageBucket], whole: int, measure: str, *, is_all: bool) -> Line:
    return Line(
        name,
        group,
        is_all,
        sum(bucket.requests for bucket in buckets),
        sum(bucket.errors for bucket in buckets),
        sum(bucket.refused for bucket in buckets),
        sum(bucket.total_tokens for bucket in buckets),
        sum(map(MEASURES[measure], buckets)) / whole,
    )


def series_of(history: UsageHistory, *, measure: str, line: Line | None) -> list[tuple[str, int]]:
    """Return each interval of the span with its label and its number, those in which nothing happened too."""
    is_of = (lambda _: True) if line is None or line.is_all else (lambda bucket: bucket.group == line.group)
    numbers: dict[datetime, int] = {}
    for bucket in history.buckets:
        if is_of(bucket):
            start = datetime.fromisoformat(bucket.start)
            numbers[start] = numbers.get(start, 0) + MEASURES[measure](bucket)
    return [(label(start, history.interval), numbers.get(start, 0)) for start in _starts(history)]


def _starts(history: UsageHistory) -> list[datetime]:
    at, until = datetime.fromisoformat(history.since), datetime.fromisoformat(history.until)
    found: list[datetime] = []
    while at < until:
        found.append(at)
        at = _next(at, history.interval)
    return found


def _next(at: datetime, interval: Interval) -> datetime:
    if interval == "month":
        return (at.replace(day=1) + timedelta(days=32)).replace(day=1)
    return at + (timedelta(hours=1) if interval == "hour" else timedelta(days=1))


def label(start: datetime, interval: Interval) -> str:
    """Return an interval's name: hours as the clock here shows them, days and months as the server counts them, in UTC."""
    forms = {"hour": "%d. %H:%M", "day": "%m-%d", "month": "%Y-%m"}
    return (start.astimezone() if interval == "hour" else start.astimezone(UTC)).strftime(forms[interval])


def since_of(span: str, *, now: datetime | None = None) -> str:
    """Return when a span begins that ends now."""
    return ((now or datetime.now(tz=UTC)) - SPANS[span][0]).isoformat()


def intervals_for(span: str) -> list[Interval]:
    """Return the intervals that a span can be divided by; hours only where they are not too many."""
    return [one for one in INTERVALS if one != "hour" or SPANS[span][0].days <= HOURS_DAYS_MAX]


def quotas_of(report: UsageReport) -> list[Quota]:
    """Return every limit, the month's first, with what becomes of it."""
    day = f"until {shown.when(report.daily.reset_at)[5:16]}"
    uses = [
        ("requests this month", report.requests, _outlook(report.forecast.requests, report.period.end)),
        ("tokens this month", report.tokens, _outlook(report.forecast.tokens, report.period.end)),
        ("requests today", report.daily, day),
        ("requests in an hour", report.hourly, ""),
        ("requests in a minute", report.rate_limit, ""),
        ("streams now", report.streams, ""),
    ]
    found = [Quota(name, short(use.used), short(use.limit), use.percent_used, outlook) for name, use, outlook in uses]
    stored = report.storage
    return [*found, Quota("storage", shown.size(stored.used), shown.size(stored.limit), stored.percent_used, "")]


def _outlook(forecast: Forecast, end: str) -> str:
    if forecast.used_up_on:
        return f"USED UP {forecast.used_up_on} at {short(forecast.per_day)} a day"
    return f"lasts to {end[:10]} at {short(forecast.per_day)} a day"


def bar(share: float, *, width: int = BAR) -> str:
    """Return a share of one as a bar of so many cells."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (PARTS[rest] if rest else "")).ljust(width, "·")


def short(number: float) -> str:
    """Return a number in at most five characters."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.0f}{unit}" if scaled >= 100 else f"{scaled:.1f}{unit}"  # noqa: PLR2004  three digits are enough
    return f"{number:.0f}"
