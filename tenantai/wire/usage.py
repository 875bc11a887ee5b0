"""What a tenant has used: GET /usage."""

from pydantic import Field

from tenantai.wire.audit import Identifier
from tenantai.wire.shapes import Asked, Computed


class UsageQuery(Asked):
    """GET /usage: the operator names a tenant, or reads the operator's own."""

    tenant_id: Identifier | None = None


class Use(Computed):
    """How much of a limit is used; `percent_used` is rounded down to a tenth, so that 100 means that nothing is left."""

    used: int
    limit: int
    remaining: int
    percent_used: float


class WindowUse(Use):
    """A sliding window; at `reset_at` nothing of what is in it now is left."""

    window_seconds: int
    reset_at: str


class DailyUse(Use):
    """The day, which ends at midnight UTC."""

    reset_at: str


class BillingPeriod(Computed):
    """The billing month: from its start to before its end."""

    start: str
    end: str


class Forecast(Computed):
    """A quota, if the tenant goes on as in the last seven days: the day it is used up, null where the month ends before."""

    per_day: float
    used_up_on: str | None = Field(json_schema_extra={"format": "date"})


class Forecasts(Computed):
    """When the quotas of the month will be used up."""

    requests: Forecast
    tokens: Forecast


class UsageReport(Computed):
    """What a tenant has used of each of its limits."""

    plan: str
    period: BillingPeriod
    requests: Use
    tokens: Use
    rate_limit: WindowUse
    hourly: WindowUse
    daily: DailyUse
    storage: Use
    streams: Use
    forecast: Forecasts
