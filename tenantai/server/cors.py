"""Browsers' pages of other origins: those that the operator named may call the API, with keys in headers, never with cookies.

What must stay true: nothing of this is there unless an origin is named; an origin that is not named is told nothing.
"""

from collections.abc import Awaitable, Callable, Collection

from aiohttp import web

from tenantai.identifiers import new_id
from tenantai.server.keys import (
    CONVERSATION_ID_HEADER,
    ESTIMATE_ID_HEADER,
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    REQUEST_ID_HEADER,
)
from tenantai.server.metering import USAGE_HEADERS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ASKED = ["Accept", "Authorization", "Content-Type", IDEMPOTENCY_KEY, "If-None-Match", "If-Range", "Last-Event-ID", "Range"]
ASKED += [REQUEST_ID_HEADER, "x-api-key", "x-asset-session", "x-tenantai-stream"]
TOLD = [REQUEST_ID_HEADER, IDEMPOTENT_REPLAYED, CONVERSATION_ID_HEADER, ESTIMATE_ID_HEADER, *USAGE_HEADERS]
TOLD += ["Retry-After", "ETag", "Content-Range", "Content-Disposition"]
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": ", ".join(ASKED),
    "Access-Control-Max-Age": "600",
}


def allow(app: web.Application, origins: Collection[str]) -> None:
    """Let pages of these origins call an application."""

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.add("Vary", "Origin")
        if (origin := request.headers.get("Origin")) in origins:
            response.headers["Access-Control-Allow-Origin"] = origin or ""
            response.headers["Access-Control-Expose-Headers"] = ", ".join(TOLD)

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if is_preflight and request.headers.get("Origin") in origins:
            return web.Response(status=204, headers={**PREFLIGHT, REQUEST_ID_HEADER: new_id()})
        return await handler(request)

    app.middlewares.append(preflight)
    app.on_response_prepare.append(tell)
