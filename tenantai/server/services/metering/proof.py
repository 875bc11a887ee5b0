"""The proof that counters equal the events that they count."""

from datetime import date, timedelta

from tenantai.identifiers import timestamp_of
from tenantai.server.services.metering.periods import Period, day_of, midnight, month_of
from tenantai.storage import across_tenants, usage
from tenantai.storage.database import Reading
from tenantai.storage.usage import DAY, Used

PROVED_DAYS = 40


async def drift(reading: Reading, *, moment: float) -> tuple[int, list[str]]:
    """Return how many counters of the last days and months were held against their events, and a line for each that differs."""
    since = day_of(moment).starts_on - timedelta(days=PROVED_DAYS)
    counters = await across_tenants.usage_counters(reading, since=since.isoformat())
    found = []
    for tenant_id, period, starts_on, counted, made_at in counters:
        span = _span(period, starts_on, made_at)
        began, ends = timestamp_of(span.begins), timestamp_of(span.ends)
        recorded = await usage.recorded(reading, tenant_id, since=began, until=ends)
        if recorded != counted:
            found.append(f"{tenant_id}, {period} of {starts_on}: counted {_told(counted)}, recorded {_told(recorded)}")
    return len(counters), found


def _span(period: str, starts_on: str, made_at: str) -> Period:
    begins = midnight(date.fromisoformat(starts_on))
    return day_of(begins) if period == DAY else month_of(begins, anchor=int(made_at[8:10]))


def _told(used: Used) -> str:
    return f"{used.requests} requests and {used.tokens} tokens"
