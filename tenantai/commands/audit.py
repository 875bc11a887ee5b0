"""`audit`: what was done, by whom, and the proof that the log of it is whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.pieces import FORMS, write_out
from tenantai.commands.program import example
from tenantai.commands.terminal import Failed, as_json_option, one_line, say, show, show_json, show_record

if TYPE_CHECKING:
    from tenantai.client import AuditFilters, Client
    from tenantai.wire.audit import AuditRecord

NOTHING = "nothing"
DETAILS_CHARACTERS_MAX = 120
AGAIN_SECONDS = 1.0
UNTOLD = frozenset({"id", "tenant_id", "created_at", "updated_at"})
PASSING = frozenset({"CONNECTION_LOST", "TIMEOUT", "UNREACHABLE", "NOT_READY"})

Options = Callable[[Callable[..., Any]], Callable[..., Any]]


def filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which entries."""
    options: tuple[Options, ...] = (
        click.option("--event", "event_type", help="Only this type, such as file.deleted."),
        click.option("--actor", help="Only by this actor: key:ID, operator, system."),
        click.option("--key", "key_id", help="Only by the key with this id."),
        click.option("--account", "account_id", help="Only what concerns this account."),
        click.option("--subject", "subject_id", help="Only what was done to the thing with this id."),
        click.option("--asset", "asset_id", help="Only what concerns this asset or file."),
        click.option("--from", "since", help="From this time on, such as 2026-01-31T12:00:00Z."),
        click.option("--to", "until", help="Up to this time."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.group(epilog=example("audit tail -f"))
def audit() -> None:
    """List, follow, export and verify the audit log."""


@audit.command("list", epilog=example("audit list --event file.deleted --limit 20"))
@click.option("--limit", type=click.IntRange(1), default=100, help="At most so many (100).")
@filtered
@as_json_option
@connected_to_tenant
async def list_entries(connection: Connection, *, limit: int, as_json: bool, **filters: str | None) -> None:
    """List entries, the newest first."""
    async with connection.client() as client:
        found: list[AuditRecord] = []
        entries = client.audit.all(_filters(connection, filters))
        async for entry in entries:
            found.append(entry)
            if len(found) == limit:
                await entries.aclose()
                break
    if as_json:
        show_json([entry.json_ready() for entry in found])
        return
    for entry in found:
        show(_line(entry))
    if not found:
        say("There are no such entries.")


@audit.command(epilog=example("audit tail -f --event access.refused"))
@click.option("-n", "number", type=click.IntRange(0, 1000), default=10, help="Begin with so many of the last (10).")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@filtered
@click.option("--json", "as_json", is_flag=True, help="Print each entry as a line of JSON.")
@connected_to_tenant
async def tail(connection: Connection, *, number: int, follows: bool, as_json: bool, **filters: str | None) -> None:
    """Show the last entries, and with -f those that come."""
    chosen = _filters(connection, filters)
    async with connection.client() as client:
        page = await client.audit.page(chosen, limit=max(number, 1))
        for entry in reversed(page.logs[:number]):
            show(_line_of_json(entry) if as_json else _line(entry))
        if follows:
            async for entry in _following(client, chosen, after=page.last_event_id):
                show(_line_of_json(entry) if as_json else _line(entry))


@audit.command(epilog=example("audit export --format csv --output audit.csv"))
@click.option("--format", "form", type=click.Choice(FORMS), default="jsonl", help="The kind of file (jsonl).")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write (stdout).")
@filtered
@connected_to_tenant
async def export(connection: Connection, *, form: str, output: Path | None, **filters: str | None) -> None:
    """Export entries, oldest first."""
    async with connection.client() as client:
        pieces = client.audit.export(form, _filters(connection, filters))
        await write_out(pieces, output, form=form)


@audit.command(epilog=example("audit verify"))
@click.option("--anchor", help="The anchor of an earlier proof, which must still be in the chain.")
@as_json_option
@connected_to_tenant
async def verify(connection: Connection, *, anchor: str | None, as_json: bool) -> None:
    """Prove that the log is whole.

    Exits with 1 where an entry was edited, dropped, moved or cut off, and names the first.
    """
    checked = 0
    async with connection.client() as client:
        async for proof in client.audit.proofs(tenant_id=connection.tenant, anchor=anchor):
            checked += proof.checked
            if not proof.is_complete:
                say(f"{checked} entries hold so far …")
    whole = {**proof.json_ready(), "checked": checked}
    if as_json:
        show_json(whole)
    else:
        show_record({"valid": "yes" if proof.is_valid else "no", "checked": checked, "anchor": proof.proved.anchor})
    if proof.broken is not None:
        named = f" ({proof.broken.id})" if proof.broken.id else ""
        raise Failed(f"The chain is broken at entry {proof.broken.sequence}{named}: {proof.broken.fault}.")


async def _following(client: "Client", filters: "AuditFilters", *, after: str) -> AsyncIterator["AuditRecord"]:
    """Yield entries as they come; where the connection breaks or the server starts anew, go on behind the last."""
    from tenantai.client import ClientError  # noqa: PLC0415  what a command works with is imported when it runs

    while True:
        try:
            async for entry in client.audit.follow(filters, after=after):
                yield entry
                after = str(entry.sequence)
        except ClientError as error:
            if error.code not in PASSING:
                raise
        await asyncio.sleep(AGAIN_SECONDS)


def _filters(connection: Connection, given: dict[str, str | None]) -> "AuditFilters":
    from tenantai.client import AuditFilters  # noqa: PLC0415  what a command works with is imported when it runs

    return AuditFilters(tenant_id=connection.tenant, **given)


def _line(entry: "AuditRecord") -> str:
    details = one_line(", ".join(_told(entry.details)), characters_max=DETAILS_CHARACTERS_MAX)
    who = f"{entry.actor} {entry.address}" if entry.address else entry.actor
    return f"{entry.created_at}  {entry.event_type}  {who}  {entry.subject_id or '-'}  {details}"


def _told(details: Mapping[str, Any]) -> list[str]:
    """Return what an entry's details say, thing by thing: what it was and became, or what it is."""
    before, after = details.get("before") or {}, details.get("after") or {}
    others = {name: value for name, value in details.items() if name not in {"before", "after"}}
    changed = {
        name: " → ".join(_word(one) or NOTHING for one in (before[name], value))
        for name, value in after.items()
        if name in before
    }
    told = {**{name: _word(value) for name, value in {**before, **after, **others}.items()}, **changed}
    return [f"{name} {word}" for name, word in told.items() if name not in UNTOLD and word]


def _word(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line_of_json(entry: "AuditRecord") -> str:
    return json.dumps(entry.json_ready())
