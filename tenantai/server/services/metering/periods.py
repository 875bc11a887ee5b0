"""Days and billing months: a month begins on the day of the month on which the tenant was made, at midnight UTC.

What must stay true: months follow each other without a gap; where a month has no such day, it begins on its last one.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Period:
    """A span of whole days in UTC; `ends_on` is the first day after it."""

    starts_on: date
    ends_on: date

    @property
    def begins(self) -> float:
        """When it begins, in seconds since 1970."""
        return midnight(self.starts_on)

    @property
    def ends(self) -> float:
        """When it ends, in seconds since 1970."""
        return midnight(self.ends_on)


def midnight(day: date) -> float:
    """Return when a day begins, in seconds since 1970."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def day_of(moment: float) -> Period:
    """Return the day that a time, in seconds since 1970, is in."""
    today = datetime.fromtimestamp(moment, UTC).date()
    return Period(today, today + timedelta(days=1))


def month_of(moment: float, *, anchor: int) -> Period:
    """Return the billing month that a time is in; `anchor` is the day of the month on which one begins, 1 to 31."""
    today = datetime.fromtimestamp(moment, UTC).date()
    begun = _on(today.year, today.month, anchor)
    if begun > today:
        begun = _on(*_before(today.year, today.month), anchor)
    return Period(begun, _on(*_after(begun.year, begun.month), anchor))


def _on(year: int, month: int, anchor: int) -> date:
    return date(year, month, min(anchor, monthrange(year, month)[1]))


def _before(year: int, month: int) -> tuple[int, int]:
    return (year - 1, DECEMBER) if month == 1 else (year, month - 1)


def _after(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == DECEMBER else (year, month + 1)
