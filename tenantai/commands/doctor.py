"""`doctor`: what is wrong with a data folder, and what to do."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.configuration import data_dir_options, locked, settings_of
from tenantai.commands.diagnosis import Finding, findings, stores_of_other_models
from tenantai.commands.program import as_called, example
from tenantai.commands.terminal import Failed, Misused, as_json_option, counted, say, show, show_json

if TYPE_CHECKING:
    from tenantai.settings import Settings
    from tenantai.storage.database import Transaction

FILES_MAX = 10_000_000


@click.command(epilog=example("doctor --data-dir ./data"))
@click.option("--rebuild", is_flag=True, help="Index again what another embedding model indexed; the server must be stopped.")
@as_json_option
@data_dir_options
def doctor(*, rebuild: bool, as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """Check settings, folder, database, models and disk."""
    try:
        settings = settings_of(config, data_dir=data_dir)
    except Misused as error:
        found = [Finding("settings", "fail", error.message)]
    else:
        if rebuild:
            _rebuild(settings)
        found = asyncio.run(findings(settings, is_rebuilding=rebuild))
    if as_json:
        show_json([{**finding.json_ready(), "message": as_called(finding.message)} for finding in found])
    else:
        for finding in found:
            show(f"{finding.status:4}  {finding.check}: {as_called(finding.message)}")
    failed = sum(finding.status == "fail" for finding in found)
    if failed:
        raise Failed(f"{failed} of {len(found)} checks failed.")


def _rebuild(settings: "Settings") -> None:
    """Put the files of stores of another embedding model back in the queue; raises Failed where a server runs."""
    from tenantai.storage.migrating import (  # noqa: PLC0415  what a command works with is imported when it runs
        Layout,
        MigrationRefused,
        revision,
    )

    with locked(settings.data_dir):
        try:
            found = revision(Layout(settings.data_dir).database)
        except MigrationRefused as refused:
            raise Failed(str(refused)) from refused
        if found is None:
            say("There is no database yet, so nothing to rebuild.")
            return
        queued = asyncio.run(_requeue(settings))
    say(f"In the queue again: {counted(queued, 'file')}. The next start indexes what is there.")


async def _requeue(settings: "Settings") -> int:
    from tenantai.storage.database import Database  # noqa: PLC0415
    from tenantai.storage.migrating import Layout  # noqa: PLC0415

    tenant_ids = {tenant_id for tenant_id, _, _ in await stores_of_other_models(settings)}

    async def unit(transaction: "Transaction") -> int:
        return sum([await _requeue_tenant(transaction, tenant_id) for tenant_id in tenant_ids])

    database = Database(Layout(settings.data_dir).database)
    await database.open()
    try:
        return await database.write(unit)
    finally:
        await database.close()


async def _requeue_tenant(transaction: "Transaction", tenant_id: str) -> int:
    """Put a tenant's indexed files in the queue, as one operation whose progress can be followed."""
    from tenantai.identifiers import new_id, timestamp  # noqa: PLC0415
    from tenantai.server.services.documents import audit_file  # noqa: PLC0415
    from tenantai.storage import files, operations  # noqa: PLC0415
    from tenantai.storage.restoring import OPERATOR  # noqa: PLC0415

    held = await files.page(transaction, tenant_id, visible_to=None, after="", row_count=FILES_MAX)
    ready = [file for file in held if file.state == "ready"]
    if not ready:
        return 0
    moment = timestamp()
    operation = await operations.join_or_begin(transaction, tenant_id, new_id=new_id(), files=len(ready), moment=moment)
    for file in ready:
        again = await files.requeue(transaction, tenant_id, file_id=file.id, operation_id=operation.id, moment=moment)
        if again is not None:
            await audit_file(transaction, "file.requeued", OPERATOR, before=file, after=again)
    await files.note_change(transaction, tenant_id)
    return len(ready)
