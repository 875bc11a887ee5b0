"""Gemini through google-genai: streamed chat and embeddings.

What must stay true: one try of ours is one HTTP request (the SDK retries nothing), and closing a stream closes its connection.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

import aiohttp
import certifi
import numpy as np
from google import genai
from google.genai import errors, types

from tenantai.providers import retries
from tenantai.providers.counting import estimated_usage
from tenantai.providers.gemini_functions import call_of, content_of, declared, response_schema
from tenantai.providers.loop_turns import LoopTurns
from tenantai.providers.protocols import (
    CallBegun,
    ChatEvent,
    ChatRequest,
    Finished,
    Function,
    FunctionCall,
    TextDelta,
    Usage,
    Vectors,
)
from tenantai.providers.proxies import proxy_of
from tenantai.providers.retries import UNREADABLE, Patience, ProviderFault, redacted, seconds_of_retry_after, with_retries
from tenantai.providers.vectors import unit_rows
from tenantai.wire.stream import FinishReason

BASE_URL = "https://generativelanguage.googleapis.com/"
SETTINGS = retries.Settings(key="GEMINI_API_KEY", model="TENANTAI_GEMINI_MODEL", address="TENANTAI_GEMINI_BASE_URL")
READ_BUFFER_BYTES = 262_144
FIRST_ERROR_STATUS = 300
EMBEDDING_BATCH_MAX = 100
CONTEXT_TOKENS = 1_048_576
MALFORMED_CALL = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"})
TASKS = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}
FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION", "PUP_LIMITED_DISABLED"),
        "content-filter",
    ),
}

NO_CALLS = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.NONE))

_responses: ContextVar[list[aiohttp.ClientResponse] | None] = ContextVar("_responses", default=None)
Chunks = AsyncIterator[types.GenerateContentResponse]
Result = TypeVar("Result")


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
        self._settings = _settings_of(model)
        self._declared: tuple[tuple[Function, ...], list[types.Tool]] = ((), [])
        self._connection = _Connection(api_key, base_url)
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
        # As dictionaries, one alone as itself: the SDK tries a list's models against every kind of content, 0.2 ms for each.
        contents: Any = [content_of(turn) for turn in request.turns]
        await self._turns.wait()  # the SDK takes milliseconds to write a picture into a request
        contents = contents[0] if len(contents) == 1 else contents
        rest = await client.aio.models.generate_content_stream(model=self.model, contents=contents, config=self._config(request))
        first = await anext(rest, None)
        if first is None:
            raise ProviderFault("the stream ended before it began", transient=True)
        return _Opened(first, rest, (_responses.get() or [])[-1])

    def _config(self, request: ChatRequest) -> types.GenerateContentConfig:
        given: dict[str, Any] = {
            "system_instruction": request.instructions or None,
            "max_output_tokens": request.output_tokens_max,
        }
        if request.functions:
            given |= {"tools": self._tools(request.functions), "tool_config": None if request.may_call else NO_CALLS}
        if request.answer_schema is not None:
            schema = response_schema(request.answer_schema)
            given |= {"response_mime_type": "application/json", "response_schema": schema, "temperature": 0.0}
        return self._settings.model_copy(update=given)

    def _tools(self, functions: tuple[Function, ...]) -> list[types.Tool]:
        """Return functions as the SDK has them; those of the last request are remembered, for most have the same."""
        if self._declared[0] is not functions:
            self._declared = (functions, [types.Tool.model_validate({"function_declarations": declared(functions)})])
        return self._declared[1]


def _settings_of(model: str) -> types.GenerateContentConfig:
    """Return what every request to a model says."""
    thinking = types.ThinkingConfig(thinking_budget=0) if "2.5-flash" in model else None  # others refuse to go without
    return types.GenerateContentConfig(
        thinking_config=thinking,
        automatic_continuation=False,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


class GeminiEmbedding:
    """An EmbeddingModel on Gemini's batchEmbedContents; rows are cut to `dimensions` by the service and normalised here."""

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        model: str = "gemini-embedding-001",
        dimensions: int = 768,
        patience: Patience | None = None,
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._patience = patience or Patience()
        self._connection = _Connection(api_key, base_url)

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return float32 rows of length 1, shape (len(texts), dimensions). Raises ProviderFailed."""
        batches = [np.empty((0, self.dimensions), dtype=np.float32)]
        config = types.EmbedContentConfig(task_type=TASKS[purpose], output_dimensionality=self.dimensions)
        try:
            for start in range(0, len(texts), EMBEDDING_BATCH_MAX):
                attempt = partial(self._embed_batch, texts[start : start + EMBEDDING_BATCH_MAX], config)
                batches.append(await with_retries(partial(self._connection.attempt, attempt), self._patience))
        except ProviderFault as fault:
            raise retries.failure(fault, SETTINGS) from fault
        return np.concatenate(batches)

    async def close(self) -> None:
        """Release connections."""
        await self._connection.close()

    async def _embed_batch(self, texts: Sequence[str], config: types.EmbedContentConfig, client: genai.Client) -> Vectors:
        # Strings would be merged into one content for models after gemini-embedding-001 (google-genai 3.4).
        contents: Any = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        response = await client.aio.models.embed_content(model=self.model, contents=contents, config=config)
        rows = [embedding.values or [] for embedding in response.embeddings or []]
        return unit_rows(rows, count=len(texts), dimensions=self.dimensions)


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
        if self.counted is None or self.counted.prompt_token_count is None:
            return estimated_usage(request, self.characters)
        output = (self.counted.candidates_token_count or 0) + (self.counted.thoughts_token_count or 0)
        return Usage(self.counted.prompt_token_count, output)


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


class _Connection:
    """One SDK client over an aiohttp session of ours, both made at first use: a session needs a running event loop."""

    def __init__(self, api_key: str, base_url: str | None) -> None:
        self._key = api_key
        self._base_url = base_url or BASE_URL
        self._session: aiohttp.ClientSession | None = None
        self._client: genai.Client | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the client and the session."""
        client, self._client = self._client, None
        session, self._session = self._session, None
        if client:
            client.close()
            await client.aio.aclose()
        if session:
            await session.close()

    async def _open(self) -> genai.Client:
        """Return the client, made on a thread where it is the first: it reads certificates for tens of milliseconds."""
        async with self._opening:
            if self._client is None:
                self._session = self._session or _session(self._base_url)
                self._client = await asyncio.to_thread(_client, self._key, self._session, self._base_url)
            return self._client

    async def attempt(self, call: Callable[[genai.Client], Awaitable[Result]]) -> Result:
        """Return what one call of the SDK returns; raises ProviderFault, whatever the SDK stumbles on."""
        responses: list[aiohttp.ClientResponse] = []
        token = _responses.set(responses)
        try:
            return await call(self._client or await self._open())
        except Exception as error:  # noqa: BLE001  the SDK stumbles on malformed answers in many ways
            fault = self.fault_of(error, responses)
        finally:
            _responses.reset(token)
        raise fault

    def fault_of(self, error: Exception, responses: Sequence[aiohttp.ClientResponse] = ()) -> ProviderFault:
        """Return what an error of the SDK, of its transport or of its JSON means, without the key."""
        if isinstance(error, ProviderFault):
            return error
        summary = redacted(f"{type(error).__name__}: {error}", self._key)
        refused = next((response for response in responses if response.status >= FIRST_ERROR_STATUS), None)
        status = refused.status if refused else error.code if isinstance(error, errors.APIError) else None
        if not isinstance(status, int):
            broken = isinstance(error, OSError | aiohttp.ClientError)
            return ProviderFault(summary, status=None if broken else UNREADABLE, transient=broken)
        details = _details(error)
        asked = refused.headers.get("Retry-After") if refused else None
        return ProviderFault(
            summary,
            status=status,
            retry_after_seconds=seconds_of_retry_after(asked or _first(details, "retryDelay")),
            key_refused=_first(details, "reason") == "API_KEY_INVALID",
        )


def _session(base_url: str) -> aiohttp.ClientSession:
    # google-genai 3.4 would subclass ClientSession, which aiohttp 3.14 warns of, and would hide the response from us.
    proxy, proxy_auth = proxy_of(base_url)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        proxy=proxy,
        proxy_auth=proxy_auth,
        middlewares=(_remember_response,),
        read_bufsize=READ_BUFFER_BYTES,
    )


async def _remember_response(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    response = await send(request)
    if (responses := _responses.get()) is not None:
        responses.append(response)
    return response


def _client(key: str, session: aiohttp.ClientSession, base_url: str) -> genai.Client:
    return genai.Client(vertexai=False, api_key=key, http_options=_http_options(session, base_url))


def _http_options(session: aiohttp.ClientSession, base_url: str) -> types.HttpOptions:
    """Return options with one TLS context for the SDK's four clients, no redirects (they would carry the key) and one try.

    Without retry options of its own, google-genai 3.4 sleeps 1 to 10 s after a refused connection and tries again.
    """
    tls = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE", certifi.where()))
    return types.HttpOptions(
        base_url=base_url,
        aiohttp_client=session,
        client_args={"verify": tls},
        async_client_args={"verify": tls, "ssl": tls, "allow_redirects": False},
        retry_options=types.HttpRetryOptions(attempts=1),
    )


def _details(error: Exception) -> list[dict[str, Any]]:
    """Return the google.rpc details of an error, empty where its body is not of that form."""
    body = error.details if isinstance(error, errors.APIError) else None
    inner = body.get("error", body) if isinstance(body, dict) else None
    details = inner.get("details") if isinstance(inner, dict) else None
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _first(details: Iterable[dict[str, Any]], name: str) -> str | None:
    return next((str(detail[name]) for detail in details if name in detail), None)
