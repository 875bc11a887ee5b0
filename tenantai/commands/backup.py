"""`backup`: a data folder as one file, while the server works."""

from pathlib import Path

import click

from tenantai.commands.configuration import data_dir_options, settings_of
from tenantai.commands.program import example, interruptible
from tenantai.commands.terminal import Failed, counted, say, show
from tenantai.sizes import size_words


@click.command(epilog=example("backup -o tenantai-2026-01-31.tar"))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; without it tenantai-TIME.tar in the current folder.",
)
@data_dir_options
def backup(output: Path | None, data_dir: Path | None, config: Path | None) -> None:
    """Write all records and files into one file.

    The server may go on working meanwhile.
    """
    from tenantai.identifiers import timestamp  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.storage.backups import BackupRefused, take  # noqa: PLC0415

    settings = settings_of(config, data_dir=data_dir)
    target = output or Path(f"tenantai-{timestamp()[:19].replace(':', '')}.tar")
    try:
        with interruptible():
            taken = take(settings.data_dir, target)
    except BackupRefused as refused:
        raise Failed(str(refused)) from refused
    except OSError as error:
        raise Failed(f"The backup could not be written to {target}: {error.strerror}. Nothing is left of it.") from error
    show(str(target))
    held = f"{counted(taken.files, 'file')}, {size_words(taken.bytes)}"
    say(f"{held}. It holds the operator's key: keep it as safe as the data folder.")
    if taken.missing:
        say(f"Without {counted(taken.missing, 'file')}: deleted, or gone from the disk, when it was taken.")
