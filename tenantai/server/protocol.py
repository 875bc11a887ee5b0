"""The server's side of a connection: what aiohttp itself refuses is answered in our one shape; none is idle for ever.

What must stay true: a client that takes nothing of its answer is let go, with all that was held for it; of a request that cannot
be parsed, the log has the id and the kind of fault only; its bytes may hold a key.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog
from aiohttp import http_exceptions, web

from tenantai.errors import TenantaiError, UnsupportedMedia, ValidationFailed
from tenantai.identifiers import new_id
from tenantai.server.keys import IDEMPOTENCY, REQUEST_ID, REQUEST_ID_HEADER
from tenantai.server.logs import access_log
from tenantai.server.middlewares import envelope_of, envelope_of_aiohttp

IDLE_SECONDS = 75
LINGERING_SECONDS = 2
STALLED_SECONDS = 60
SERVER_FAULT = 500

logger = structlog.get_logger("tenantai.http")


DRAIN_LOOK_SECONDS = 0.02
LAST_SECONDS = 0.1  # of what is left then; aiohttp takes nothing for endless


class Runner(web.AppRunner):
    """Runs an application whose connections are `Connection`s."""

    def __init__(self, app: web.Application, *, shutdown_timeout_seconds: float) -> None:
        super().__init__(
            app,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            shutdown_timeout=shutdown_timeout_seconds,
        )

    async def cleanup(self) -> None:
        """Drain while it still listens, so that readiness is seen to be red until the last request has ended; then stop.

        Those that come meanwhile are answered, but hold nothing up: there may always be another one.
        """
        ends = time.monotonic() + self._shutdown_timeout
        if self._server is not None:
            await self.shutdown()
            earlier = self._under_way(self._server)
            while (self._has_one_of(earlier, self._server) or self._carries_out()) and time.monotonic() < ends:  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(DRAIN_LOOK_SECONDS)
            self._shutdown_timeout = max(LAST_SECONDS, ends - time.monotonic())
        await super().cleanup()

    @staticmethod
    def _under_way(server: web.Server) -> list[web.BaseRequest]:
        found = (each._current_request for each in server.connections)  # noqa: SLF001  aiohttp 3.14 tells it nowhere else
        return [request for request in found if request is not None]

    def _has_one_of(self, earlier: Sequence[web.BaseRequest], server: web.Server) -> bool:
        return any(request is one for request in self._under_way(server) for one in earlier)

    def _carries_out(self) -> bool:
        """Whether there is a request with a key whose client may have left."""
        idempotency = self.app.get(IDEMPOTENCY)
        return idempotency is not None and idempotency.is_busy

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,  # noqa: SLF001  aiohttp 3.14 has no public way to name the class of connections
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_stalling", "_unsent")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._stalling: asyncio.TimerHandle | None = None
        self._unsent = 0

    def pause_writing(self) -> None:
        """Begin to watch a client that does not take what is sent."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Watch no more."""
        self._unwatch()
        super().resume_writing()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """Let a client go that asks nothing; for one that came at the last moment aiohttp 3.14 would wait as for a request."""
        if self._waiter is not None:
            self._waiter.cancel()
        await super().shutdown(timeout)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Watch no more, and end what is under way."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.transport is not None:
            self._unsent = self.transport.get_write_buffer_size()
            self._stalling = self._loop.call_later(STALLED_SECONDS, self._look)

    def _unwatch(self) -> None:
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None

    def _look(self) -> None:
        """Hang up on a client that has taken nothing since the last look; one that is slow goes on."""
        if self.transport is not None and self.transport.get_write_buffer_size() >= self._unsent:
            self.transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes; where they break the body of the request under way, tell its handler, which aiohttp 3.14 leaves waiting."""
        super().data_received(data)
        if self._current_request is not None and self._messages and (fault := getattr(self._messages[-1][0], "exc", None)):
            content = self._current_request.content
            if not content.is_eof() and content.exception() is None:
                content.set_exception(web.RequestPayloadError(type(fault).__name__))
                content.feed_eof()

    def handle_error(
        self, request: web.BaseRequest, status: int = SERVER_FAULT, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return what aiohttp itself refuses, or a fault outside of all middlewares, as a client reads it."""
        del message
        if request.writer is not None and request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        request_id = request.get(REQUEST_ID) or new_id()
        error = TenantaiError() if status >= SERVER_FAULT else _refusal(exc)
        if status >= SERVER_FAULT:
            logger.error("fault", request_id=request_id, exc_info=exc)
        else:
            logger.info("not HTTP", request_id=request_id, fault=type(exc).__name__)
            access_log.write(method="-", path="-", status=error.status, request_id=request_id)
        response = envelope_of(error, request_id=request_id)
        response.headers[REQUEST_ID_HEADER] = request_id
        response.force_close()
        return response

    def finish_response(self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None) -> Any:
        """Send an answer; aiohttp's own, raised before any middleware (an unknown Expect), in our shape."""
        if type(resp) is not web.Response and isinstance(resp, web.HTTPException):
            request_id = request.get(REQUEST_ID) or new_id()
            resp = envelope_of_aiohttp(resp, request_id=request_id)
            resp.headers[REQUEST_ID_HEADER] = request_id
        return super().finish_response(request, resp, start_time)


def _refusal(fault: BaseException | None) -> TenantaiError:
    """Return what was wrong with a request that could not be parsed, without its words."""
    if isinstance(fault, http_exceptions.ContentEncodingError):
        return UnsupportedMedia("This Content-Encoding is not taken here. Send the body as it is, or as gzip or deflate.")
    problem = next((sentence for kind, sentence in _PROBLEMS if isinstance(fault, kind)), "is not well-formed HTTP/1.1")
    return ValidationFailed([{"field": "request", "problem": problem}])


_PROBLEMS = (
    (http_exceptions.LineTooLong, "has a request line or a header that is longer than the 8190 bytes that are taken"),
    (http_exceptions.BadStatusLine, "does not begin with a method, a target and HTTP/1.1"),
    (http_exceptions.InvalidURLError, "has a target that is no address"),
    (http_exceptions.InvalidHeader, "has a header that is not well formed"),
    (http_exceptions.TransferEncodingError, "has a body that is not what its Transfer-Encoding says"),
    (http_exceptions.ContentLengthError, "has a body that is not as long as its Content-Length says"),
)
