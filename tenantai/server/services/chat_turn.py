"""One turn of a chat: question in, sources found, the model's answer out as events, both kept.

What must stay true: whatever ends a turn (the model, the time limit, the client, a shutdown), the model's work is stopped first,
the stream is closed in the order STREAM.md gives, and what was said is in the history with its true status.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from tenantai.errors import Forbidden, NotFound, NotReady, ProviderFailed, TenantaiError
from tenantai.identifiers import new_id, timestamp
from tenantai.providers.protocols import ChatModel, Finished, TextDelta, Turn, Usage
from tenantai.rag.citations import Citation, CitationReader
from tenantai.rag.prompting import CHARACTERS_PER_TOKEN, compose
from tenantai.rag.search import Passage, Search
from tenantai.storage import accounts, conversations, files
from tenantai.storage.conversations import Conversation, Message
from tenantai.storage.database import Database, Transaction
from tenantai.wire import events
from tenantai.wire.chat import ChatMessage

PASSAGES = 8
HISTORY_MESSAGES = 40
TITLE_CHARACTERS = 80
TOO_LONG = "The answer took longer than a stream may last, so it was stopped."
SHUTTING_DOWN = "The server is shutting down, so the answer was stopped. Ask again in a moment."

Send = Callable[[events.Event], Awaitable[None]]

logger = structlog.get_logger("tenantai.chat")


@dataclass(slots=True)
class ChatTurn:
    """A turn under way and what it has come to."""

    tenant_id: str
    request_id: str
    body: ChatMessage
    account_id: str | None
    conversation_id: str
    is_new: bool
    stream_seconds: float
    is_compatible: bool = False
    question_id: str = field(default_factory=new_id)  # made before the answer's: messages sort by their ids
    message_id: str = field(default_factory=new_id)
    text: str = ""
    status: str = "streaming"
    finish_reason: str = "error"
    citations: list[Citation] = field(default_factory=list)
    usage: Usage | None = None
    error: TenantaiError | None = None


class ChatTurns:
    """Runs the turns of all tenants."""

    def __init__(self, database: Database, search: Search, model: ChatModel) -> None:
        self._database = database
        self._search = search
        self._model = model
        self._limits: set[asyncio.Timeout] = set()
        self._is_draining = False

    async def prepare(self, body: ChatMessage, *, account_id: str | None, request_id: str, stream_seconds: float) -> ChatTurn:
        """Check what a turn names, before anything is sent. Raises NotFound or Forbidden."""
        tenant_id, reading = body.tenant_id, self._database.reading
        if body.conversation_id is not None:
            held = await conversations.get(reading, tenant_id, conversation_id=body.conversation_id)
            if held is None:
                raise NotFound("There is no such conversation in this tenant. Leave conversationId out to begin one.")
            if account_id is not None and held.account_id != account_id:
                raise Forbidden(
                    "This conversation is not of the account that is asked for. Leave conversationId out to begin one."
                )
            account_id = held.account_id
        if account_id is not None and await accounts.get(reading, tenant_id, account_id=account_id) is None:
            raise NotFound("There is no such account in this tenant. Check accountId.")
        for file_id in body.files or ():
            file = await files.get(reading, tenant_id, file_id=file_id)
            if file is None or (account_id is not None and file.account_id not in {None, account_id}):
                raise NotFound("One of the files is not in this tenant, or not this account's. Check files.")
        return ChatTurn(
            tenant_id=tenant_id,
            request_id=request_id,
            body=body,
            account_id=account_id,
            conversation_id=body.conversation_id or new_id(),
            is_new=body.conversation_id is None,
            stream_seconds=stream_seconds,
        )

    async def run(self, turn: ChatTurn, send: Send) -> None:
        """Answer; raises CancelledError or ConnectionError where the client has left, after keeping what was said."""
        try:
            await send(events.start(turn.message_id, conversation_id=turn.conversation_id, request_id=turn.request_id))
            await send(events.start_step())
            await self._answer(turn, send)
            await self._close(turn, send)
        except (asyncio.CancelledError, ConnectionError):
            turn.status = "interrupted"
            raise
        finally:
            if turn.status == "streaming":
                turn.status = "interrupted"
            if turn.status == "interrupted":
                await asyncio.shield(self._keep(turn))

    def drain(self) -> None:
        """End every stream now, each with an error event."""
        self._is_draining = True
        for limit in self._limits:
            with suppress(RuntimeError):
                limit.reschedule(asyncio.get_running_loop().time())

    async def _answer(self, turn: ChatTurn, send: Send) -> None:
        """Let the model answer; a fault is noted in the turn, not raised."""
        reader = CitationReader([])
        is_open = False
        try:
            async with asyncio.timeout(0 if self._is_draining else turn.stream_seconds) as limit:
                self._limits.add(limit)
                try:
                    history, generation = await self._begin(turn)
                    passages = await self._passages(turn, generation)
                    reader = CitationReader(passages)
                    await send(events.text_start(turn.message_id))
                    is_open = True
                    await self._relay(turn, reader, history, passages, send)
                finally:
                    self._limits.discard(limit)
        except TimeoutError:
            turn.error = NotReady(SHUTTING_DOWN) if self._is_draining else ProviderFailed(TOO_LONG)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except ProviderFailed as error:
            logger.warning("provider failed", request_id=turn.request_id, tenant_id=turn.tenant_id, cause=repr(error.__cause__))
            turn.error = error
        except TenantaiError as error:
            turn.error = error
        except Exception:
            logger.exception("chat fault", request_id=turn.request_id, tenant_id=turn.tenant_id)
            turn.error = TenantaiError()
        finally:
            turn.citations = reader.citations
        if is_open:
            await send(events.text_end(turn.message_id))

    async def _relay(
        self, turn: ChatTurn, reader: CitationReader, history: Sequence[Turn], passages: Sequence[Passage], send: Send
    ) -> None:
        """Pass the model's text on, each mark of a citation resolved on its way."""
        request = compose(
            turn.body.message,
            history=history,
            passages=passages,
            extra=turn.body.prompt,
            context_tokens=self._model.context_tokens,
        )
        async with aclosing(self._model.stream(request)) as answer:  # type: ignore[type-var]
            async for event in answer:
                if isinstance(event, TextDelta):
                    shown = reader.feed(event.text)
                elif isinstance(event, Usage):
                    turn.usage = event
                    continue
                elif isinstance(event, Finished):
                    turn.finish_reason = event.reason
                    shown = reader.finish()
                if shown:
                    turn.text += shown
                    await send(events.text_delta(turn.message_id, shown))
        turn.usage = turn.usage or _estimated(request.instructions, turn)

    async def _close(self, turn: ChatTurn, send: Send) -> None:
        """Send what follows the text, and keep the answer before the client reads that it is whole."""
        turn.citations = await self._verified(turn)
        if turn.error is not None:
            turn.status, turn.finish_reason = "failed", "error"
            await self._keep(turn)
            await send(events.error(turn.error.message))
            await send(events.finish_step())
        else:
            turn.status = "complete"
            await self._keep(turn)
            await self._send_citations(turn, send)
            await send(events.finish_step())
            await send(events.message_metadata({"model": self._model.model, "usage": usage_of(turn.usage)}))
        await send(events.finish(turn.finish_reason, compatible=turn.is_compatible))

    async def _send_citations(self, turn: ChatTurn, send: Send) -> None:
        if not turn.citations:
            return
        cited = [citation_json(citation) for citation in turn.citations]
        await send(events.citations(f"citations-{turn.message_id}", cited, compatible=turn.is_compatible))
        for file_id, file_name in {c.file_id: c.file_name for c in turn.citations}.items():
            media_type = "application/octet-stream"
            file = await files.get(self._database.reading, turn.tenant_id, file_id=file_id)
            if file is not None and file.media_type:
                media_type = file.media_type
            await send(events.source_document(file_id, media_type=media_type, title=file_name, file_name=file_name))

    async def _begin(self, turn: ChatTurn) -> tuple[list[Turn], int]:
        """Keep the question and an empty answer; returns what was said before, and the generation of what is searched."""
        earlier: list[Message] = []
        if not turn.is_new:
            earlier = await conversations.latest_messages(
                self._database.reading, turn.tenant_id, conversation_id=turn.conversation_id, row_count=HISTORY_MESSAGES
            )
        moment = timestamp()
        question = _message(turn.question_id, turn, "user", turn.body.message, "complete", moment)
        answer = _message(turn.message_id, turn, "assistant", "", "streaming", moment)

        async def unit(transaction: Transaction) -> int:
            if turn.is_new:
                begun = Conversation(turn.conversation_id, turn.account_id, _title(turn.body.message), 2, moment, moment)
                await conversations.create(transaction, turn.tenant_id, conversation=begun)
            elif not await conversations.touch(
                transaction, turn.tenant_id, conversation_id=turn.conversation_id, moment=moment, more=2
            ):
                raise NotFound("The conversation was deleted.")
            await conversations.add_messages(transaction, turn.tenant_id, messages=(question, answer))
            return await files.generation(transaction, turn.tenant_id)

        generation = await self._database.write(unit)
        return [Turn("user" if m.role == "user" else "assistant", m.content) for m in earlier if m.content], generation

    async def _passages(self, turn: ChatTurn, generation: int) -> list[Passage]:
        return await self._search.passages(
            turn.tenant_id,
            question=turn.body.message,
            top_k=PASSAGES,
            account_id=turn.account_id,
            file_ids=None if turn.body.files is None else frozenset(turn.body.files),
            generation=generation,
        )

    async def _verified(self, turn: ChatTurn) -> list[Citation]:
        """Return the citations whose quote stands, to the letter, in the text that is stored now."""
        spans = [(c.file_id, c.start, c.end) for c in turn.citations]
        stored = await files.quoted(self._database.reading, turn.tenant_id, spans=spans) if spans else {}
        return [c for place, c in enumerate(turn.citations) if stored.get(place) == c.quote]

    async def _keep(self, turn: ChatTurn) -> None:
        usage = turn.usage or _estimated(turn.body.message, turn)
        message = Message(
            id=turn.message_id,
            conversation_id=turn.conversation_id,
            role="assistant",
            content=turn.text,
            status=turn.status,
            citations=[citation_json(citation) for citation in turn.citations],
            model=self._model.model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            created_at="",
        )
        await conversations.finish_message(self._database, turn.tenant_id, message=message)


def citation_json(citation: Citation) -> dict[str, Any]:
    """Return a citation as a client reads it; what is absent is left out."""
    cited = {
        "fileId": citation.file_id,
        "fileName": citation.file_name,
        "page": citation.page,
        "quote": citation.quote,
        "start": citation.start,
        "end": citation.end,
        "score": citation.score,
        "accountId": citation.account_id,
    }
    return {name: value for name, value in cited.items() if value is not None}


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


def _estimated(prompt: str, turn: ChatTurn) -> Usage:
    return Usage(int(len(prompt) / CHARACTERS_PER_TOKEN), int(len(turn.text) / CHARACTERS_PER_TOKEN), estimated=True)


def _message(message_id: str, turn: ChatTurn, role: str, content: str, status: str, moment: str) -> Message:
    return Message(message_id, turn.conversation_id, role, content, status, [], None, None, None, moment)


def _title(message: str) -> str:
    """Return the first line of a question, cut at a word."""
    line = next(iter(message.strip().splitlines()), "") or "…"
    return line if len(line) <= TITLE_CHARACTERS else line[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"
