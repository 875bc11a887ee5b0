"""Shapes of chat: the request, its history, a citation, the whole answer."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tenantai.wire.files import Identifier
from tenantai.wire.shapes import Body, Computed, Record

MESSAGE_CHARACTERS_MAX = 10_000
SAYS_SOMETHING = r"^[^\x00]*[^\s\x00][^\x00]*$"

Question = Annotated[str, StringConstraints(min_length=1, max_length=MESSAGE_CHARACTERS_MAX, pattern=SAYS_SOMETHING)]


class ChatMessage(Body):
    """POST /chat."""

    tenant_id: Identifier
    message: Question
    account_id: Identifier | None = None
    conversation_id: Identifier | None = None
    files: list[Identifier] | None = Field(default=None, max_length=100)
    prompt: Annotated[str, StringConstraints(max_length=MESSAGE_CHARACTERS_MAX)] | None = None


class Answer(Computed):
    """The whole answer at once, for `Accept: application/json`."""

    conversation_id: str
    message_id: str
    text: str
    citations: list[dict[str, Any]]
    finish_reason: str
    model: str
    usage: dict[str, Any]


class ConversationRecord(Record):
    """A conversation."""

    id: str
    account_id: str | None
    title: str
    message_count: int
    created_at: str
    updated_at: str


class MessageRecord(Record):
    """A message with what its answer stands on."""

    id: str
    role: str
    content: str
    status: str
    citations: list[dict[str, Any]]
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    created_at: str
