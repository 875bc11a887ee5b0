"""`doctor`: what is wrong with a data folder, and what to do."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.configuration import data_dir_options, locked, settings_of
from tenantai.commands.diagnosis import Finding, findings, stores_of_other_models
from tenantai.commands.terminal import Failed, Misused, say, show, show_json

if TYPE_CHECKING:
    from tenantai.settings import Settings
    from tenantai.storage.database import Transaction


@click.command(epilog="Example: tenantai doctor --data-dir ./data")
@click.option("--rebuild", is_flag=True, help="Index again what another embedding model indexed; the server must be stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@data_dir_options
def doctor(*, rebuild: bool, as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """Check settings, folder, database, models, stores and disk."""
    try:
        settings = settings_of(config, data_dir=data_dir)
    except Misused as error:
        found = [Finding("settings", "fail", error.message)]
    else:
        if rebuild:
            _rebuild(settings)
        found = asyncio.run(findings(settings))
    if as_json:
        show_json([finding.json_ready() for finding in found])
    else:
        for finding in found:
            show(f"{finding.status:4}  {finding.check}: {finding.message}")
    failed = sum(finding.status == "fail" for finding in found)
    if failed:
        raise Failed(f"{failed} of {len(found)} checks failed.")


def _rebuild(settings: "Settings") -> None:
    """Put the files of stores of another embedding model back in the queue; raises Failed where a server runs."""
    from tenantai.storage.migrating import Layout, revision  # noqa: PLC0415  what a command works with is imported when it runs

    with locked(settings.data_dir):
        if revision(Layout(settings.data_dir).database) is None:
            say("There is no database yet, so nothing to rebuild.")
            return
        queued = asyncio.run(_requeue(settings))
    say(f"{queued} files are in the queue again; the next start indexes them.")


async def _requeue(settings: "Settings") -> int:
    from tenantai.storage import across_tenants  # noqa: PLC0415
    from tenantai.storage.database import Database  # noqa: PLC0415
    from tenantai.storage.migrating import Layout  # noqa: PLC0415

    tenant_ids = {tenant_id for tenant_id, _, _ in await stores_of_other_models(settings)}

    async def unit(transaction: "Transaction") -> int:
        return sum([await across_tenants.requeue_ready(transaction, tenant_id=tenant_id) for tenant_id in tenant_ids])

    database = Database(Layout(settings.data_dir).database)
    await database.open()
    try:
        return await database.write(unit)
    finally:
        await database.close()
