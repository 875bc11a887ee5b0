"""The rounds of one answer: the model speaks, its calls are made, and it goes on with what they returned.

What must stay true: every call that a client was told of ends in an output, an error or a question for a person; one that
needs a person's yes is never made without it; whatever cuts the answer short, its calls are stopped with it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tenantai.providers.counting import characters_of
from tenantai.providers.protocols import (
    CallBegun,
    ChatModel,
    ChatRequest,
    Finished,
    FunctionCall,
    FunctionResult,
    TextDelta,
    Turn,
    Usage,
)
from tenantai.rag.citations import CitationReader
from tenantai.rag.prompting import results_room
from tenantai.server.services.answering import ChatTurn, Send, added
from tenantai.server.services.tools.approvals import APPROVED, EXPIRED, Decision, Pending, Resumed, waiting_for
from tenantai.server.services.tools.builtin import SEARCH
from tenantai.server.services.tools.making import RESULT_CHARACTERS_MAX, Made, Maker, made_presentable
from tenantai.server.services.tools.presentable import cut
from tenantai.wire import events

ROUNDS_MAX = 8
CALLS_A_ROUND_MAX = 16
BETWEEN_TEXTS = "\n\n"
STOPPED = "The answer was stopped before the function had returned."
NO_MORE = "No more functions may be called in this answer."
TOO_MANY = f"At most {CALLS_A_ROUND_MAX} functions may be called at once."
CAN_NOT_ASK = (
    "This function needs a person's approval, and this client can't ask for it: it did not send approvals: \"supported\"."
)
NOT_IN_TIME = "Nobody approved this call within an hour, so it was not made."
DENIED = "The person did not approve this call, so it was not made."


class Rounds:
    """Runs the rounds of one turn."""

    def __init__(self, turn: ChatTurn, *, model: ChatModel, maker: Maker, reader: CitationReader, send: Send) -> None:
        self._turn = turn
        self._model = model
        self._maker = maker
        self._reader = reader
        self._send = send
        self._room = results_room(model.context_tokens)
        self._result_characters_max = min(RESULT_CHARACTERS_MAX, self._room // 2)
        self._part: str | None = None
        self._part_count = 0
        self._open: dict[str, dict[str, Any]] = {}
        self._said: list[str] = []
        self._since: tuple[Turn, ...] = ()
        self._rounds = 0

    async def run(self, request: ChatRequest) -> None:
        """Let the model answer, round after round, until it calls nothing or a person must be asked."""
        if self._turn.resumed is not None:
            request = await self._resume(request, self._turn.resumed)
        while True:
            may_call = self._rounds < ROUNDS_MAX and self._room > 0
            calls = await self._listen(request if may_call else replace(request, may_call=False))
            if not calls:
                break
            results = await self._answered(calls, may_call=may_call)
            if self._turn.waiting or not may_call:
                break
            request = await self._next(request, Turn("function", "", results=results))
        if self._turn.finish_reason == "stop" and not self._part_count:
            await self._open_text()
        await self._close_text()

    async def end(self) -> None:
        """Close what is open for a client that is still there."""
        await self._close_text()
        for call_id in list(self._open):
            await self._fail(call_id, STOPPED)

    def pending(self) -> Pending:
        """Return what the answer goes on from, once the calls that wait are decided."""
        turn = self._turn
        return Pending(
            question_id=turn.resumed.question_id if turn.resumed else turn.question_id,
            question=turn.question,
            prompt=turn.prompt,
            files=sorted(turn.file_ids) if turn.file_ids is not None else None,
            rounds=self._rounds + 1,
            turns=tuple(_without_documents(said) for said in self._since),
        )

    async def _listen(self, request: ChatRequest) -> list[FunctionCall]:
        """Pass the model's text on, each mark of a citation resolved on its way; returns the calls that it makes."""
        turn, reader, send = self._turn, self._reader, self._send
        self._said, calls, before = [], list[FunctionCall](), turn.usage
        turn.open_round = (_characters(request), len(turn.text))
        async with aclosing(self._model.stream(request)) as answer:  # type: ignore[type-var]
            async for event in answer:
                shown = ""
                if isinstance(event, TextDelta):
                    self._said.append(event.text)
                    shown = reader.feed(event.text)
                elif isinstance(event, Usage):
                    turn.usage, turn.open_round = added(before, event), None
                elif isinstance(event, CallBegun):
                    await self._begin(event.id, event.name)
                elif isinstance(event, FunctionCall):
                    calls.append(made_presentable(event))
                elif isinstance(event, Finished):
                    turn.finish_reason = event.reason
                    shown = reader.finish()
                if shown:
                    if self._part is None:
                        await self._open_text()
                    turn.text += shown
                    await send(events.text_delta(self._part or "", shown))
        turn.usage, turn.open_round = turn.counted, None
        return calls

    async def _answered(self, calls: Sequence[FunctionCall], *, may_call: bool) -> tuple[FunctionResult, ...]:
        """Make calls, or ask for a yes, or refuse; returns the results there are, in the calls' order."""
        await self._close_text()
        for call in calls:
            await self._begin(call.id, call.name)
            await self._tell_input(call)
        made: dict[str, Made] = {}
        wanted: list[FunctionCall] = []
        for place, call in enumerate(calls):
            refusal = NO_MORE if not may_call else TOO_MANY if place >= CALLS_A_ROUND_MAX else await self._maker.problem(call)
            tool = self._maker.asks_for(call)
            if refusal is None and tool is not None and self._turn.body.approvals is None:
                refusal = CAN_NOT_ASK
            if refusal is not None:
                made[call.id] = Made.failed(refusal)
                await self._tell(call.id, made[call.id])
            elif tool is not None:
                self._ask(call, tool.id)
            else:
                wanted.append(call)
        made |= await self._made(wanted)
        results = tuple(self._result(call, made[call.id]) for call in calls if call.id in made)
        self._since = (*self._since, Turn("assistant", "".join(self._said), tuple(calls)))
        if self._turn.waiting:
            self._since = (*self._since, Turn("function", "", results=results))
        return results

    async def _made(self, calls: Sequence[FunctionCall]) -> dict[str, Made]:
        """Make calls side by side, and tell what each came to as soon as it did."""
        made: dict[str, Made] = {}

        async def make(call: FunctionCall) -> None:
            made[call.id] = await self._maker.make(call)
            await self._tell(call.id, made[call.id])

        tasks = [asyncio.create_task(make(call)) for call in calls]
        try:
            for task in tasks:
                await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return made

    async def _next(self, request: ChatRequest, results: Turn) -> ChatRequest:
        """End a round and begin the next one, in which the model knows what its calls returned."""
        self._rounds += 1
        said, self._since = self._since[-1], (*self._since, results)
        await self._send(events.finish_step())
        await self._send(events.start_step())
        return replace(request, turns=(*request.turns, said, results))

    async def _resume(self, request: ChatRequest, resumed: Resumed) -> ChatRequest:
        """Go on from calls that were decided: make those that were approved, and tell the model what became of all."""
        self._rounds = resumed.rounds
        *earlier, said, partial = [await self._found_again(turn) for turn in resumed.turns]
        made = await self._decided(resumed.decisions)
        known = {result.call.id: result for result in partial.results}
        known |= {decision.call.id: self._result(decision.call, made[decision.call.id]) for decision in resumed.decisions}
        results = Turn("function", "", results=tuple(known[call.id] for call in said.calls))
        more = (Turn("user", self._turn.body.message),) if self._turn.body.message else ()
        self._since = (*earlier, said, results, *more)
        await self._send(events.finish_step())
        await self._send(events.start_step())
        return replace(request, turns=(*request.turns, *self._since))

    async def _decided(self, decisions: Sequence[Decision]) -> dict[str, Made]:
        """Make the calls that were approved; the others are refused, with the person's reason."""
        made: dict[str, Made] = {}
        wanted: list[FunctionCall] = []
        for decision in decisions:
            call = decision.call
            await self._begin(call.id, call.name)
            await self._tell_input(call)
            refusal = _refusal(decision) or await self._maker.problem(call, tool_id=decision.tool_id)
            if refusal is None:
                wanted.append(call)
            else:
                made[call.id] = Made.failed(refusal)
                await self._tell(call.id, made[call.id])
        return made | await self._made(wanted)

    async def _found_again(self, turn: Turn) -> Turn:
        """Search again what a search had found, for its text is not kept: what was deleted since is found no more."""
        results = [
            replace(result, output=(await self._maker.make(result.call)).for_model)
            if result.call.name == SEARCH and not result.is_error
            else result
            for result in turn.results
        ]
        return replace(turn, results=tuple(results)) if turn.results else turn

    def _ask(self, call: FunctionCall, tool_id: str) -> None:
        waiting = waiting_for(call, tool_id=tool_id)
        self._turn.waiting.append(waiting)
        record = self._open.pop(call.id)
        record |= {"state": "approval-requested", "approvalId": waiting.approval_id}

    def _result(self, call: FunctionCall, made: Made) -> FunctionResult:
        """Return what the model is told of a call, cut to what it has room for."""
        output = cut(made.for_model, max(200, min(self._result_characters_max, self._room)))
        self._room -= characters_of(Turn("function", "", results=(FunctionResult(call, output),)))
        return FunctionResult(call, output, is_error=made.is_error)

    async def _begin(self, call_id: str, name: str) -> None:
        """Tell that a call begins, unless it was told already."""
        if call_id in self._open:
            return
        await self._close_text()
        record = {"toolCallId": call_id, "toolName": name, "input": {}, "state": "interrupted"}
        self._turn.tool_calls.append(record)
        self._open[call_id] = record
        await self._send(events.tool_input_start(call_id, name))

    async def _tell_input(self, call: FunctionCall) -> None:
        shown = call.written if call.arguments is None else call.arguments
        self._open[call.id]["input"] = shown
        await self._send(events.tool_input_available(call.id, call.name, shown))

    async def _tell(self, call_id: str, made: Made) -> None:
        """Tell what a call came to."""
        if made.is_error:
            await self._fail(call_id, str(made.for_model))
            return
        self._open.pop(call_id).update(state="output-available", output=made.shown)
        await self._send(events.tool_output_available(call_id, made.shown))

    async def _fail(self, call_id: str, sentence: str) -> None:
        self._open.pop(call_id).update(state="output-error", errorText=sentence)
        await self._send(events.tool_output_error(call_id, sentence))

    async def _open_text(self) -> None:
        self._part_count += 1
        turn = self._turn
        turn.text += BETWEEN_TEXTS if turn.text else ""
        self._part = turn.message_id if self._part_count == 1 else f"{turn.message_id}-{self._part_count}"
        await self._send(events.text_start(self._part))

    async def _close_text(self) -> None:
        if self._part is not None:
            part, self._part = self._part, None
            await self._send(events.text_end(part))


def _without_documents(turn: Turn) -> Turn:
    """Return a turn without what searches found: it is searched again when the answer goes on."""
    results = [
        replace(result, output=None) if result.call.name == SEARCH and not result.is_error else result for result in turn.results
    ]
    return replace(turn, results=tuple(results))


def _characters(request: ChatRequest) -> int:
    return len(request.instructions) + sum(characters_of(turn) for turn in request.turns)


def _refusal(decision: Decision) -> str | None:
    if decision.status == APPROVED:
        return None
    if decision.status == EXPIRED:
        return NOT_IN_TIME
    return f"{DENIED} They said: {decision.reason}" if decision.reason else DENIED
