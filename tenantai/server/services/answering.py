"""One answer under way: what was asked, and what it has come to; how clients and the history see it.

What must stay true: `usage` holds what was counted for rounds that are over, and `counted` adds the one that was cut off.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tenantai.identifiers import new_id
from tenantai.providers.protocols import Usage
from tenantai.rag.citations import Citation
from tenantai.rag.prompting import CHARACTERS_PER_TOKEN
from tenantai.server.services.runs import Run
from tenantai.server.services.store_settings import DEFAULTS
from tenantai.server.services.tools.approvals import Pending, Resumed, Waiting
from tenantai.server.services.tools.photos import Estimate
from tenantai.server.services.tools.presentable import whole
from tenantai.storage.audit import Actor
from tenantai.storage.conversations import Message
from tenantai.wire import events
from tenantai.wire.chat import ChatMessage
from tenantai.wire.store import StoreSettings
from tenantai.wire.stream import StreamCitation

Send = Callable[[events.Event], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class ChatTurn(Run):
    """A turn under way and what it has come to."""

    body: ChatMessage
    account_id: str | None
    conversation_id: str
    is_new: bool
    actor: Actor
    resumed: Resumed | None = None
    question_id: str = field(default_factory=new_id)  # made before the answer's: messages sort by their ids
    message_id: str = field(default_factory=new_id)
    text: str = ""
    status: str = "streaming"
    settings: StoreSettings = DEFAULTS
    citations: list[Citation] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    pending: Pending | None = None
    usage: Usage | None = None
    open_round: tuple[int, int] | None = None  # characters asked with, and of the text before it, while a round is not counted
    estimate: Estimate | None = None

    @property
    def question(self) -> str:
        """What the answer is about: the message, or the one that the calls were made for."""
        return self.resumed.question if self.resumed else self.body.message or ""

    @property
    def file_ids(self) -> frozenset[str] | None:
        """The files to answer from, None for all."""
        chosen = self.resumed.files if self.resumed else self.body.files
        return None if chosen is None else frozenset(chosen)

    @property
    def prompt(self) -> str | None:
        """What the tenant's application adds."""
        return self.body.prompt or (self.resumed.prompt if self.resumed else None)

    @property
    def counted(self) -> Usage:
        """Tokens used so far, those of a round that was cut off estimated."""
        if self.open_round is None:
            return self.usage or Usage(0, 0, estimated=True)
        asked, before = self.open_round
        return added(self.usage, estimated(asked, len(self.text) - before))

    @property
    def cited(self) -> list[StreamCitation]:
        """The citations as clients read them, without their quotes where the store's settings say so."""
        return [citation_json(citation, with_quote=self.settings.citations.include_quotes) for citation in self.citations]

    def finished(self, model: str) -> Message:
        """Return the answer as the history keeps it."""
        usage = self.counted
        return Message(
            id=self.message_id,
            conversation_id=self.conversation_id,
            role="assistant",
            content=whole(self.text),
            status=self.status,
            citations=self.cited,
            model=model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            created_at="",
            tool_calls=self.tool_calls,
        )


def added(one: Usage | None, other: Usage) -> Usage:
    """Return the tokens of both."""
    if one is None:
        return other
    return Usage(one.input_tokens + other.input_tokens, one.output_tokens + other.output_tokens, one.estimated or other.estimated)


def estimated(asked_characters: int, said_characters: int) -> Usage:
    """Return the tokens of so many characters, where nobody counted them."""
    return Usage(int(asked_characters / CHARACTERS_PER_TOKEN), int(said_characters / CHARACTERS_PER_TOKEN), estimated=True)


def citation_json(citation: Citation, *, with_quote: bool) -> StreamCitation:
    """Return a citation as a client reads it; what is absent is left out."""
    cited: StreamCitation = {
        "number": citation.number,
        "fileId": citation.file_id,
        "fileName": citation.file_name,
        "start": citation.start,
        "end": citation.end,
        "score": citation.score,
    }
    if with_quote:
        cited["quote"] = citation.quote
    if citation.page is not None:
        cited["page"] = citation.page
    if citation.account_id is not None:
        cited["accountId"] = citation.account_id
    return cited


def usage_of(usage: Usage | None) -> dict[str, Any]:
    """Return token counts as a client reads them."""
    if usage is None:
        return {}
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
        "estimated": usage.estimated,
    }
