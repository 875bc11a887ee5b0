"""`chat`: a question in, a cited answer out."""

import sys

import click

from tenantai.commands.answering import show_answer
from tenantai.commands.connection import Connection, connected
from tenantai.commands.program import example
from tenantai.commands.terminal import Misused, as_json_option, say, show_json


@click.command(epilog=example('chat "When is rent due?"'))
@click.argument("question", required=False)
@click.option("--conversation", help="The id of a conversation to go on with.")
@click.option("--file", "files", multiple=True, help="The id of a file to answer from; may be given more than once.")
@as_json_option
@connected
async def chat(
    connection: Connection, *, question: str | None, conversation: str | None, files: tuple[str, ...], as_json: bool
) -> None:
    """Ask your documents; a question may come through a pipe."""
    asked = question if question is not None else _piped()
    if not asked.strip():
        raise Misused('There is no question. Give one: `tenantai chat "When is rent due?"`')
    async with connection.opened() as (client, tenant_id):
        if as_json:
            answer = await client.chat.answer(
                tenant_id, asked, account_id=connection.account, conversation_id=conversation, files=files or None
            )
            show_json(answer.json_ready())
        else:
            events = client.chat.stream(
                tenant_id, asked, account_id=connection.account, conversation_id=conversation, files=files or None
            )
            say(f"To go on: `tenantai chat --conversation {await show_answer(events)} …`")


def _piped() -> str:
    """Return what comes through a pipe, nothing where a person sits at a keyboard."""
    return "" if sys.stdin.isatty() else sys.stdin.read()
