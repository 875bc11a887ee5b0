"""Shapes of chat: the request, its history, a citation, the whole answer."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from tenantai.wire.files import Identifier
from tenantai.wire.shapes import Body, Computed, Record
from tenantai.wire.stream import StreamCitation

MESSAGE_CHARACTERS_MAX = 10_000
ANSWERS_MAX = 64
SAYS_SOMETHING = r"^[^\x00]*[^\s\x00][^\x00]*$"

Question = Annotated[str, StringConstraints(min_length=1, max_length=MESSAGE_CHARACTERS_MAX, pattern=SAYS_SOMETHING)]


class ApprovalAnswer(Body):
    """A person's yes or no to a call that waits."""

    approval_id: Identifier
    approved: bool
    reason: Annotated[str, StringConstraints(max_length=1000)] | None = None


def _answers(given: Any) -> Any:
    """Return the answers: none for a client that says no more than that it can ask for them."""
    if given == "supported":
        return []
    if not isinstance(given, list) or not given:
        raise ValueError('must be "supported", or a list of answers')
    return given


ANSWERS_SCHEMA = {
    "anyOf": [
        {"const": "supported"},
        {"type": "array", "minItems": 1, "maxItems": ANSWERS_MAX, "items": ApprovalAnswer.model_json_schema()},
    ]
}
Answers = Annotated[
    list[ApprovalAnswer], Field(max_length=ANSWERS_MAX), BeforeValidator(_answers), WithJsonSchema(ANSWERS_SCHEMA)
]
EITHER: dict[str, Any] = {
    "if": {"required": ["approvals"], "properties": {"approvals": {"type": "array"}}},
    "then": {"required": ["conversationId"], "properties": {"conversationId": {"type": "string"}}},
    "else": {"required": ["message"], "properties": {"message": {"type": "string"}}},
}


class ChatMessage(Body):
    """POST /chat: a message, or answers to the calls that wait in a conversation, or both.

    `approvals` is None for a client that can't ask a person, and empty for one that can and has nothing to answer.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True, json_schema_extra=EITHER)

    tenant_id: Identifier
    approvals: Answers | None = None
    message: Question | None = Field(default=None, validate_default=True)
    account_id: Identifier | None = None
    conversation_id: Identifier | None = None
    files: list[Identifier] | None = Field(default=None, max_length=100)
    prompt: Annotated[str, StringConstraints(max_length=MESSAGE_CHARACTERS_MAX)] | None = None

    @field_validator("message")
    @classmethod
    def _is_said_or_answered(cls, message: str | None, info: ValidationInfo) -> str | None:
        if message is None and "approvals" in info.data and not info.data["approvals"]:
            raise PydanticCustomError("missing", "is required")
        return message


class ToolCall(Computed):
    """A call of a function in an answer: its state, and what it returned or why it failed."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    tool_call_id: str
    tool_name: str
    input: Any
    state: Literal["output-available", "output-error", "approval-requested", "interrupted"]
    output: Any = None
    error_text: str | None = None
    approval_id: str | None = None


class PendingApproval(Computed):
    """A call that waits for a person's yes, with its very arguments; after `expires_at` a yes is a no."""

    approval_id: str
    tool_call_id: str
    tool_name: str
    input: Any
    created_at: str
    expires_at: str


class Answer(Computed):
    """The whole answer at once, for `Accept: application/json`."""

    conversation_id: str
    message_id: str
    text: str
    citations: list[StreamCitation]
    tool_calls: list[dict[str, Any]] = Field(default_factory=list)
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
    citations: list[StreamCitation]
    tool_calls: list[dict[str, Any]] = Field(default_factory=list)
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    created_at: str
