"""`files`: documents into the store and out of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected, connected_to_tenant
from tenantai.commands.file_paths import FilePath
from tenantai.commands.indexing_bar import watch_indexing
from tenantai.commands.program import example
from tenantai.commands.refusals import typeable
from tenantai.commands.terminal import (
    Failed,
    as_json_option,
    confirm,
    counted,
    one_line,
    say,
    say_paused,
    show,
    show_json,
    yes_option,
)
from tenantai.sizes import size_words

if TYPE_CHECKING:
    from tenantai.client import Client, Uploaded
    from tenantai.wire.files import FileActionResult, FileRecord

ACTED_AT_ONCE = 1000


@click.group(epilog=example("files upload contract.pdf --watch"))
def files() -> None:
    """List, upload, delete and retry documents."""


@files.command("list", epilog=example("files list --json"))
@as_json_option
@connected
async def list_files(connection: Connection, *, as_json: bool) -> None:
    """List the tenant's files, or those of an account."""
    async with connection.opened() as (client, tenant_id):
        pages = client.files.all(tenant_id, connection.account) if connection.account else client.store.files(tenant_id)
        found = [file async for file in pages]
    if as_json:
        show_json([file.json_ready() for file in found])
        return
    for file in found:
        show(_line(file))
    if not found:
        say("There are no files. Upload some: `tenantai files upload contract.pdf`")


@files.command(epilog=example("files upload contract.pdf faq.txt --watch"))
@click.argument("paths", nargs=-1, required=True, type=FilePath())
@click.option("--watch", is_flag=True, help="Wait until the files are indexed, with their progress.")
@connected
async def upload(connection: Connection, *, paths: Sequence[Path], watch: bool) -> None:
    """Upload files; the ids go to stdout."""
    async with connection.opened() as (client, tenant_id):
        account_id = await connection.account_in(client, tenant_id)
        ids = [await _send(client, tenant_id, account_id, path) for path in paths]
        if watch:
            await _watch(client, tenant_id, ids)


@files.command(epilog=example("files delete 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("file_ids", nargs=-1, required=True)
@yes_option
@connected_to_tenant
async def delete(connection: Connection, *, file_ids: Sequence[str], is_sure: bool) -> None:
    """Delete files by id: they are in no later answer."""
    which = f"the file {one_line(file_ids[0])}" if len(file_ids) == 1 else f"these {len(file_ids)} files"
    confirm(f"Delete {which} for good?", is_sure=is_sure)
    async with connection.opened() as (client, tenant_id):
        results = await client.files.act(tenant_id, action="delete", file_ids=file_ids)
    _show_results(results)


@files.command(epilog=example("files retry --watch"))
@click.option("--watch", is_flag=True, help="Wait until the files are indexed, with their progress.")
@connected
async def retry(connection: Connection, *, watch: bool) -> None:
    """Index again what failed or was cancelled."""
    async with connection.opened() as (client, tenant_id):
        again = [file.id async for file in client.store.files(tenant_id) if _may_retry(file, connection.account)]
        results: list[FileActionResult] = []
        for first in range(0, len(again), ACTED_AT_ONCE):
            results += await client.files.act(tenant_id, action="resync", file_ids=again[first : first + ACTED_AT_ONCE])
        if watch and again:
            await _watch(client, tenant_id, again)
    if not again:
        say("Nothing failed, so there is nothing to retry.")
    _show_results(results)


def _may_retry(file: "FileRecord", account_id: str | None) -> bool:
    return file.state in {"failed", "cancelled"} and account_id in {None, file.account_id}


async def _send(client: "Client", tenant_id: str, account_id: str, path: Path) -> str:
    from tenantai.client.pausing import with_pauses  # noqa: PLC0415  what a command works with is imported when it runs

    try:
        sent = await with_pauses(lambda: client.files.upload(tenant_id, account_id, path=path), paused=say_paused)
    except OSError as error:
        raise Failed(f"{path} can't be read: {error.strerror}.") from error
    say(f"{one_line(path.name)}: {_outcome(sent)}")
    show(sent.file.id)
    return sent.file.id


def _outcome(sent: "Uploaded") -> str:
    if sent.is_new:
        return "uploaded"
    return "there already, in the queue" if sent.file.state == "pending" else "there already"


async def _watch(client: "Client", tenant_id: str, file_ids: Sequence[str]) -> None:
    """Show progress to its end; raises Failed where one of these files could not be indexed."""
    await watch_indexing(client, tenant_id)
    wanted = set(file_ids)
    failed = [file async for file in client.store.files(tenant_id) if file.id in wanted and file.state != "ready"]
    for file in failed:
        say(f"{one_line(file.name)}: {file.state}. {one_line(typeable(file.error_message or ''))}")
    if failed:
        raise Failed(f"{len(failed)} of {counted(len(wanted), 'file')} can't be searched.")
    say(f"{counted(len(wanted), 'file')} can be searched.")


def _show_results(results: "Sequence[FileActionResult]") -> None:
    """Show what came of each file; raises Failed where it was not done for all."""
    for result in results:
        if result.ok:
            show(result.file_id)
        else:
            say(f"{result.file_id}: {typeable(result.error or '')}")
    refused = sum(not result.ok for result in results)
    if refused:
        raise Failed(f"It was not done for {refused} of {counted(len(results), 'file')}.")


def _line(file: "FileRecord") -> str:
    state = f"{file.state}, excluded" if file.excluded else file.state
    detail = one_line(typeable(file.error_message or "")) if file.state == "failed" else counted(file.chunk_count, "chunk")
    pages = f", {counted(file.page_count, 'page')}" if file.page_count else ""
    return f"{file.id}  {one_line(file.name)}  {size_words(file.bytes)}{pages}  {state}: {detail}"
