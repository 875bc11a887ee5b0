"""Servers that speak the wire formats of model providers, for tests and benchmarks; loopback only."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

EVENT_STREAM = "text/event-stream"
JSON = "application/json"


@dataclass(frozen=True)
class Reply:
    """What a server answers one request with; an Event among the parts holds the stream until it is set."""

    parts: Sequence[bytes | asyncio.Event] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = EVENT_STREAM
    ending: Literal["complete", "cut", "held"] = "complete"


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class ModelServer:
    """A server that plays its replies in order, then `always` where that is given, and keeps what it was asked."""

    def __init__(self, replies: Iterable[Reply] = (), *, always: Reply | None = None) -> None:
        self.replies = deque(replies)
        self.always = always
        self.requests: list[Received] = []
        self.connections: set[tuple[str, int]] = set()
        self.waiting = asyncio.Event()
        self.disconnected = asyncio.Event()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuse connections from now on."""
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        received = Received(request.method, request.path, dict(request.headers), json.loads(raw) if raw else None)
        self.requests.append(received)
        if request.transport:
            self.connections.add(request.transport.get_extra_info("peername"))
        reply = self.replies.popleft() if self.replies else self.always
        if reply is None:
            return web.Response(status=500, text="no reply was scripted")
        try:
            return await self._play(request, reply)
        except (asyncio.CancelledError, ConnectionResetError):
            self.disconnected.set()
            raise

    async def _play(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers={**reply.headers, "Content-Type": reply.content_type})
        prepared = False
        for part in reply.parts:
            if isinstance(part, asyncio.Event):
                self.waiting.set()
                await part.wait()
                continue
            if not prepared:
                await response.prepare(request)
                prepared = True
            await response.write(part)
        if not prepared:
            await response.prepare(request)
        await self._end(request, response, reply.ending)
        return response

    async def _end(self, request: web.Request, response: web.StreamResponse, ending: str) -> None:
        if ending == "held":
            self.waiting.set()
            await asyncio.Event().wait()
        if ending == "cut" and request.transport:
            request.transport.abort()
            return
        await response.write_eof()


def event(value: Any, *, end: str = "\n\n") -> bytes:
    """One `data:` event of an event stream."""
    return f"data: {json.dumps(value)}{end}".encode()


def json_reply(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A whole JSON answer."""
    return Reply(parts=[json.dumps(value).encode()], status=status, headers=headers or {}, content_type=JSON)


def gemini_chunk(
    text: str = "", *, finish: str | None = None, usage: Mapping[str, int] | None = None, thought: bool = False
) -> bytes:
    """One event of Gemini's streamGenerateContent."""
    part: dict[str, Any] = {"text": text} | ({"thought": True} if thought else {})
    candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    value: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r-1"}
    if usage:
        value["usageMetadata"] = dict(usage)
    return event(value, end="\r\n\r\n")


def gemini_stream(texts: Sequence[str]) -> Reply:
    """A whole answer of Gemini, its last chunk with the finish reason and the count."""
    usage = {"promptTokenCount": 11, "candidatesTokenCount": len(texts), "totalTokenCount": 11 + len(texts)}
    chunks = [gemini_chunk(text, usage=usage) for text in texts[:-1]]
    return Reply(parts=[*chunks, gemini_chunk(texts[-1], finish="STOP", usage=usage)])


def gemini_error(
    status: int, state: str, message: str, *, details: Sequence[Mapping[str, Any]] = (), headers: Mapping[str, str] | None = None
) -> Reply:
    """An error as Google's APIs send it."""
    error = {"code": status, "message": message, "status": state, "details": list(details)}
    return json_reply({"error": error}, status=status, headers=headers)


def gemini_embeddings(rows: Sequence[Sequence[float]]) -> Reply:
    """An answer of Gemini's batchEmbedContents."""
    return json_reply({"embeddings": [{"values": list(row)} for row in rows]})


def openai_chunk(content: str | None = None, *, finish: str | None = None, **delta: Any) -> bytes:
    """One event of /chat/completions."""
    return event(openai_object(content, finish=finish, **delta))


def openai_object(content: str | None = None, *, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """The object within one event of /chat/completions."""
    choice = {"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def openai_usage(prompt: int, completion: int) -> bytes:
    """The last event before the end where usage was asked for."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": usage})


DONE = b"data: [DONE]\n\n"


def openai_stream(texts: Sequence[str]) -> Reply:
    """A whole answer of /chat/completions."""
    chunks = [openai_chunk(text) for text in texts]
    return Reply(parts=[*chunks, openai_chunk(finish="stop"), openai_usage(11, len(texts)), DONE])


def openai_error(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """An error as servers of the OpenAI API send it."""
    return json_reply({"error": {"message": message, "type": "error", "code": None}}, status=status, headers=headers)


def openai_embeddings(rows: Sequence[Sequence[float]]) -> Reply:
    """An answer of /embeddings, its rows out of order."""
    data = [{"object": "embedding", "index": i, "embedding": list(row)} for i, row in enumerate(rows)]
    return json_reply({"object": "list", "data": data[::-1]})
