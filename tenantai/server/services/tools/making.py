"""Making one call: whether it may be made, and what it comes to.

What must stay true: arguments that do not fit a function's schema never leave, and whatever goes wrong is a sentence that a
model can go on from.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import structlog

from tenantai.errors import TenantaiError
from tenantai.providers.protocols import FunctionCall
from tenantai.server.services.tools.builtin import NAMES, Builtin, Output
from tenantai.server.services.tools.outgoing import CallFailed, Outgoing
from tenantai.server.services.tools.presentable import Unreadable, cut, presentable, whole
from tenantai.server.services.tools.registry import Offer
from tenantai.storage.tools import Tool

ARGUMENT_CHARACTERS_MAX = 32_768
RESULT_CHARACTERS_MAX = 16_000
SHOWN_CHARACTERS_MAX = 2_000
UNKNOWN = "There is no such function."
GONE = "The function that was approved is no longer there."
NO_OBJECT = f"The arguments are no JSON object of at most {ARGUMENT_CHARACTERS_MAX} characters."
OUR_FAULT = "The function failed by a fault of the server's."

logger = structlog.get_logger("tenantai.tools")


@dataclass(frozen=True, slots=True)
class Made:
    """What a call came to: for the model, and as clients and the history see it; an error's sentence is both."""

    for_model: Any
    shown: Any
    is_error: bool = False

    @classmethod
    def failed(cls, sentence: str) -> "Made":
        """Return what is told of a call that came to nothing."""
        return cls(sentence, sentence, is_error=True)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the calls of one turn."""

    offer: Offer
    builtin: Builtin
    outgoing: Outgoing
    conversation_id: str
    request_id: str

    def asks_for(self, call: FunctionCall) -> Tool | None:
        """Return the function of a call that a person must approve, None for any other call."""
        tool = self.offer.own.get(call.name)
        return tool if tool is not None and tool.approval == "ask" else None

    async def problem(self, call: FunctionCall, *, tool_id: str | None = None) -> str | None:
        """Return why a call can't be made, None where it can; `tool_id` is the function that was approved."""
        checker = self.offer.checkers.get(call.name)
        tool = self.offer.own.get(call.name)
        if tool_id is not None and (tool is None or tool.id != tool_id):
            return GONE
        if checker is None:
            return UNKNOWN
        if call.arguments is None:
            return NO_OBJECT
        problems = await asyncio.to_thread(checker.problems, call.arguments)
        return f"The arguments do not fit: {'; '.join(problems)}" if problems else None

    async def make(self, call: FunctionCall) -> Made:
        """Return what a call comes to; it is one that can be made."""
        try:
            output = await self._output(call, call.arguments or {})
        except CallFailed as failure:
            cause = repr(failure.__cause__) if failure.__cause__ else None
            logger.info("function failed", function=call.name, request_id=self.request_id, why=str(failure), cause=cause)
            return Made.failed(str(failure))
        except TenantaiError as error:
            return Made.failed(error.message)
        except Exception:
            logger.exception("function fault", function=call.name, request_id=self.request_id)
            return Made.failed(OUR_FAULT)
        return Made(output.value, await asyncio.to_thread(cut, output.shown, RESULT_CHARACTERS_MAX))

    async def _output(self, call: FunctionCall, arguments: dict[str, Any]) -> Output:
        if call.name in NAMES:
            return await self.builtin.run(call.name, arguments)
        content = {
            "toolCallId": call.id,
            "name": call.name,
            "arguments": arguments,
            "tenantId": self.builtin.tenant_id,
            "conversationId": self.conversation_id,
        }
        if self.builtin.account_id is not None:
            content["accountId"] = self.builtin.account_id
        answered = await self.outgoing.call(self.offer.own[call.name], call_id=call.id, content=content)
        return Output(answered, answered)


def made_presentable(call: FunctionCall) -> FunctionCall:
    """Return a call as clients may read it, and as it is made: with arguments fit for a stream, or with none."""
    written = whole(call.written[:SHOWN_CHARACTERS_MAX])
    try:
        arguments = None if call.arguments is None else presentable(call.arguments)
    except Unreadable:
        arguments = None
    if arguments is None or len(json.dumps(arguments)) <= ARGUMENT_CHARACTERS_MAX:
        return replace(call, arguments=arguments, written=written)
    return replace(call, arguments=None, written=json.dumps(arguments)[:SHOWN_CHARACTERS_MAX])
