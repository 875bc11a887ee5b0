"""Files of this machine, as an argument names them."""

import os
from pathlib import Path

import click


class FilePath(click.Path):
    """A file that is there and can be read; of a folder it is said how its files are named."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, readable=True, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path; fails where it is no file."""
        if Path(value).is_dir():
            self.fail(f"{str(value)!r} is a folder. Name its files: {os.path.join(value, '*')}", param, ctx)  # noqa: PTH118  as it was typed
        return super().convert(value, param, ctx)
