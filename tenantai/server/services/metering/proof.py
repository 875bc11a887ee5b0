"""The proof that counters equal the events that they count."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

from tenantai.identifiers import timestamp_of
from tenantai.server.services.metering.periods import Period, day_of, midnight, month_of
from tenantai.storage import across_tenants, usage
from tenantai.storage.database import Reading
from tenantai.storage.usage import DAY, MONTH, Used

PROVED_DAYS = 40


async def drift(reading: Reading, *, moment: float) -> tuple[int, list[str]]:
    """Return how many counters of the last days and months were held against their events, and a line for each that differs.

    Those that should be there for an event, and are not, are among them.
    """
    today = day_of(moment).starts_on
    since = today - timedelta(days=PROVED_DAYS)
    counters = await across_tenants.usage_counters(reading, since=since.isoformat())
    held = {(tenant_id, period, starts_on): (counted, made_at) for tenant_id, period, starts_on, counted, made_at in counters}
    async for counter, made_at in _needed(reading, since, today):
        held.setdefault(counter, (Used(), made_at))
    found = []
    for (tenant_id, period, starts_on), (counted, made_at) in held.items():
        span = _span(period, starts_on, made_at)
        began, ends = timestamp_of(span.begins), timestamp_of(span.ends)
        if await usage.recorded(reading, tenant_id, since=began, until=ends) == counted:
            continue
        now = await usage.used(reading, tenant_id, period=period, starts_on=starts_on)  # more may be recorded meanwhile
        recorded = await usage.recorded(reading, tenant_id, since=began, until=ends)
        if recorded != now:
            found.append(f"{tenant_id}, {period} of {starts_on}: counted {_told(now)}, recorded {_told(recorded)}")
    return len(held), found


async def _needed(reading: Reading, since: date, until: date) -> AsyncIterator[tuple[tuple[str, str, str], str]]:
    """Yield the counter (tenant id, period, first day) of each day and month with an event, and when its tenant was made."""
    for day in (since + timedelta(days=number) for number in range((until - since).days + 1)):
        following = day + timedelta(days=1)
        users = await across_tenants.tenants_with_usage(reading, since=day.isoformat(), until=following.isoformat())
        for tenant_id, made_at in users:
            yield (tenant_id, DAY, day.isoformat()), made_at
            month = month_of(midnight(day), anchor=int(made_at[8:10])).starts_on
            if month >= since:
                yield (tenant_id, MONTH, month.isoformat()), made_at


def _span(period: str, starts_on: str, made_at: str) -> Period:
    begins = midnight(date.fromisoformat(starts_on))
    return day_of(begins) if period == DAY else month_of(begins, anchor=int(made_at[8:10]))


def _told(used: Used) -> str:
    return f"{used.requests} requests and {used.tokens} tokens"
