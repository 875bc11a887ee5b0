"""`search`: what retrieval would hand to the model, to see why an answer is as it is."""

from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected
from tenantai.commands.program import example
from tenantai.commands.terminal import as_json_option, one_line, say, show, show_json

if TYPE_CHECKING:
    from tenantai.wire.files import SearchHit

TEXT_CHARACTERS_MAX = 300


@click.command(epilog=example('search "late fee" --top 3'))
@click.argument("query")
@click.option("--top", type=click.IntRange(1, 50), help="How many passages (8).")
@as_json_option
@connected
async def search(connection: Connection, *, query: str, top: int | None, as_json: bool) -> None:
    """Show the passages that fit a question, with scores."""
    async with connection.opened() as (client, tenant_id):
        hits = await client.store.search(tenant_id, query, top_k=top, account_id=connection.account)
    if as_json:
        show_json([hit.json_ready() for hit in hits])
        return
    for number, hit in enumerate(hits, start=1):
        _show_hit(number, hit)
    if not hits:
        say("No passage fits.")


def _show_hit(number: int, hit: "SearchHit") -> None:
    page = f", p. {hit.page}" if hit.page is not None else ""
    heading = f" – {one_line(hit.heading)}" if hit.heading else ""
    scores = hit.scores
    show(f"{number}. {one_line(hit.file_name)}{page}{heading}")
    show(f"   score {scores.fused:.3f} (words {scores.lexical:.2f}, meaning {scores.vector:.3f})")
    show(f"   {one_line(hit.text, characters_max=TEXT_CHARACTERS_MAX)}")
