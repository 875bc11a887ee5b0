"""What one tenant has used, held in memory, and what its plan still allows.

What must stay true: a request is counted when it is let in, in one step with the check, so that of two at a limit one gets
through; a request that a limit turns away is counted in no quota.
"""

import math
from typing import Literal

from tenantai.errors import LimitExceeded
from tenantai.identifiers import timestamp_of
from tenantai.server.services.credentials import Principal
from tenantai.server.services.metering.periods import day_of, month_of
from tenantai.server.services.metering.windows import SlidingWindow
from tenantai.settings import Plan
from tenantai.storage.tenants import Tenant
from tenantai.storage.usage import Used

MINUTE, HOUR = 60.0, 3600.0
TENTHS = [f"{tenth / 10:.1f}" for tenth in range(1001)]

Limit = Literal["requests_per_minute", "requests_per_hour", "requests_per_day", "requests_per_month", "tokens_per_month"]
CODES: dict[Limit, str] = {
    "requests_per_minute": "RATE_LIMIT_EXCEEDED",
    "requests_per_hour": "RATE_LIMIT_EXCEEDED",
    "requests_per_day": "DAILY_LIMIT_EXCEEDED",
    "requests_per_month": "QUOTA_EXCEEDED",
    "tokens_per_month": "QUOTA_EXCEEDED",
}
SENTENCES: dict[Limit, str] = {
    "requests_per_minute": "This tenant has made {used} within a minute, and its limit is {limit}. Wait until {until}.",
    "requests_per_hour": "This tenant has made {used} within an hour, and its limit is {limit}. Wait until {until}.",
    "requests_per_day": "This tenant has made {used} today, and its limit is {limit}. Wait until {until}.",
    "requests_per_month": "This tenant has made {used} in its billing month, and its limit is {limit}. "
    "Wait until {until}, or ask the operator for a higher limit.",
    "tokens_per_month": "This tenant has used {used} in its billing month, and its limit is {limit}. "
    "Wait until {until}, or ask the operator for a higher limit.",
}


def tenths_used(used: int, limit: int) -> int:
    """Return the tenths of a percent that are used, 0 to 1000, rounded down: 1000 only where nothing is left."""
    return min(1000, used * 1000 // limit) if limit else 1000


class Ledger:
    """A tenant's numbers; the operator has one too, whose limits are shown and not enforced."""

    __slots__ = (
        "_tokens_percent",
        "_tokens_remaining",
        "anchor",
        "counts_until",
        "day_begins",
        "day_ends",
        "day_requests",
        "hour",
        "is_enforced",
        "minute",
        "month_begins",
        "month_ends",
        "month_requests",
        "month_starts_on",
        "month_tokens",
        "plan",
        "seen",
        "tenant",
        "was_set_back",
    )

    def __init__(self, tenant: Tenant, plan: Plan, *, moment: float, is_enforced: bool = True) -> None:
        self.tenant = tenant
        self.plan = plan
        self.is_enforced = is_enforced
        self.anchor = int(tenant.created_at[8:10])
        self.minute, self.hour = SlidingWindow(MINUTE), SlidingWindow(HOUR)
        self.day_begins = self.day_ends = self.month_begins = self.month_ends = self.counts_until = self.seen = 0.0
        self.was_set_back = False
        self.month_starts_on = self._tokens_remaining = self._tokens_percent = ""
        self.day_requests = self.month_requests = self.month_tokens = 0
        self.roll(moment)

    def begin_with(self, *, day: Used, month: Used) -> None:
        """Go on from what was recorded, if that is more than what is known here of the same periods."""
        self.was_set_back = False
        self.day_requests = max(self.day_requests, day.requests)
        self.month_requests = max(self.month_requests, month.requests)
        self.month_tokens = max(self.month_tokens, month.tokens)
        self._tell_tokens()

    def agree(self, tenant: Tenant, plan: Plan) -> None:
        """Go on on the terms that the tenant has now."""
        self.tenant, self.plan = tenant, plan
        self._tell_tokens()

    def roll(self, moment: float) -> None:
        """Begin the periods that a time is in, where they are not begun; of earlier ones than these more may be recorded."""
        self.was_set_back = self.was_set_back or moment < self.day_begins or moment < self.month_begins
        if not self.day_begins <= moment < self.day_ends:
            day = day_of(moment)
            self.day_begins, self.day_ends, self.day_requests = day.begins, day.ends, 0
        if not self.month_begins <= moment < self.month_ends:
            month = month_of(moment, anchor=self.anchor)
            self.month_begins, self.month_ends, self.month_starts_on = month.begins, month.ends, month.starts_on.isoformat()
            self.month_requests = self.month_tokens = 0
            self._tell_tokens()

    def admit(self, moment: float) -> None:
        """Count a request, or raise LimitExceeded."""
        if not self.seen <= moment < self.counts_until:
            self._look_at(moment)
        plan, minute, hour = self.plan, self.minute, self.hour
        if self.is_enforced:
            if minute.used >= plan.requests_per_minute:
                raise self._refusal("requests_per_minute", minute.used, minute.free_at(plan.requests_per_minute, moment), moment)
            if hour.used >= plan.requests_per_hour:
                raise self._refusal("requests_per_hour", hour.used, hour.free_at(plan.requests_per_hour, moment), moment)
            if self.day_requests >= plan.requests_per_day:
                raise self._refusal("requests_per_day", self.day_requests, self.day_ends, moment)
            if self.month_requests >= plan.requests_per_month:
                raise self._refusal("requests_per_month", self.month_requests, self.month_ends, moment)
        self.seen = moment
        minute.add_now()
        hour.add_now()
        self.day_requests += 1
        self.month_requests += 1

    def take_back(self) -> None:
        """Count a request in no quota after all: another limit turned it away. Windows keep it, so that hammering is slowed."""
        self.day_requests = max(0, self.day_requests - 1)
        self.month_requests = max(0, self.month_requests - 1)

    def require_tokens(self, moment: float) -> None:
        """Raise LimitExceeded where the month's tokens are used."""
        self.roll(moment)
        if self.is_enforced and self.month_tokens >= self.plan.tokens_per_month:
            raise self._refusal("tokens_per_month", self.month_tokens, self.month_ends, moment)

    def add_tokens(self, tokens: int, moment: float) -> None:
        """Count tokens."""
        self.roll(moment)
        self.month_tokens += tokens
        self._tell_tokens()

    def headers(self) -> tuple[str, str, str, str]:
        """Return requests and tokens that remain this month, and the percent used of each, as headers have them."""
        allowed, used = self.plan.requests_per_month, self.month_requests
        return (
            str(allowed - used if allowed > used else 0),
            self._tokens_remaining,
            TENTHS[tenths_used(used, allowed)],
            self._tokens_percent,
        )

    def _look_at(self, moment: float) -> None:
        """Bring periods and windows to a time, and find out until when nothing but requests changes their counts."""
        self.roll(moment)
        self.minute.at(moment)
        self.hour.at(moment)
        self.counts_until = min(self.day_ends, self.minute.counts_until, self.hour.counts_until)

    def _tell_tokens(self) -> None:
        """Make ready what headers tell of tokens, which most requests change nothing of."""
        allowed, used = self.plan.tokens_per_month, self.month_tokens
        self._tokens_remaining = str(max(0, allowed - used))
        self._tokens_percent = TENTHS[tenths_used(used, allowed)]

    def _refusal(self, limit: Limit, used: int, free_at: float, moment: float) -> LimitExceeded:
        allowed: int = getattr(self.plan, limit)
        return LimitExceeded(
            CODES[limit],
            SENTENCES[limit].format(used=_counted(used, limit), limit=f"{allowed:,}", until=_to_the_second(free_at)),
            reason=limit,
            limit=allowed,
            used=used,
            retry_after_seconds=max(1, math.ceil(free_at - moment)),
            reset_at=timestamp_of(free_at),
        )


def _counted(used: int, limit: Limit) -> str:
    """Return a number with what it counts."""
    noun = limit.partition("_")[0]
    return f"{used:,} {noun.removesuffix('s') if used == 1 else noun}"


def _to_the_second(moment: float) -> str:
    """Return the first whole second from a moment on, as a person reads it."""
    return f"{timestamp_of(math.ceil(moment))[:19].replace('T', ' ')} UTC"


class Visit:
    """One request of a known key: who asks, whose ledger it is counted in, and what has become of that."""

    __slots__ = ("is_written_down", "ledger", "principal", "was_admitted")

    def __init__(self, principal: Principal, ledger: Ledger) -> None:
        self.principal = principal
        self.ledger = ledger
        self.was_admitted = False
        self.is_written_down = False
