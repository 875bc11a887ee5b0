"""Chat with Gemini through google-genai, streamed.

What must stay true: one try of ours is one HTTP request (the SDK retries nothing), and closing a stream closes its connection.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from google import genai
from google.genai import types

from tenantai.providers import retries
from tenantai.providers.counting import counted_usage, estimated_usage
from tenantai.providers.gemini.connection import SETTINGS, Connection, last_response
from tenantai.providers.gemini.functions import call_of
from tenantai.providers.gemini.requests import Requests
from tenantai.providers.loop_turns import LoopTurns
from tenantai.providers.protocols import (
    CallBegun,
    ChatEvent,
    ChatRequest,
    Finished,
    FunctionCall,
    TextDelta,
    Usage,
)
from tenantai.providers.retries import UNREADABLE, Patience, ProviderFault, with_retries
from tenantai.wire.stream import FinishReason

CONTEXT_TOKENS = 1_048_576
MALFORMED_CALL = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"})
FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION", "PUP_LIMITED_DISABLED"),
        "content-filter",
    ),
}

Chunks = AsyncIterator[types.GenerateContentResponse]


class GeminiChat:
    """A ChatModel on Gemini's streamGenerateContent; made anywhere, used within one event loop."""

    provider = "gemini"
    calls_functions = True

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        model: str = "gemini-2.5-flash",
        context_tokens: int = CONTEXT_TOKENS,
        patience: Patience | None = None,
    ) -> None:
        self.model = model
        self.context_tokens = context_tokens
        self._patience = patience or Patience()
        self._requests = Requests(model)
        self._connection = Connection(api_key, base_url)
        self._turns = LoopTurns()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer; closing the iterator closes the connection. Raises ProviderFailed."""
        answer = _Answer()
        opened: _Opened | None = None
        fault: ProviderFault | None = None
        try:
            opened = await with_retries(partial(self._open, request), self._patience)
            if text := answer.take(opened.first):
                yield TextDelta(text)
            async for chunk in opened.rest:
                if text := answer.take(chunk):
                    yield TextDelta(text)
                if self._turns.is_over:  # the SDK takes what came in one go, and a tenth of a millisecond for each chunk
                    await self._turns.wait()
            answer.require_ending()
        except Exception as error:  # noqa: BLE001  the SDK stumbles on malformed answers in many ways
            fault = None if answer.reason else self._connection.fault_of(error)
        finally:
            if opened:
                await opened.close()
        if fault:
            raise retries.failure(fault, SETTINGS) from fault
        for call in answer.calls:
            yield CallBegun(call.id, call.name)
            yield call
        yield answer.usage(request)
        yield Finished("tool-calls" if answer.calls else answer.reason or "other")

    async def check(self) -> None:
        """Return when Gemini answers for the model, else raise ProviderFailed."""
        patience = Patience(delays_seconds=(), first_event_seconds=self._patience.check_seconds)
        try:
            await with_retries(partial(self._connection.attempt, self._look_up), patience)
        except ProviderFault as fault:
            raise retries.failure(fault, SETTINGS) from fault

    async def close(self) -> None:
        """Release connections."""
        await self._connection.close()

    async def _look_up(self, client: genai.Client) -> None:
        await client.aio.models.get(model=self.model)

    async def _open(self, request: ChatRequest) -> "_Opened":
        return await self._connection.attempt(partial(self._begin, request))

    async def _begin(self, request: ChatRequest, client: genai.Client) -> "_Opened":
        contents = self._requests.contents(request.turns)
        await self._turns.wait()  # the SDK takes milliseconds to write a picture into a request
        options = self._requests.options(request)
        rest = await client.aio.models.generate_content_stream(model=self.model, contents=contents, config=options)
        first = await anext(rest, None)
        if first is None:
            raise ProviderFault("the stream ended before it began", transient=True)
        return _Opened(first, rest, last_response())


@dataclass(slots=True)
class _Answer:
    """What an answer's chunks say beside its text."""

    reason: FinishReason | None = None
    characters: int = 0
    counted: types.GenerateContentResponseUsageMetadata | None = None
    calls: list[FunctionCall] = field(default_factory=list)

    def take(self, chunk: types.GenerateContentResponse) -> str:
        """Keep the count, the reason and the calls of a chunk; return its text without thoughts."""
        self.counted = chunk.usage_metadata or self.counted
        if not chunk.candidates:
            if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
                self.reason = "content-filter"
            return ""
        candidate = chunk.candidates[0]
        if candidate.finish_reason:
            if candidate.finish_reason.value in MALFORMED_CALL and not self.characters:
                raise ProviderFault("the model wrote a call that Gemini can't read", status=UNREADABLE)
            self.reason = FINISH_REASONS.get(candidate.finish_reason.value, "other")
        text = ""
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.function_call:
                self.calls.append(_call(part))
            if part.text and not part.thought:
                text += part.text
        self.characters += len(text)
        return text

    def require_ending(self) -> None:
        """Raise ProviderFault where the stream ended without a reason: Gemini always gives one."""
        if self.reason is None:
            raise ProviderFault("the stream ended without a finish reason")

    def usage(self, request: ChatRequest) -> Usage:
        """Return the provider's own count, thoughts counted as output, or an estimate where it gave none."""
        if self.counted is None:
            return estimated_usage(request, self.characters)
        output = (self.counted.candidates_token_count or 0) + (self.counted.thoughts_token_count or 0)
        return counted_usage(self.counted.prompt_token_count, output) or estimated_usage(request, self.characters)


def _call(part: types.Part) -> FunctionCall:
    call = part.function_call or types.FunctionCall()
    return call_of(call.name or "", call.args, provider_id=call.id, signature=part.thought_signature)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer that has begun."""

    first: types.GenerateContentResponse
    rest: Chunks
    response: aiohttp.ClientResponse

    async def close(self) -> None:
        """Close the connection unless the answer was read to its end.

        google-genai 3.4 stacks six generators and leaves closing the inner ones to the garbage collector; reading on
        from a closed response makes all of them end now.
        """
        self.response.close()
        with suppress(Exception):
            async for _ in self.rest:
                pass
