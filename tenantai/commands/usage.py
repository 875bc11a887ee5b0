"""`usage`: what a tenant has used of its limits."""

from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.program import example
from tenantai.commands.terminal import as_json_option, show, show_json, size_words

if TYPE_CHECKING:
    from tenantai.wire.usage import UsageReport, Use


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
