"""`analytics`: what counts usage, made anew."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.configuration import data_dir_options, locked, settings_of
from tenantai.commands.program import example
from tenantai.commands.terminal import Failed, say

if TYPE_CHECKING:
    from tenantai.settings import Settings
    from tenantai.storage.analytics_tables import LogName


@click.group(epilog=example("analytics rebuild --data-dir ./data"))
def analytics() -> None:
    """Make anew what counts usage and audit events."""


@analytics.command(epilog=example("analytics rebuild --data-dir ./data"))
@data_dir_options
def rebuild(data_dir: Path | None, config: Path | None) -> None:
    """Throw the file of analytics away and make it anew.

    All that is in it comes again from the database and the archives. The server must not be running.
    """
    from tenantai.errors import NotReady  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.storage.migrating import HEAD, Layout, MigrationRefused, revision  # noqa: PLC0415

    settings = settings_of(config, data_dir=data_dir)
    with locked(settings.data_dir):
        try:
            if revision(Layout(settings.data_dir).database) != HEAD:
                raise Failed("There is no database of this version here. Start the server once, or name another --data-dir.")
            numbers = asyncio.run(_rebuilt(settings))
        except MigrationRefused as refused:
            raise Failed(str(refused)) from refused
        except NotReady as error:
            raise Failed(error.message) from error
    say(f"Made anew, up to usage event {numbers['usage']} and audit entry {numbers['audit']}.")


async def _rebuilt(settings: "Settings") -> "dict[LogName, int]":
    from tenantai.server.services.analytics_feed import AnalyticsFeed  # noqa: PLC0415
    from tenantai.storage.analytics import Analytics  # noqa: PLC0415
    from tenantai.storage.database import Database  # noqa: PLC0415
    from tenantai.storage.migrating import Layout  # noqa: PLC0415

    layout = Layout(settings.data_dir)
    database = Database(layout.database)
    await database.open()
    counting = Analytics(
        layout.analytics, memory_bytes_max=settings.analytics_memory_bytes_max, threads=settings.analytics_threads
    )
    feed = AnalyticsFeed(database, counting)
    try:
        await feed.connect()
        return await feed.rebuild()
    finally:
        await feed.close()
        await database.close()
