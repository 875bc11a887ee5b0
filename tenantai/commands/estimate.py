"""`estimate`: photos in, an inventory out."""

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected
from tenantai.commands.inventory import NAME_CHARACTERS_MAX, Inventory, show_inventory
from tenantai.commands.program import example
from tenantai.commands.refusals import typeable
from tenantai.commands.terminal import Failed, Misused, as_json_option, one_line, say, show_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tenantai.client import ClientError
    from tenantai.client.estimator import EstimatorEvent
    from tenantai.wire.estimator import SummaryTold

PHOTOS_MAX = 10


@click.command(epilog=example("estimate living-room.jpg bedroom.jpg"))
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path), metavar="PHOTOS...")
@click.option("--unit", type=click.Choice(["metric", "imperial"]), default="metric", help="What to show sizes in (metric).")
@as_json_option
@connected
async def estimate(connection: Connection, *, photos: tuple[Path, ...], unit: str, as_json: bool) -> None:
    """Find out what stands in photos, and what holds it."""
    if not 1 <= len(photos) <= PHOTOS_MAX:
        raise Misused(f"Give 1 to {PHOTOS_MAX} photos: `tenantai estimate living-room.jpg`")
    async with connection.opened() as (client, tenant_id):
        wanted = "imperial" if unit == "imperial" else "metric"
        events = client.estimator.stream(tenant_id, list(photos), account_id=connection.account, unit=wanted)  # type: ignore[arg-type]
        summary = await _followed(events, [photo.name for photo in photos], unit=unit)
    if as_json:
        show_json(summary.json_ready())
        return
    show_inventory(summary, unit=unit)
    say(f"To see it again: `tenantai estimates show {summary.estimate_id}`")


async def _followed(events: "AsyncGenerator[EstimatorEvent]", names: list[str], *, unit: str) -> "SummaryTold":
    """Show items as they are seen, on stderr, and return what they come to; raises Failed where it broke off."""
    from tenantai import client  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.wire.estimator import SummaryTold  # noqa: PLC0415

    found: SummaryTold | None = None
    async with aclosing(events):
        try:
            with Inventory(names, unit=unit) as inventory:
                async for event in events:
                    if isinstance(event, client.ChatFault):
                        raise Failed(event.sentence)
                    if isinstance(event, SummaryTold):
                        found = event
                    inventory.take(event)
        except client.ClientError as error:
            if error.code != "VALIDATION_ERROR" or not error.details:
                raise
            raise Failed(_faults(error, names)) from error
    if found is None:
        raise Failed("The analysis broke off. Try again.")
    return found


def _faults(refused: "ClientError", names: list[str]) -> str:
    """Return every fault of a request, a line for each, with photos by number and name."""
    lines = [f"{_named(fault['field'], names)} {one_line(typeable(fault['problem']))}" for fault in refused.details]
    return "\n".join(["The photos were not taken. Nothing was looked at.", *lines])


def _named(field: str, names: list[str]) -> str:
    of, _, at = field.partition(".")
    if of == "images" and at.isdecimal() and int(at) < len(names):
        return f"Photo {int(at) + 1}, {one_line(names[int(at)], characters_max=NAME_CHARACTERS_MAX)},"
    return f"{typeable(field)}:"
