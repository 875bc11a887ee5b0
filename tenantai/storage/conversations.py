"""Conversations and their messages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa

from tenantai.storage.database import Database, Query, Reading, Transaction, compiled, insertion
from tenantai.storage.schema import conversations as table
from tenantai.storage.schema import messages as messages_table


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat and its counts."""

    id: str
    account_id: str | None
    title: str
    message_count: int
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `status` is complete, streaming, interrupted or failed."""

    id: str
    conversation_id: str
    role: str
    content: str
    status: str
    citations: Sequence[Mapping[str, Any]]
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    created_at: str
    tool_calls: list[dict[str, Any]] = field(default_factory=list)


BEFORE_ALL = ("~", "~")
COLUMNS = tuple(table.c[name] for name in Conversation.__slots__)
MESSAGE_COLUMNS = tuple(messages_table.c[name] for name in Message.__slots__)
OWN = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.id == sa.bindparam("conversation"))
GET = compiled(sa.select(*COLUMNS).where(OWN))
INSERT = compiled(sa.insert(table))
TOUCH = compiled(
    sa.update(table)
    .where(OWN)
    .values(updated_at=sa.bindparam("moment"), message_count=table.c.message_count + sa.bindparam("more"))
    .returning(table.c.id)
)
DELETE = compiled(sa.delete(table).where(OWN).returning(table.c.id))
INSERT_MESSAGE = insertion(messages_table, ("tenant_id", *Message.__slots__))
OF_CONVERSATION = sa.and_(
    messages_table.c.tenant_id == sa.bindparam("of_tenant"), messages_table.c.conversation_id == sa.bindparam("conversation")
)
MESSAGES = compiled(
    sa.select(*MESSAGE_COLUMNS)
    .where(OF_CONVERSATION, messages_table.c.id > sa.bindparam("after"))
    .order_by(messages_table.c.id)
    .limit(sa.bindparam("row_count"))
)
LATEST = compiled(
    sa.select(*MESSAGE_COLUMNS).where(OF_CONVERSATION).order_by(messages_table.c.id.desc()).limit(sa.bindparam("row_count"))
)
FINISH_MESSAGE = compiled(
    sa.update(messages_table)
    .where(messages_table.c.tenant_id == sa.bindparam("of_tenant"), messages_table.c.id == sa.bindparam("message"))
    .values(
        content=sa.bindparam("new_content"),
        status=sa.bindparam("new_status"),
        citations=sa.bindparam("new_citations"),
        model=sa.bindparam("new_model"),
        input_tokens=sa.bindparam("new_input"),
        output_tokens=sa.bindparam("new_output"),
        tool_calls=sa.bindparam("new_tool_calls"),
    )
)


def _holds(text: sa.Column[str]) -> sa.ColumnElement[bool]:
    """Return whether a text holds the sought one, upper and lower ASCII letters alike; in time that grows with the text only."""
    return sa.func.instr(sa.func.lower(text), sa.func.lower(sa.bindparam("sought"))) > 0


@cache
def _page_query(*, by_account: bool, by_text: bool) -> Query:
    older = sa.tuple_(table.c.updated_at, table.c.id) < sa.tuple_(sa.bindparam("before_time"), sa.bindparam("before_id"))
    statement = sa.select(*COLUMNS).where(table.c.tenant_id == sa.bindparam("of_tenant"), older)
    if by_account:
        statement = statement.where(table.c.account_id == sa.bindparam("account"))
    if by_text:
        said = sa.select(1).where(messages_table.c.conversation_id == table.c.id, _holds(messages_table.c.content))
        statement = statement.where(_holds(table.c.title) | said.exists())
    return compiled(statement.order_by(table.c.updated_at.desc(), table.c.id.desc()).limit(sa.bindparam("row_count")))


async def page(
    reading: Reading,
    tenant_id: str,
    *,
    account_id: str | None = None,
    text: str | None = None,
    before: tuple[str, str] = BEFORE_ALL,
    row_count: int,
) -> list[Conversation]:
    """Return conversations, the latest first, behind the (updated_at, id) of `before`."""
    given = {"account": account_id} if account_id is not None else {}
    if text:
        given["sought"] = text
    query = _page_query(by_account=account_id is not None, by_text=bool(text))
    rows = await reading.all(query, of_tenant=tenant_id, before_time=before[0], before_id=before[1], row_count=row_count, **given)
    return [Conversation(*row) for row in rows]


async def get(reading: Reading, tenant_id: str, *, conversation_id: str) -> Conversation | None:
    """Return the conversation, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, conversation=conversation_id)
    return None if row is None else Conversation(*row)


async def create(transaction: Transaction, tenant_id: str, *, conversation: Conversation) -> None:
    """Begin a conversation."""
    values = {name: getattr(conversation, name) for name in Conversation.__slots__}
    await transaction.run(INSERT, tenant_id=tenant_id, **values)


async def touch(transaction: Transaction, tenant_id: str, *, conversation_id: str, moment: str, more: int) -> bool:
    """Note activity and `more` messages; whether the conversation is still there."""
    rows = await transaction.run(TOUCH, of_tenant=tenant_id, conversation=conversation_id, moment=moment, more=more)
    return bool(rows)


async def delete(transaction: Transaction, tenant_id: str, *, conversation_id: str) -> bool:
    """Delete a conversation with its messages; whether there was one."""
    return bool(await transaction.run(DELETE, of_tenant=tenant_id, conversation=conversation_id))


async def add_messages(transaction: Transaction, tenant_id: str, *, messages: Sequence[Message]) -> None:
    """Add messages to a conversation, in one trip."""
    rows = [{name: getattr(message, name) for name in Message.__slots__} for message in messages]
    for row, message in zip(rows, messages, strict=True):
        row |= {"tenant_id": tenant_id, "citations": _citations(message), "tool_calls": None}
    await transaction.run_many(INSERT_MESSAGE, rows)


async def finish_message(database: Database, tenant_id: str, *, message: Message) -> None:
    """Write what an answer came to, as a unit of its own."""
    await database.write_one(FINISH_MESSAGE, of_tenant=tenant_id, **_finished(message))


async def finish_message_with(transaction: Transaction, tenant_id: str, *, message: Message) -> None:
    """Write what an answer came to, together with what else is in the transaction."""
    await transaction.run(FINISH_MESSAGE, of_tenant=tenant_id, **_finished(message))


async def messages_page(reading: Reading, tenant_id: str, *, conversation_id: str, after: str, row_count: int) -> list[Message]:
    """Return messages in their order, behind the id `after` (empty for the first page)."""
    rows = await reading.all(MESSAGES, of_tenant=tenant_id, conversation=conversation_id, after=after, row_count=row_count)
    return [_message(row) for row in rows]


async def latest_messages(reading: Reading, tenant_id: str, *, conversation_id: str, row_count: int) -> list[Message]:
    """Return the last messages, oldest of them first."""
    rows = await reading.all(LATEST, of_tenant=tenant_id, conversation=conversation_id, row_count=row_count)
    return [_message(row) for row in reversed(rows)]


def _finished(message: Message) -> dict[str, Any]:
    return {
        "message": message.id,
        "new_content": message.content,
        "new_status": message.status,
        "new_citations": _citations(message),
        "new_model": message.model,
        "new_input": message.input_tokens,
        "new_output": message.output_tokens,
        "new_tool_calls": json.dumps(message.tool_calls) if message.tool_calls else None,
    }


def _citations(message: Message) -> str:
    return json.dumps(message.citations) if message.citations else "[]"


def _message(row: Any) -> Message:
    values = list(row)
    values[5], values[10] = json.loads(values[5]), json.loads(values[10]) if values[10] else []
    return Message(*values)
