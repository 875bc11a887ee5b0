"""`tui`: the operators' console."""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from tenantai.commands.configuration import refuse_unknown_variables
from tenantai.commands.connection import DEFAULT_URL
from tenantai.commands.program import example
from tenantai.commands.terminal import Misused

PLACES = ("overview", "chat", "store", "assets", "audit", "keys", "tenants", "usage", "estimates", "logs")
DRIVER = "TEXTUAL_DRIVER"  # set where a browser shows the console: there is no terminal then, and none is needed
NEAR = 0.5


@click.command(epilog=example("tui --url http://127.0.0.1:8420 --read-only"))
@click.option("--url", envvar="TENANTAI_URL", default=DEFAULT_URL, help=f"The server ({DEFAULT_URL}); or TENANTAI_URL.")
@click.option("--api-key", envvar="TENANTAI_API_KEY", help="The API key (TENANTAI_API_KEY; else the operator's of this machine).")
@click.option("--tenant", help="The tenant to begin with (the one of last time).")
@click.option("--place", help=f"The place to begin in (the one of last time): {', '.join(PLACES)}.")
@click.option("--theme", help="The colours (those of last time).")
@click.option("--read-only", is_flag=True, help="Offer nothing that changes anything.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data folder of a server that is started here.")
def tui(
    url: str,
    api_key: str | None,
    tenant: str | None,
    place: str | None,
    theme: str | None,
    *,
    read_only: bool,
    data_dir: Path | None,
) -> None:
    """Open the operators' console."""
    from tenantai.tui.app import Console, Start  # noqa: PLC0415  what a command works with is imported when it runs
    from tenantai.tui.memory import user_folder, user_memory  # noqa: PLC0415

    refuse_unknown_variables()
    folder = user_folder()
    known_or_refused(place, PLACES, noun="place")
    known_or_refused(theme, theme_names(folder), noun="theme")
    if DRIVER not in os.environ and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Misused("The console needs a terminal to read keys from and to draw on. The other commands work without one.")
    start = Start(url, api_key, tenant, place, theme, read_only, data_dir, folder, user_memory())
    Console(start).run()


def known_or_refused(name: str | None, known: Sequence[str], *, noun: str) -> None:
    """Raise Misused for a name that is none of those that there are; the sentence has the nearest, and all."""
    if name is None or name in known:
        return
    near = get_close_matches(name, known, n=1, cutoff=NEAR)
    meant = f" Did you mean {near[0]}?" if near else ""
    raise Misused(f"There is no {noun} {name}.{meant} There are {', '.join(known)}.")


def theme_names(folder: Path) -> list[str]:
    """Return the names of all themes: Textual's, ours and the user's own."""
    from textual.theme import BUILTIN_THEMES  # noqa: PLC0415  what a command works with is imported when it runs

    from tenantai.tui.themes import OURS, user_themes  # noqa: PLC0415

    return sorted({*BUILTIN_THEMES, *(theme.name for theme in (*OURS, *user_themes(folder / "themes")[0]))})
