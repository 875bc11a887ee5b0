"""One turn of a chat: question in, sources found, the model's answer out as events, both kept.

What must stay true: whatever ends a turn (the model, the time limit, the client, a shutdown), the model's work is stopped first,
the stream is closed in the order STREAM.md gives, and what was said is in the history with its true status.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from tenantai.errors import Conflict, Forbidden, NotFound, NotReady, ProviderFailed, TenantaiError, ValidationFailed
from tenantai.identifiers import new_id, timestamp
from tenantai.providers.protocols import ChatModel, ChatRequest, Turn
from tenantai.rag.citations import Citation, CitationReader
from tenantai.rag.prompting import compose
from tenantai.rag.search import Passage, Search
from tenantai.server.services.answering import ChatTurn, Send, usage_of
from tenantai.server.services.runs import Runs
from tenantai.server.services.store_settings import settings_of
from tenantai.server.services.tool_rounds import Rounds
from tenantai.server.services.tools.approvals import Approvals, Resumed, hold
from tenantai.server.services.tools.builtin import Builtin
from tenantai.server.services.tools.making import Maker
from tenantai.server.services.tools.outgoing import Outgoing
from tenantai.server.services.tools.registry import NOT_CALLED, NOTHING, Offer, Tools
from tenantai.storage import accounts, audit, conversations, files, stores
from tenantai.storage.audit import Actor
from tenantai.storage.conversations import Conversation, Message
from tenantai.storage.database import Database, Transaction
from tenantai.storage.stores import Store
from tenantai.wire import events
from tenantai.wire.chat import ChatMessage

HISTORY_MESSAGES = 40
TITLE_CHARACTERS = 80
UNKNOWN = "application/octet-stream"
TOO_LONG = "The answer took longer than a stream may last, so it was stopped."
SHUTTING_DOWN = "The server is shutting down, so the answer was stopped. Ask again in a moment."

logger = structlog.get_logger("tenantai.chat")


class ChatTurns:
    """Runs the turns of all tenants."""

    def __init__(self, database: Database, search: Search, model: ChatModel, *, tools: Tools, outgoing: Outgoing) -> None:
        self._database = database
        self._search = search
        self._model = model
        self._tools = tools
        self._outgoing = outgoing
        self._approvals = Approvals(database)
        self._runs = Runs(too_long=TOO_LONG, shutting_down=SHUTTING_DOWN)

    async def prepare(
        self, body: ChatMessage, *, account_id: str | None, request_id: str, stream_seconds: float, actor: Actor
    ) -> ChatTurn:
        """Check what a turn names and decide what it answers, before anything is sent.

        Raises NotFound, Forbidden or Conflict, and NotReady while the server shuts down.
        """
        self._runs.require_open()
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
        resumed = await self._decided(body, actor=actor) if body.approvals else None
        return ChatTurn(
            tenant_id=tenant_id,
            request_id=request_id,
            body=body,
            account_id=account_id,
            conversation_id=body.conversation_id or new_id(),
            is_new=body.conversation_id is None,
            stream_seconds=stream_seconds,
            resumed=resumed,
            actor=actor,
        )

    async def _decided(self, body: ChatMessage, *, actor: Actor) -> Resumed:
        """Decide the calls that a request answers, for good. Raises ValidationFailed, NotFound or Conflict."""
        if body.conversation_id is None:
            raise ValidationFailed([{"field": "conversationId", "problem": "is required with answers to approvals"}])
        if not self._model.calls_functions:
            raise Conflict(NOT_CALLED)
        return await self._approvals.decide(
            body.tenant_id, conversation_id=body.conversation_id, answers=body.approvals or (), actor=actor
        )

    async def run(self, turn: ChatTurn, send: Send) -> None:
        """Answer; raises CancelledError or ConnectionError where the client has left, after keeping what was said."""
        try:
            await send(events.start(turn.message_id, conversation_id=turn.conversation_id, request_id=turn.request_id))
            await send(events.start_step())
            await self._answer(turn, send)
            await self._close(turn, send)
        finally:
            if turn.status == "streaming":
                turn.status = "interrupted"
                await asyncio.shield(self._keep(turn))

    def drain(self) -> None:
        """End every stream now, each with an error event."""
        self._runs.drain()

    async def _answer(self, turn: ChatTurn, send: Send) -> None:
        """Let the model answer; a fault is noted in the turn, not raised."""
        begun: list[Rounds] = []
        await self._runs.bounded(turn, self._speak(turn, send, begun))
        if isinstance(turn.error, ProviderFailed):
            cause = repr(turn.error.__cause__)
            logger.warning("provider failed", request_id=turn.request_id, tenant_id=turn.tenant_id, cause=cause)
        for rounds in begun:
            await rounds.end()
            turn.pending = rounds.pending() if turn.waiting else None

    async def _speak(self, turn: ChatTurn, send: Send, begun: list[Rounds]) -> None:
        """Find sources and run the rounds of an answer, which are put into `begun`."""
        history, generation = await self._begin(turn)
        passages = await self._passages(turn, generation)
        reader = CitationReader(passages, settings=turn.settings.citations)
        turn.citations = reader.citations
        offer = await self._tools.offer(turn.tenant_id) if self._model.calls_functions else NOTHING
        rounds = Rounds(turn, model=self._model, maker=self._maker(turn, offer, reader), reader=reader, send=send)
        begun.append(rounds)
        await rounds.run(self._request(turn, history, passages, offer))

    def _maker(self, turn: ChatTurn, offer: Offer, reader: CitationReader) -> Maker:
        within = (turn.tenant_id, turn.account_id, turn.file_ids, turn.settings.retrieval)
        builtin = Builtin(self._search, reader, *within, estimate=turn.estimate)
        return Maker(offer, builtin, self._outgoing, turn.conversation_id, turn.request_id)

    def _request(self, turn: ChatTurn, history: Sequence[Turn], passages: Sequence[Passage], offer: Offer) -> ChatRequest:
        return compose(
            turn.question,
            history=history,
            passages=passages,
            extra=turn.prompt,
            context_tokens=self._model.context_tokens,
            functions=offer.functions,
        )

    async def _close(self, turn: ChatTurn, send: Send) -> None:
        """Send what follows the text, and keep the answer before the client reads that it is whole."""
        await self._settle(turn)
        if turn.error is not None:
            await send(events.error(turn.error.message))
            await send(events.finish_step())
        else:
            for call in turn.waiting:
                turn.finish_reason = "tool-calls"
                await send(events.tool_approval_request(call.approval_id, call.call.id))
            await self._send_citations(turn, send)
            await send(events.finish_step())
            await send(events.message_metadata({"model": self._model.model, "usage": usage_of(turn.usage)}))
        await send(events.finish(turn.finish_reason, compatible=turn.is_compatible))

    async def _settle(self, turn: ChatTurn) -> None:
        """Keep an answer with the citations that stand; one that can't be kept has failed, whatever was said."""
        try:
            turn.citations = await self._verified(turn)
            if turn.error is None:
                turn.status = "complete"
                await self._keep(turn)
                return
        except Exception as error:
            logger.exception("an answer could not be kept", request_id=turn.request_id, tenant_id=turn.tenant_id)
            turn.error = turn.error or (error if isinstance(error, TenantaiError) else TenantaiError())
            turn.citations = []
        turn.status, turn.finish_reason, turn.waiting = "failed", "error", []
        try:
            await self._keep(turn)
        except Exception:
            logger.exception("an answer that failed is not kept", request_id=turn.request_id, tenant_id=turn.tenant_id)

    async def _send_citations(self, turn: ChatTurn, send: Send) -> None:
        if not turn.citations:
            return
        await send(events.citations(f"citations-{turn.message_id}", turn.cited, compatible=turn.is_compatible))
        for file_id, file_name in {c.file_id: c.file_name for c in turn.citations}.items():
            media_type = await self._media_type(turn.tenant_id, file_id)
            await send(events.source_document(file_id, media_type=media_type, title=file_name, file_name=file_name))

    async def _media_type(self, tenant_id: str, file_id: str) -> str:
        """Return what a cited file is, where that can be told; the answer is kept already, and is whole without."""
        with suppress(NotReady):
            file = await files.get(self._database.reading, tenant_id, file_id=file_id)
            if file is not None and file.media_type:
                return file.media_type
        return UNKNOWN

    async def _begin(self, turn: ChatTurn) -> tuple[list[Turn], int]:
        """Keep what was said and an empty answer; returns what was said before the question, and the store's generation."""
        earlier: list[Message] = []
        if not turn.is_new:
            earlier = await conversations.latest_messages(
                self._database.reading, turn.tenant_id, conversation_id=turn.conversation_id, row_count=HISTORY_MESSAGES
            )
        moment = timestamp()
        answer = _message(turn.message_id, turn, "assistant", "", "streaming", moment)
        added = [answer]
        if turn.body.message is not None:
            added.insert(0, _message(turn.question_id, turn, "user", turn.body.message, "complete", moment))

        async def unit(transaction: Transaction) -> Store:
            if turn.is_new:
                begun = Conversation(turn.conversation_id, turn.account_id, _title(turn.question), len(added), moment, moment)
                await conversations.create(transaction, turn.tenant_id, conversation=begun)
            elif not await conversations.touch(
                transaction, turn.tenant_id, conversation_id=turn.conversation_id, moment=moment, more=len(added)
            ):
                raise NotFound("The conversation was deleted.")
            await conversations.add_messages(transaction, turn.tenant_id, messages=added)
            await _record(transaction, turn)
            return await stores.get(transaction, turn.tenant_id)

        store = await self._database.write(unit, may_repeat=True)
        turn.settings = settings_of(store)
        before = turn.resumed.question_id if turn.resumed else turn.question_id
        told = [m for m in earlier if m.content and m.id < before]
        return [Turn("user" if m.role == "user" else "assistant", m.content) for m in told], store.generation

    async def _passages(self, turn: ChatTurn, generation: int) -> list[Passage]:
        return await self._search.passages(
            turn.tenant_id,
            question=turn.question,
            top_k=turn.settings.retrieval.top_k,
            min_score=turn.settings.retrieval.min_score,
            account_id=turn.account_id,
            file_ids=turn.file_ids,
            generation=generation,
        )

    async def _verified(self, turn: ChatTurn) -> list[Citation]:
        """Return the citations whose quote stands, to the letter, in the text that is stored now."""
        spans = [(c.file_id, c.start, c.end) for c in turn.citations]
        stored = await files.quoted(self._database.reading, turn.tenant_id, spans=spans) if spans else {}
        return [c for place, c in enumerate(turn.citations) if stored.get(place) == c.quote]

    async def _keep(self, turn: ChatTurn) -> None:
        """Write what the answer came to, in one transaction with the calls that wait for a yes."""
        message, pending = turn.finished(self._model.model), turn.pending
        turn.charge_once()
        if not turn.waiting or pending is None:
            await conversations.finish_message(self._database, turn.tenant_id, message=message)
            return

        async def unit(transaction: Transaction) -> None:
            await conversations.finish_message_with(transaction, turn.tenant_id, message=message)
            await hold(
                transaction,
                turn.tenant_id,
                conversation_id=turn.conversation_id,
                message_id=turn.message_id,
                pending=pending,
                waiting=turn.waiting,
            )

        await self._database.write(unit)


async def _record(transaction: Transaction, turn: ChatTurn) -> None:
    """Write into the audit log that a conversation was begun or went on, by the ids of its messages."""
    asked = {} if turn.body.message is None else {"question": turn.question_id}
    await audit.record(
        transaction,
        turn.tenant_id,
        event_type="conversation.created" if turn.is_new else "conversation.continued",
        actor=turn.actor,
        subject_id=turn.conversation_id,
        account_id=turn.account_id,
        after={**asked, "answer": turn.message_id},
    )


def _message(message_id: str, turn: ChatTurn, role: str, content: str, status: str, moment: str) -> Message:
    return Message(message_id, turn.conversation_id, role, content, status, [], None, None, None, moment)


def _title(message: str) -> str:
    """Return the first line of a question, cut at a word."""
    line = next(iter(message.strip().splitlines()), "") or "…"
    return line if len(line) <= TITLE_CHARACTERS else line[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"
