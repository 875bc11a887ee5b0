"""`restore`: a backup back into a data folder, or a copy of the database that a migration took into its place."""

import shlex
import shutil
import sqlite3
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.configuration import LOCK_FILE, data_dir_options, folder_option, locked, settings_of
from tenantai.commands.program import example, interruptible
from tenantai.commands.terminal import Failed, say

if TYPE_CHECKING:
    from tenantai.storage.migrating import Layout

UNIMPORTANT = {LOCK_FILE, "models"}


@click.command(epilog=example("restore tenantai-2026-01-31.tar --data-dir ./data"))
@click.argument("copy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Move aside what is in the data folder.")
@data_dir_options
def restore(copy: Path, *, force: bool, data_dir: Path | None, config: Path | None) -> None:
    """Put a backup, or a copy of the database, in its place.

    The server must not be running. A backup is proved whole before anything is touched.
    """
    from tenantai.storage.backups import is_backup  # noqa: PLC0415  what a command works with is imported when it runs

    settings = settings_of(config, data_dir=data_dir)
    if is_backup(copy):
        _restore_backup(copy, settings.data_dir, force=force)
    else:
        _restore_database(copy, settings.data_dir)
    configured = f" --config {shlex.quote(str(config))}" if config else ""
    say(f"Start the server: `tenantai serve{configured}{folder_option(settings)}`")


def _restore_backup(backup: Path, data_dir: Path, *, force: bool) -> None:
    from tenantai.storage import backups  # noqa: PLC0415

    with locked(data_dir) if data_dir.exists() else nullcontext():
        if not force and data_dir.exists() and any(path.name not in UNIMPORTANT for path in data_dir.iterdir()):
            raise Failed(f"There is something in {data_dir}. Name another --data-dir, or move it aside with --force.")
        try:
            with interruptible():
                kept = backups.restore(backup, data_dir)
        except backups.BackupRefused as refused:
            raise Failed(f"{refused} Nothing was changed.") from refused
    if kept is not None:
        say(f"What was there is kept as {kept}")
    say(f"{data_dir} is as it was in {backup.name}.")


def _restore_database(copy: Path, data_dir: Path) -> None:
    from tenantai.storage.migrating import (  # noqa: PLC0415  what a command works with is imported when it runs
        Layout,
        MigrationRefused,
        restore_copy,
        revision,
    )

    layout = Layout(data_dir)
    with locked(data_dir):
        try:
            kept = _keep(layout)
            restore_copy(data_dir, copy)
        except MigrationRefused as refused:
            raise Failed(str(refused)) from refused
        found = revision(layout.database)
    if kept is not None:
        say(f"What was there is kept as {kept}")
    say(f"The database in {data_dir} is now {copy.name} (schema {found}).")


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
