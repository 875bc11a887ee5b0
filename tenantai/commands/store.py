"""`store`: what answers are made from, its settings, and syncing it with the vault."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.indexing_bar import watch_indexing
from tenantai.commands.program import example
from tenantai.commands.refusals import typeable
from tenantai.commands.terminal import Failed, as_json_option, counted, one_line, say, show, show_json, show_record
from tenantai.sizes import size_words

if TYPE_CHECKING:
    from tenantai.client import Client
    from tenantai.wire.files import Progress
    from tenantai.wire.store import Refreshed, StoreSettings, SyncReport

CANCELLED = "cancelled"
COUNTED = ("new", "changed", "moved", "deleted", "retried", "unchanged", "skipped", "failed", "in_vault", "in_store")
watch_option = click.option("--watch", is_flag=True, help="Wait for its end, with its progress.")


@click.group(epilog=example("store show"))
def store() -> None:
    """Show the store, set how answers cite, sync with the vault."""


@store.command("show", epilog=example("store show --json"))
@as_json_option
@connected_to_tenant
async def show_store(connection: Connection, *, as_json: bool) -> None:
    """Show bytes, counts, settings, the last operation and sync."""
    async with connection.opened() as (client, tenant_id):
        held = await client.store.get(tenant_id)
    if as_json:
        show_json(held.model_dump(mode="json", by_alias=True, exclude={"files", "next_cursor"}))
        return
    used, quota = size_words(held.storage.used_bytes), size_words(held.storage.quota_bytes)
    show_record({"storage": f"{used} of {quota}", **held.counts, **_flat(held.settings)})
    _show_progress(held.operation)
    if held.last_sync.operation_id not in {None, held.operation.operation_id}:
        show_record({"last sync": held.last_sync.operation_id, "last sync status": _status(held.last_sync)})
        _show_report(held.last_sync)


@store.command(epilog=example("store sync --watch"))
@click.argument("asset_ids", nargs=-1)
@watch_option
@as_json_option
@connected_to_tenant
async def sync(connection: Connection, *, asset_ids: Sequence[str], watch: bool, as_json: bool) -> None:
    """Bring the store in line with the vault, or some assets."""
    async with connection.opened() as (client, tenant_id):
        started = await client.store.sync(tenant_id, asset_ids=asset_ids or None)
        if not started.is_new:
            say("A sync runs already.")
        if watch:
            await _watch(client, tenant_id, as_json=as_json)
            return
    if as_json:
        show_json(started.json_ready())
    else:
        show(started.operation_id)
        say("See how far it is: `tenantai store progress --watch`")


@store.command(epilog=example("store refresh"))
@as_json_option
@connected_to_tenant
async def refresh(connection: Connection, *, as_json: bool) -> None:
    """Tell what a sync would do, and do nothing."""
    async with connection.opened() as (client, tenant_id):
        told = await client.store.refresh(tenant_id)
    if as_json:
        show_json(told.json_ready())
        return
    for change in told.changes:
        from_path = f"  (was {one_line(change.from_path)})" if change.from_path and change.from_path != change.path else ""
        show(f"{change.change:9}{one_line(change.path)}{from_path}")
    _show_counts(told)
    if told.matches:
        say("Store and vault match.")


@store.command(epilog=example("store settings --style inline --max-citations 5"))
@click.option("--citations/--no-citations", "enabled", default=None, help="Whether answers cite.")
@click.option("--style", type=click.Choice(["numbered", "inline", "none"]), help="How a citation stands in the text.")
@click.option("--max-citations", type=click.IntRange(1, 50), help="How many at most.")
@click.option("--quotes/--no-quotes", "include_quotes", default=None, help="Whether they carry their words.")
@click.option("--top-k", type=click.IntRange(1, 50), help="How many passages answers are made from.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="How good each must be, beside the best.")
@as_json_option
@connected_to_tenant
async def settings(connection: Connection, *, as_json: bool, top_k: int | None, min_score: float | None, **citing: Any) -> None:
    """Show or change how answers cite, and from what."""
    from tenantai.wire.store import CitationChange, RetrievalChange  # noqa: PLC0415  `--help` needs no shapes

    given = [value for value in (top_k, min_score, *citing.values()) if value is not None]
    async with connection.opened() as (client, tenant_id):
        if given:
            citations = CitationChange.model_validate(citing, by_name=True)
            retrieval = RetrievalChange.model_validate({"top_k": top_k, "min_score": min_score}, by_name=True)
            held = await client.store.change_settings(tenant_id, citations=citations, retrieval=retrieval)
        else:
            held = (await client.store.get(tenant_id)).settings
    if as_json:
        show_json(held.json_ready())
    else:
        show_record(_flat(held))


@store.command(epilog=example("store progress --watch"))
@watch_option
@as_json_option
@connected_to_tenant
async def progress(connection: Connection, *, watch: bool, as_json: bool) -> None:
    """Show how far the newest operation is."""
    async with connection.opened() as (client, tenant_id):
        if watch:
            await _watch(client, tenant_id, as_json=as_json)
            return
        state = await client.store.progress(tenant_id)
    if as_json:
        show_json(state.json_ready())
    else:
        _show_progress(state)


async def _watch(client: "Client", tenant_id: str, *, as_json: bool) -> None:
    """Show progress to its end and what it came to; raises Failed where something went wrong."""
    last = await watch_indexing(client, tenant_id)
    if last is None or last.status == "in_progress":
        raise Failed("The server stopped before the operation had ended. It goes on with it when it starts again.")
    if as_json:
        show_json(last.json_ready())
    else:
        _show_progress(last)
    if last.status == "failed":
        raise Failed("It was cancelled." if _status(last) == CANCELLED else f"It failed: {_reason(last)}")


def _reason(state: "Progress") -> str:
    if state.report is not None and state.report.error:
        return state.report.error
    return f"{state.failed_files} of {counted(state.total_files, 'file')} can't be searched. `tenantai files list` tells why."


def _status(state: "Progress") -> str:
    """Return how it stands, in one word; its status alone says of one that was cancelled only that it is not whole."""
    return CANCELLED if state.status == "failed" and state.stage == CANCELLED else state.status


def _show_progress(state: "Progress") -> None:
    done = f"{state.processed_files} of {counted(state.total_files, 'file')} ({state.percentage:.0f} %)"
    show_record({"operation": state.operation_id, "status": _status(state), "files": None if state.status == "idle" else done})
    _show_report(state)


def _show_report(state: "Progress") -> None:
    if state.report is not None:
        _show_counts(state.report)
        for problem in state.report.problems:
            say(f"{one_line(problem.path)}: {problem.state}. {one_line(typeable(problem.message or ''))}")


def _show_counts(told: "SyncReport | Refreshed") -> None:
    matches = None if told.matches is None else "yes" if told.matches else "no"
    counts = {name.replace("_", " "): getattr(told, name) for name in COUNTED}
    show_record({**counts, "store and vault match": matches})


def _flat(settings: "StoreSettings") -> Mapping[str, Any]:
    told = settings.json_ready()
    return {f"{group}.{name}": value for group, values in told.items() for name, value in values.items()}
