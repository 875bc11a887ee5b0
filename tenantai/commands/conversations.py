"""`conversations`: the history of chats."""

from typing import TYPE_CHECKING

import click

from tenantai.commands.answering import citation_lines
from tenantai.commands.connection import Connection, connected, connected_to_server
from tenantai.commands.program import example
from tenantai.commands.terminal import as_json_option, confirm, counted, one_line, say, show, show_json, yes_option

if TYPE_CHECKING:
    from tenantai.wire.chat import ConversationRecord, MessageRecord

TITLE_CHARACTERS_MAX = 80


@click.group(epilog=example("conversations list"))
def conversations() -> None:
    """List, show and delete what was asked and answered."""


@conversations.command("list", epilog=example('conversations list --text "late fee"'))
@click.option("--text", help="Only those that hold these words.")
@as_json_option
@connected
async def list_conversations(connection: Connection, *, text: str | None, as_json: bool) -> None:
    """List conversations, the latest first."""
    async with connection.opened() as (client, tenant_id):
        pages = client.conversations.all(tenant_id, account_id=connection.account, text=text)
        found = [conversation async for conversation in pages]
    if as_json:
        show_json([conversation.json_ready() for conversation in found])
        return
    for conversation in found:
        show(_line(conversation))
    if not found:
        say("There are no such conversations." if text else "Nothing was asked yet. Ask something: `tenantai chat QUESTION`")


@conversations.command("show", epilog=example("conversations show 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("conversation_id")
@as_json_option
@connected_to_server
async def show_conversation(connection: Connection, *, conversation_id: str, as_json: bool) -> None:
    """Show a conversation's messages in order."""
    async with connection.client() as client:
        found = [message async for message in client.conversations.messages(conversation_id)]
    if as_json:
        show_json([message.json_ready() for message in found])
        return
    for message in found:
        _show_message(message)


@conversations.command(epilog=example("conversations delete 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("conversation_id")
@yes_option
@connected_to_server
async def delete(connection: Connection, *, conversation_id: str, is_sure: bool) -> None:
    """Delete a conversation, for good."""
    async with connection.client() as client:
        confirm(f"Delete conversation {one_line(conversation_id)}, for good?", is_sure=is_sure)
        await client.conversations.delete(conversation_id)
    show(conversation_id)


def _line(conversation: "ConversationRecord") -> str:
    title = one_line(conversation.title, characters_max=TITLE_CHARACTERS_MAX)
    return f"{conversation.id}  {conversation.updated_at}  {counted(conversation.message_count, 'message')}  {title}"


def _show_message(message: "MessageRecord") -> None:
    from tenantai.client import CitedQuote  # noqa: PLC0415  what a command works with is imported when it runs

    state = "" if message.status == "complete" else f" ({message.status})"
    show(f"{message.role}{state}, {message.created_at}")
    show(message.content)
    for line in citation_lines([CitedQuote.model_validate(citation) for citation in message.citations]):
        show(line)
    show("")
