"""`usage`: what a tenant has used of its limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.pieces import FORMS, write_out
from tenantai.commands.program import example
from tenantai.commands.terminal import Misused, as_json_option, say, show, show_json
from tenantai.sizes import size_words

if TYPE_CHECKING:
    from tenantai.wire.usage import UsageReport, Use
    from tenantai.wire.usage_history import Group, Interval, UsageHistory


@click.group(epilog=example("usage show"))
def usage() -> None:
    """Show what a tenant has used."""


@usage.command("show", epilog=example("usage show --json"))
@as_json_option
@connected_to_tenant
async def show_usage(connection: Connection, *, as_json: bool) -> None:
    """Show how much of each limit is used."""
    async with connection.opened() as (client, tenant_id):
        report = await client.usage.report(tenant_id=tenant_id)
    if as_json:
        show_json(report.json_ready())
        return
    show(f"plan {report.plan}, {report.period.start[:10]} to {report.period.end[:10]}")
    for line in _lines(report):
        show(line)


@usage.command(epilog=example("usage history --interval day --group-by endpoint --from 2026-01-01"))
@click.option("--from", "since", help="From the interval that this time is in, such as 2026-01-31T12:00:00Z.")
@click.option("--to", "until", help="Up to the end of the interval that this time is in.")
@click.option("--interval", type=click.Choice(("hour", "day", "month")), default="day", help="How long an interval is (day).")
@click.option("--group-by", type=click.Choice(("endpoint", "key", "account", "model", "status")), help="By what to divide it.")
@click.option("--format", "form", type=click.Choice(FORMS), help="Export the events themselves.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write (stdout).")
@as_json_option
@connected_to_tenant
async def history(
    connection: Connection,
    *,
    since: str | None,
    until: str | None,
    interval: "Interval",
    group_by: "Group | None",
    form: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Show what was used over time, or export it."""
    if output is not None and form is None:
        raise Misused("Say with --format which kind of file --output is to be.")
    async with connection.client() as client:
        tenant = {"tenant_id": connection.tenant, "since": since, "until": until}
        if form is not None:
            await write_out(client.usage.export(form, **tenant), output, form=form)
            return
        found = await client.usage.history(interval=interval, group_by=group_by, **tenant)
    if as_json:
        show_json(found.json_ready())
        return
    for line in _history_lines(found):
        show(line)
    if not found.buckets:
        say(f"Nothing was used from {found.since} to {found.until}.")


def _history_lines(found: "UsageHistory") -> list[str]:
    """Return a line for each bucket, behind one that names the columns."""
    width = {"hour": 16, "day": 10, "month": 7}[found.interval]
    lines = [_cells("start", ("requests", "errors", "refused", "tokens in", "tokens out"), found.group_by or "")]
    for bucket in found.buckets:
        numbers = (bucket.requests, bucket.errors, bucket.refused, bucket.input_tokens, bucket.output_tokens)
        group = bucket.group or ("-" if found.group_by else "")
        lines.append(_cells(bucket.start[:width], [f"{number:,}" for number in numbers], group))
    return lines if found.buckets else []


def _cells(start: str, numbers: Sequence[str], group: str) -> str:
    return f"{start:16} {' '.join(f'{number:>12}' for number in numbers)}  {group}".rstrip()


def _lines(report: "UsageReport") -> list[str]:
    stored = f"{size_words(report.storage.used)} of {size_words(report.storage.limit)}"
    return [
        _line("requests this month", report.requests) + _ending(report.forecast.requests.used_up_on),
        _line("tokens this month", report.tokens) + _ending(report.forecast.tokens.used_up_on),
        _line("requests today", report.daily),
        _line("requests this hour", report.hourly),
        _line("requests this minute", report.rate_limit),
        _line("streams open", report.streams),
        f"{'storage':22} {report.storage.percent_used:5.1f} %  {stored}",
    ]


def _line(name: str, use: "Use") -> str:
    return f"{name:22} {use.percent_used:5.1f} %  {use.used:,} of {use.limit:,}"


def _ending(day: str | None) -> str:
    return f", used up on {day} at this pace" if day else ""
