"""`tui`: the operators' console."""

from pathlib import Path

import click

from tenantai.commands.configuration import refuse_unknown_variables
from tenantai.commands.connection import DEFAULT_URL
from tenantai.commands.program import example


@click.command(epilog=example("tui --url http://127.0.0.1:8420 --read-only"))
@click.option("--url", envvar="TENANTAI_URL", default=DEFAULT_URL, help=f"The server ({DEFAULT_URL}); or TENANTAI_URL.")
@click.option("--api-key", envvar="TENANTAI_API_KEY", help="The API key (TENANTAI_API_KEY; else the operator's of this machine).")
@click.option("--tenant", help="The tenant to begin with (the one of last time).")
@click.option("--place", help="The place to begin in (the one of last time).")
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
    start = Start(url, api_key, tenant, place, theme, read_only, data_dir, user_folder(), user_memory())
    Console(start).run()
