"""The events of a stream: the frames of any stream, and what a chat's events mean.

What must stay true: an event of a kind that is not known here is skipped, and one that is malformed raises.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tenantai.client.errors import not_ours
from tenantai.client.shaping import shaped
from tenantai.wire.shapes import Computed

EVENT_BYTES_MAX = 16 * 1024 * 1024
DONE = "[DONE]"


class CitedQuote(Computed):
    """A quote that an answer stands on, with its place in the file's text; None where the settings leave its words out."""

    number: int
    file_id: str
    file_name: str
    start: int
    end: int
    score: float
    quote: str | None = None
    page: int | None = None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChatStarted:
    """The answer begins."""

    message_id: str
    conversation_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ChatText:
    """Some of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatCitations:
    """What the answer stands on; `[1]` in its text is the one of number 1."""

    citations: tuple[CitedQuote, ...]


@dataclass(frozen=True, slots=True)
class ChatUsage:
    """Who answered, and for how many tokens."""

    model: str
    usage: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatToolBegun:
    """The model begins a call of a function."""

    tool_call_id: str
    tool_name: str


@dataclass(frozen=True, slots=True)
class ChatToolCalled:
    """The arguments of a call are whole."""

    tool_call_id: str
    tool_name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class ChatToolAnswered:
    """What the function returned."""

    tool_call_id: str
    output: Any


@dataclass(frozen=True, slots=True)
class ChatToolFailed:
    """Why the function returned nothing."""

    tool_call_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ChatApprovalAsked:
    """A call waits for a person's yes: answer with `Chat.decide`, all that wait at once."""

    approval_id: str
    tool_call_id: str


@dataclass(frozen=True, slots=True)
class ChatFault:
    """The answer was broken off, for this reason."""

    sentence: str


@dataclass(frozen=True, slots=True)
class ChatFinished:
    """The answer is whole, unless the reason is `error`; with `tool-calls` it waits for approvals."""

    reason: str


ChatToolEvent = ChatToolBegun | ChatToolCalled | ChatToolAnswered | ChatToolFailed | ChatApprovalAsked
ChatEvent = ChatStarted | ChatText | ChatToolEvent | ChatCitations | ChatUsage | ChatFault | ChatFinished


def chat_event(event: Mapping[str, Any]) -> ChatEvent | None:  # noqa: PLR0911  one way out for each kind of event
    """Return an event of a chat's stream as its type, None for those that a plain client skips."""
    metadata = event.get("messageMetadata") or {}
    match event.get("type"):
        case "start":
            ids = (event.get("messageId", ""), metadata.get("conversationId", ""), metadata.get("requestId", ""))
            return ChatStarted(*map(str, ids))
        case "text-delta":
            return ChatText(str(event.get("delta", "")))
        case "data-citations":
            return ChatCitations(tuple(shaped(CitedQuote, cited) for cited in event.get("data", ())))
        case "message-metadata":
            return ChatUsage(str(metadata.get("model", "")), metadata.get("usage") or {})
        case "error":
            return ChatFault(str(event.get("errorText", "")))
        case "finish":
            return ChatFinished(str(event.get("finishReason", "other")))
    return _tool_event(event)


def _tool_event(event: Mapping[str, Any]) -> ChatToolEvent | None:
    call_id, name = str(event.get("toolCallId", "")), str(event.get("toolName", ""))
    match event.get("type"):
        case "tool-input-start":
            return ChatToolBegun(call_id, name)
        case "tool-input-available":
            return ChatToolCalled(call_id, name, event.get("input"))
        case "tool-output-available":
            return ChatToolAnswered(call_id, event.get("output"))
        case "tool-output-error":
            return ChatToolFailed(call_id, str(event.get("errorText", "")))
        case "tool-approval-request":
            return ChatApprovalAsked(str(event.get("approvalId", "")), call_id)
    return None


async def frames(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Yield the data of each event of a stream; the last is `[DONE]`."""
    held, data = bytearray(), list[bytes]()
    async for piece in response.content.iter_any():
        held += piece
        *lines, rest = held.split(b"\n")
        held = bytearray(rest)
        for line in (bytes(raw).removesuffix(b"\r") for raw in lines):
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data).decode("utf-8", "replace")
                data = []
        if len(held) > EVENT_BYTES_MAX:
            raise not_ours()
