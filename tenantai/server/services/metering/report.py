"""What a tenant has used, as it reads it itself: every limit with its number, and the day on which a quota will be used up."""

from datetime import date, timedelta
from typing import Any

from tenantai.identifiers import timestamp_of
from tenantai.server.services.metering.ledger import HOUR, MINUTE, Ledger, tenths_used
from tenantai.server.services.metering.periods import day_of, midnight, month_of
from tenantai.storage import usage
from tenantai.storage.database import Reading
from tenantai.wire.usage import BillingPeriod, DailyUse, Forecast, Forecasts, UsageReport, Use, WindowUse

LOOKED_BACK_DAYS = 7
DAY_SECONDS = 86400.0


async def report_of(reading: Reading, ledger: Ledger, *, streams: int, storage_bytes: int, moment: float) -> UsageReport:
    """Return a tenant's report."""
    ledger.roll(moment)
    plan, month, today = ledger.plan, month_of(moment, anchor=ledger.anchor), day_of(moment)
    begun = max(today.starts_on - timedelta(days=LOOKED_BACK_DAYS - 1), _made_on(ledger, today.starts_on))
    days = await usage.days(reading, ledger.tenant.id, since=begun.isoformat())
    past = [used for day, used in days.items() if day < today.starts_on.isoformat()]
    seconds = max(1.0, moment - midnight(begun))
    requests = sum(used.requests for used in past) + ledger.day_requests
    tokens = sum(used.tokens for used in days.values())
    return UsageReport(
        plan=ledger.tenant.plan,
        period=BillingPeriod(start=timestamp_of(month.begins), end=timestamp_of(month.ends)),
        requests=Use(**_use(ledger.month_requests, plan.requests_per_month)),
        tokens=Use(**_use(ledger.month_tokens, plan.tokens_per_month)),
        rate_limit=_window(ledger.minute.at(moment), plan.requests_per_minute, MINUTE, ledger.minute.free_at(1, moment)),
        hourly=_window(ledger.hour.at(moment), plan.requests_per_hour, HOUR, ledger.hour.free_at(1, moment)),
        daily=DailyUse(**_use(ledger.day_requests, plan.requests_per_day), reset_at=timestamp_of(ledger.day_ends)),
        storage=Use(**_use(storage_bytes, plan.storage_bytes)),
        streams=Use(**_use(streams, plan.streams)),
        forecast=Forecasts(
            requests=_forecast(ledger.month_requests, plan.requests_per_month, requests / seconds, moment, month.ends),
            tokens=_forecast(ledger.month_tokens, plan.tokens_per_month, tokens / seconds, moment, month.ends),
        ),
    )


def _made_on(ledger: Ledger, today: date) -> date:
    return min(today, date.fromisoformat(ledger.tenant.created_at[:10]))


def _use(used: int, limit: int) -> dict[str, Any]:
    return {"used": used, "limit": limit, "remaining": max(0, limit - used), "percent_used": tenths_used(used, limit) / 10}


def _window(used: int, limit: int, seconds: float, free_at: float) -> WindowUse:
    return WindowUse(**_use(used, limit), window_seconds=int(seconds), reset_at=timestamp_of(free_at))


def _forecast(used: int, limit: int, per_second: float, moment: float, period_ends: float) -> Forecast:
    """Return when a quota is used up if the tenant goes on as in the last days; None where its month ends before."""
    per_day = round(per_second * DAY_SECONDS, 1)
    if used >= limit:
        return Forecast(per_day=per_day, used_up_on=timestamp_of(moment)[:10])
    at = moment + (limit - used) / per_second if per_second > 0 else period_ends
    return Forecast(per_day=per_day, used_up_on=timestamp_of(at)[:10] if at < period_ends else None)
