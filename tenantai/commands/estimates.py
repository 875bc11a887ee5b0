"""`estimates`: what was estimated before."""

from pathlib import Path

import click

from tenantai.commands.connection import Connection, connected, connected_to_server
from tenantai.commands.inventory import show_inventory
from tenantai.commands.pieces import write_out
from tenantai.commands.program import example
from tenantai.commands.terminal import as_json_option, confirm, counted, say, show, show_json, show_record, yes_option

SOME_ID = "0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"


@click.group(epilog=example("estimates list"))
def estimates() -> None:
    """List, show, approve, export and delete estimates."""


@estimates.command("list", epilog=example("estimates list"))
@as_json_option
@connected
async def list_estimates(connection: Connection, *, as_json: bool) -> None:
    """List estimates, the newest first."""
    async with connection.opened() as (client, tenant_id):
        found = [kept async for kept in client.estimator.all(tenant_id, account_id=connection.account)]
    if as_json:
        show_json([kept.json_ready() for kept in found])
        return
    for kept in found:
        approved = "approved" if kept.approved_at else "open"
        items = counted(kept.item_count, "item")
        show(f"{kept.id}  {kept.created_at}  {kept.status}  {approved}  {items}  {kept.volume_m3:.1f} m³")
    if not found:
        say("Nothing was estimated yet. Estimate something: `tenantai estimate photo.jpg`")


@estimates.command("show", epilog=example(f"estimates show {SOME_ID}"))
@click.argument("estimate_id")
@as_json_option
@connected_to_server
async def show_estimate(connection: Connection, *, estimate_id: str, as_json: bool) -> None:
    """Show an estimate with all its items."""
    async with connection.client() as client:
        shown = await client.estimator.get(estimate_id)
    if as_json:
        show_json({"estimate": shown.estimate.json_ready(), "summary": shown.summary.json_ready()})
        return
    show_record(shown.estimate.json_ready())
    show_inventory(shown.summary, unit=shown.summary.unit)


@estimates.command(epilog=example(f"estimates approve {SOME_ID}"))
@click.argument("estimate_id")
@connected_to_server
async def approve(connection: Connection, *, estimate_id: str) -> None:
    """Approve an estimate as it is now."""
    async with connection.client() as client:
        await client.estimator.approve(estimate_id)
    say("Approved. The next change of its items takes that back.")


@estimates.command(epilog=example(f"estimates export {SOME_ID} --output estimate.pdf"))
@click.argument("estimate_id")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file, .csv or .pdf (CSV on stdout).")
@connected_to_server
async def export(connection: Connection, *, estimate_id: str, output: Path | None) -> None:
    """Export an estimate as CSV, or as PDF with its pictures."""
    is_pdf = output is not None and output.suffix.lower() == ".pdf"
    async with connection.client() as client:
        pieces = client.estimator.export(estimate_id, "pdf" if is_pdf else "csv")
        await write_out(pieces, output, form="pdf" if is_pdf else "csv")


@estimates.command(epilog=example(f"estimates delete {SOME_ID}"))
@click.argument("estimate_id")
@yes_option
@connected_to_server
async def delete(connection: Connection, *, estimate_id: str, is_sure: bool) -> None:
    """Delete an estimate with its pictures."""
    confirm(f"Delete the estimate {estimate_id} with its pictures for good?", is_sure=is_sure)
    async with connection.client() as client:
        await client.estimator.delete(estimate_id)
    say("Deleted.")
