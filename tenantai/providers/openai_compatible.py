"""Any server that speaks the OpenAI API: Ollama, llama.cpp, vLLM, LM Studio, OpenAI itself.

What must stay true: a stream that breaks off before a finish reason is an error, and closing a stream closes its connection.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import aiohttp
import numpy as np

from tenantai.providers import retries
from tenantai.providers.counting import counted_usage, estimated_usage
from tenantai.providers.event_stream import first_event, read_events, require_no_error
from tenantai.providers.openai_functions import Calls, declared, message_of
from tenantai.providers.protocols import ChatEvent, ChatRequest, Finished, TextDelta, Usage, Vectors
from tenantai.providers.retries import UNREADABLE, Patience, ProviderFault, redacted, seconds_of_retry_after, with_retries
from tenantai.providers.vectors import unit_rows
from tenantai.wire.stream import FinishReason

SETTINGS = retries.Settings(key="TENANTAI_OPENAI_API_KEY", model="TENANTAI_OPENAI_MODEL", address="TENANTAI_OPENAI_BASE_URL")
EMBEDDING_SETTINGS = retries.Settings(
    key="TENANTAI_OPENAI_API_KEY", model="TENANTAI_OPENAI_EMBEDDING_MODEL", address="TENANTAI_OPENAI_BASE_URL"
)
CONTEXT_TOKENS = 8192
EMBEDDING_BATCH_MAX = 64
FIRST_ERROR_STATUS = 300
ERROR_BYTES_MAX = 65_536
REFUSED_OPTION = frozenset({400, 422})
NAMES_FORMAT = re.compile("response_format|json_schema|schema", re.IGNORECASE)
NAMES_FUNCTIONS = re.compile("tool|function", re.IGNORECASE)
FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
}
PREFIXES: dict[str, dict[str, str]] = {
    "nomic-embed-text": {"document": "search_document: ", "query": "search_query: "},
    "mxbai-embed-large": {"document": "", "query": "Represent this sentence for searching relevant passages: "},
}


class OpenAIChat:
    """A ChatModel on /chat/completions; made anywhere, used within one event loop."""

    provider = "openai"
    calls_functions = True

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        model: str,
        *,
        context_tokens: int = CONTEXT_TOKENS,
        patience: Patience | None = None,
    ) -> None:
        self.model = model
        self.context_tokens = context_tokens
        self._patience = patience or Patience()
        self._connection = _Connection(base_url, api_key)
        self._output_limit = "max_completion_tokens" if "api.openai.com" in base_url else "max_tokens"
        self._asks_for_usage = True
        self._asks_by_schema = True

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer; closing the iterator closes the connection. Raises ProviderFailed."""
        answer = _Answer()
        opened: _Opened | None = None
        fault: ProviderFault | None = None
        try:
            opened = await with_retries(partial(self._open, request), self._patience)
            event: dict[str, Any] | None = opened.first
            while event is not None:
                if text := answer.take(event):
                    yield TextDelta(text)
                while answer.calls.begun:
                    yield answer.calls.begun.pop(0)
                event = await anext(opened.rest, None)
            answer.require_ending()
        except Exception as error:  # noqa: BLE001  a malformed event may trip anything
            fault = None if answer.reason else self._connection.fault_of(error)
        finally:
            if opened:
                await opened.close()
        if fault:
            raise retries.failure(fault, SETTINGS) from fault
        calls = answer.calls.whole()
        for call in calls:
            yield call
        yield answer.usage or estimated_usage(request, answer.characters)
        yield Finished("tool-calls" if calls else answer.reason or "other")

    async def check(self) -> None:
        """Return when the server lists its models, else raise ProviderFailed."""
        patience = Patience(delays_seconds=(), first_event_seconds=self._patience.check_seconds)
        try:
            await with_retries(partial(self._connection.send_json, "GET", "models"), patience)
        except ProviderFault as fault:
            raise retries.failure(fault, SETTINGS) from fault

    async def close(self) -> None:
        """Release connections."""
        await self._connection.close()

    async def _open(self, request: ChatRequest) -> "_Opened":
        """Open the stream; where a server refuses functions, a schema or `stream_options`, again without, and from then on."""
        asks_for_usage, offers_functions, asks_by_schema = self._asks_for_usage, self.calls_functions, self._asks_by_schema
        while True:
            body = self._body(request, functions=offers_functions) | (_format(request) if asks_by_schema else {})
            try:
                options = {"stream_options": {"include_usage": True}} if asks_for_usage else {}
                opened = await self._connection.open_events("chat/completions", body | options)
                break
            except ProviderFault as fault:
                if fault.status not in REFUSED_OPTION:
                    raise
                if offers_functions and request.functions and NAMES_FUNCTIONS.search(str(fault)):
                    offers_functions = False
                elif asks_by_schema and request.answer_schema and NAMES_FORMAT.search(str(fault)):
                    asks_by_schema = False
                elif asks_for_usage:
                    asks_for_usage = False
                else:
                    raise
        self._asks_for_usage, self.calls_functions, self._asks_by_schema = asks_for_usage, offers_functions, asks_by_schema
        return opened

    def _body(self, request: ChatRequest, *, functions: bool) -> dict[str, Any]:
        messages = [message for turn in request.turns for message in message_of(turn)]
        if request.instructions:
            messages.insert(0, {"role": "system", "content": request.instructions})
        body = {"model": self.model, "messages": messages, "stream": True, self._output_limit: request.output_tokens_max}
        if functions and request.functions:
            body["tools"] = declared(request.functions)
            if not request.may_call:
                body["tool_choice"] = "none"
        return body


def _format(request: ChatRequest) -> dict[str, Any]:
    """Return what asks for JSON of a schema."""
    if request.answer_schema is None:
        return {}
    named = {"name": "answer", "strict": True, "schema": request.answer_schema}
    return {"temperature": 0, "response_format": {"type": "json_schema", "json_schema": named}}


class OpenAIEmbedding:
    """An EmbeddingModel on /embeddings; `dimensions` is 0 until the first answer where it isn't given."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        model: str,
        *,
        dimensions: int = 0,
        patience: Patience | None = None,
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._patience = patience or Patience()
        self._connection = _Connection(base_url, api_key)
        self._prefixes = PREFIXES.get(model.rsplit("/", 1)[-1].split(":", 1)[0], {})

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return float32 rows of length 1, shape (len(texts), dimensions). Raises ProviderFailed."""
        prefixed = [self._prefixes.get(purpose, "") + text for text in texts]
        batches = []
        try:
            for start in range(0, len(prefixed), EMBEDDING_BATCH_MAX):
                attempt = partial(self._embed_batch, prefixed[start : start + EMBEDDING_BATCH_MAX])
                batches.append(await with_retries(attempt, self._patience))
        except ProviderFault as fault:
            raise retries.failure(fault, EMBEDDING_SETTINGS) from fault
        return np.concatenate(batches) if batches else np.empty((0, self.dimensions), dtype=np.float32)

    async def close(self) -> None:
        """Release connections."""
        await self._connection.close()

    async def _embed_batch(self, texts: Sequence[str]) -> Vectors:
        body = {"model": self.model, "input": texts, "encoding_format": "float"}
        answer = await self._connection.send_json("POST", "embeddings", body)
        try:
            rows = [item["embedding"] for item in sorted(answer["data"], key=lambda item: int(item.get("index", 0)))]
            self.dimensions = self.dimensions or len(rows[0])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise ProviderFault("the answer holds no embeddings", status=UNREADABLE) from None
        return unit_rows(rows, count=len(texts), dimensions=self.dimensions)


@dataclass(slots=True)
class _Answer:
    """What an answer's events say beside its text."""

    reason: FinishReason | None = None
    characters: int = 0
    usage: Usage | None = None
    calls: Calls = field(default_factory=Calls)

    def take(self, event: Mapping[str, Any]) -> str:
        """Keep the count, the first reason and calls of an event; return its text. Raises ProviderFault for an error event."""
        require_no_error(event)
        if counted := event.get("usage"):
            self.usage = counted_usage(counted.get("prompt_tokens"), counted.get("completion_tokens")) or self.usage
        if not (choices := event.get("choices")):
            return ""
        choice = choices[0]
        if (reason := choice.get("finish_reason")) and self.reason is None:
            self.reason = FINISH_REASONS.get(reason, "other")
        said = choice.get("delta") or choice.get("message") or {}
        if pieces := said.get("tool_calls"):
            self.characters += self.calls.take(pieces)
        text = str(said.get("content") or "")
        self.characters += len(text)
        return text

    def require_ending(self) -> None:
        """Raise ProviderFault where the stream ended without a reason."""
        if self.reason is None:
            raise ProviderFault("the stream ended without a finish reason")


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer that has begun."""

    first: dict[str, Any]
    rest: AsyncGenerator[dict[str, Any]]
    response: aiohttp.ClientResponse

    async def close(self) -> None:
        """Close the connection unless the answer was read to its end."""
        self.response.close()
        await self.rest.aclose()


class _Connection:
    """One HTTP session to one server, made at first use: a session needs a running event loop."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = api_key or ""
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the session."""
        if self._session:
            await self._session.close()

    async def open_events(self, path: str, body: Mapping[str, Any]) -> _Opened:
        """Return an event stream with its first event; raises ProviderFault."""
        response = await self._request("POST", path, body)
        events = read_events(response)
        try:
            return _Opened(await first_event(events), events, response)
        except Exception as error:  # noqa: BLE001  a malformed event may trip anything
            fault = self.fault_of(error)
        except asyncio.CancelledError:
            response.close()
            raise
        response.close()
        raise fault

    async def send_json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of one answer; raises ProviderFault."""
        response = await self._request(method, path, body)
        try:
            async with response:
                return json.loads(await response.read())
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fault = self.fault_of(error)
        raise fault

    def fault_of(self, error: Exception) -> ProviderFault:
        """Return what an error of the transport or of its JSON means, without the key."""
        if isinstance(error, ProviderFault):
            error.args = (redacted(str(error), self._key),)
            return error
        summary = redacted(f"{type(error).__name__}: {error}", self._key)
        broken = isinstance(error, OSError | aiohttp.ClientError)
        return ProviderFault(summary, status=None if broken else UNREADABLE, transient=broken)

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=10), trust_env=True)
        try:
            response = await self._session.request(
                method, f"{self._base_url}/{path}", json=body, headers=self._headers(), allow_redirects=False
            )
            if response.status < FIRST_ERROR_STATUS:
                return response
            async with response:
                fault = await self._refusal(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fault = self.fault_of(error)
        raise fault

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    async def _refusal(self, response: aiohttp.ClientResponse) -> ProviderFault:
        body = await response.content.read(ERROR_BYTES_MAX)
        return ProviderFault(
            redacted(f"{response.status}: {body.decode(errors='replace')}", self._key),
            status=response.status,
            retry_after_seconds=seconds_of_retry_after(response.headers.get("Retry-After")),
        )
