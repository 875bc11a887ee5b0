"""What the panels of the overview say, made from what the server answered."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from textual.content import Content

from tenantai.tui import shown

if TYPE_CHECKING:
    from tenantai.wire.answers import Check, Health, Readiness
    from tenantai.wire.files import Progress
    from tenantai.wire.overview import Overview
    from tenantai.wire.usage import Forecast, UsageReport, Use
    from tenantai.wire.usage_history import UsageBucket

BAR_CELLS = 10
HOURS = 24
SHORT_FROM = 100_000
FULL, MUCH = 90.0, 75.0
TONES = {"up": "$text-success", "down": "$text-error", "degraded": "$text-warning", "rebuilding": "$text-warning"}
STATES = {"ready": "$text-success", "degraded": "$text-warning", "not_ready": "$text-error"}
LIMITS = {
    "requests_per_month": "requests of the month",
    "tokens_per_month": "tokens of the month",
    "requests_per_day": "requests of the day",
    "storage_bytes": "storage",
}


def health_text(health: "Health", ready: "Readiness") -> Content:
    """Return how the process and each dependency are."""
    memory = "" if health.memory.rss_mb is None else f" · {health.memory.rss_mb:.0f} MB"
    head = Content.assemble(
        (f"● {shown.line(ready.status.replace('_', ' '))}", f"bold {STATES.get(ready.status, '')}"),
        f" · {shown.line(health.version)} · up {shown.duration(health.uptime)}{memory}",
    )
    return Content("\n").join([head, *(_check_line(name, check) for name, check in sorted(ready.checks.items()))])


def _check_line(name: str, check: "Check") -> Content:
    says = shown.line(check.status.replace("_", " "))
    took = f" {check.latency_ms:.1f} ms" if check.latency_ms else ""
    matters = " · nothing works without it" if check.critical and check.status != "up" else ""
    why = f"\n  {shown.line(check.error, most=200)}" if check.error else ""
    return Content.assemble(f"{shown.line(name):<11}", (says, TONES.get(check.status, "$text-muted")), f"{took}{matters}{why}")


def quotas_text(report: "UsageReport") -> Content:
    """Return each limit of a tenant with how much of it is used, and until when the month's last."""
    ends_on = shown.when(report.period.end)[:10]
    lines = [
        _use_line("requests, month", report.requests),
        _forecast(report.requests, report.forecast.requests, ends_on),
        _use_line("tokens, month", report.tokens),
        _forecast(report.tokens, report.forecast.tokens, ends_on),
        _use_line("requests, day", report.daily),
        _use_line("requests, hour", report.hourly),
        _use_line("requests, minute", report.rate_limit),
        _use_line("storage", report.storage, is_bytes=True),
        _use_line("streams", report.streams),
    ]
    period = f"Plan {shown.line(report.plan)}; the month ends {ends_on}."
    return Content("\n").join([*lines, Content.styled(period, "$text-muted")])


def _use_line(name: str, use: "Use", *, is_bytes: bool = False) -> Content:
    count = shown.size if is_bytes else _short
    tone = "$text-error" if use.percent_used >= FULL else "$text-warning" if use.percent_used >= MUCH else "$text-success"
    cells = min(BAR_CELLS, round(use.percent_used / 100 * BAR_CELLS))
    said = f" {use.percent_used:5.1f} %  {count(use.used)} of {count(use.limit)}"
    bar, rest = (("━" * cells, tone), ("━" * (BAR_CELLS - cells), "$foreground 20%"))
    return Content.assemble(f"{name:<17}", bar, rest, said)


def _short(count: float) -> str:
    """Return a number as short as it can be read: all of it below a hundred thousand."""
    for unit, of in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= max(of, SHORT_FROM):
            return f"{count / of:.3g} {unit}"
    return shown.number(count)


def _forecast(use: "Use", forecast: "Forecast", ends_on: str) -> Content:
    if not use.remaining:
        return Content.styled(f"  used up until {ends_on}", "$text-error")
    if not forecast.used_up_on:
        return Content.styled(f"  lasts to {ends_on}, with {_short(forecast.per_day)} a day", "$text-muted")
    day = shown.line(forecast.used_up_on)
    return Content.styled(f"  used up on {day}, if it goes on with {_short(forecast.per_day)} a day", "$text-warning")


def now_text(overview: "Overview") -> Content:
    """Return what is under way over all tenants."""
    streams, queue = overview.streams, overview.queue
    lines = [
        f"{shown.number(overview.tenants)}{'' if overview.tenants_is_exact else '+'} tenants",
        f"{shown.number(streams.chat)} answers stream, {shown.number(streams.live)} tails and exports are open",
        f"{shown.number(queue.indexing)} files are indexed now, {shown.number(queue.pending)} wait",
    ]
    of = [
        f"  {shown.number(one.streams)}  {shown.line(one.tenant_name or one.tenant_id, most=40)}" for one in streams.by_tenant[:5]
    ]
    return Content("\n".join([*lines, *of]))


def tenant_now_text(streams: "Use | str", store: "Progress | str") -> Content:
    """Return what is under way for one tenant; a text stands for what is not known, and says why."""
    if isinstance(streams, str):
        answering = f"Answers that stream: {streams}"
    else:
        answering = f"{shown.number(streams.used)} of {shown.number(streams.limit)} answers stream now"
    return Content(f"{answering}\nIts store: {store if isinstance(store, str) else _store_now(store)}")


def _store_now(progress: "Progress") -> str:
    if progress.status == "in_progress":
        return f"{progress.percentage:.0f} %, {progress.processed_files} of {shown.files(progress.total_files)}"
    if progress.status == "idle":
        return "nothing was indexed yet"
    return f"the last operation is {shown.line(progress.stage or progress.status)}"


def counts_text(noun: str, counts: Sequence[float], *, in_hour: bool) -> str:
    """Return what stands above a line of bars."""
    span, one = ("in the last hour", "minute") if in_hour else ("in 24 hours", "hour")
    return f"{shown.number(sum(counts))} {noun} {span}; busiest {one} {shown.number(max(counts, default=0))}"


def by_hours(buckets: "Iterable[UsageBucket]", until: datetime) -> tuple[list[float], list[float]]:
    """Return requests and tokens of the 24 hours that end with the one of `until`, hours without any included."""
    last = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    found = {datetime.fromisoformat(bucket.start): bucket for bucket in buckets}
    hours = [found.get(last - timedelta(hours=back)) for back in range(HOURS - 1, -1, -1)]
    return [float(hour.requests if hour else 0) for hour in hours], [float(hour.total_tokens if hour else 0) for hour in hours]


def limit_name(limit: str) -> str:
    """Return what a limit is called."""
    return LIMITS.get(limit, shown.line(limit.replace("_", " "), most=40))
