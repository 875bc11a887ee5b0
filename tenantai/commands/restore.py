"""`restore`: a copy of the database back into its place."""

import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.configuration import data_dir_options, locked, settings_of
from tenantai.commands.program import example
from tenantai.commands.terminal import Failed, say

if TYPE_CHECKING:
    from tenantai.storage.migrating import Layout


@click.command(epilog=example("restore ./data/copies/before-0002-2026-01-31T120000.000Z.sqlite3 --data-dir ./data"))
@click.argument("copy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_dir_options
def restore(copy: Path, data_dir: Path | None, config: Path | None) -> None:
    """Put a copy in the database's place.

    The server must not be running.
    """
    from tenantai.storage.migrating import (  # noqa: PLC0415  what a command works with is imported when it runs
        Layout,
        MigrationRefused,
        restore_copy,
        revision,
    )

    settings = settings_of(config, data_dir=data_dir)
    layout = Layout(settings.data_dir)
    with locked(settings.data_dir):
        try:
            kept = _keep(layout)
            restore_copy(settings.data_dir, copy)
        except MigrationRefused as refused:
            raise Failed(str(refused)) from refused
        found = revision(layout.database)
    if kept is not None:
        say(f"What was there is kept as {kept}")
    say(f"The database in {settings.data_dir} is now {copy.name} (schema {found}). Start the server again.")


def _keep(layout: "Layout") -> Path | None:
    """Copy the database that is there, byte by byte where it is damaged; None where there is none."""
    from tenantai.identifiers import timestamp  # noqa: PLC0415
    from tenantai.storage.migrating import copy_database  # noqa: PLC0415

    if not layout.database.exists():
        return None
    try:
        return copy_database(layout, label="before-restore")
    except sqlite3.Error:
        damaged = layout.copies / f"damaged-{timestamp().replace(':', '')}.sqlite3"
        return Path(shutil.copy(layout.database, damaged))
