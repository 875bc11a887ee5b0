"""What every request passes, in this order: request id → access log → usage → errors → refusals → authenticate → limits.

It is one wrapper around each handler, put there when the route is added: why, is in docs/decisions/0013-requests.md.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable
from functools import wraps

import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict, istr
from pydantic_core import PydanticSerializationError, to_json

from tenantai.errors import (
    BodyTooSlow,
    Forbidden,
    LimitExceeded,
    NotFound,
    NotReady,
    PayloadTooLarge,
    ProviderFailed,
    RangeNotSatisfiable,
    TenantaiError,
    Unauthorized,
    ValidationFailed,
)
from tenantai.identifiers import new_id
from tenantai.server.addresses import address_of
from tenantai.server.keys import KEY_RING, METER, METRICS, READINESS, REFUSALS, REQUEST_ID, REQUEST_ID_HEADER, VISIT
from tenantai.server.logs import access_log
from tenantai.server.metering import add_usage, endpoint_of, write_down
from tenantai.server.principal import acting
from tenantai.server.services.credentials import Principal
from tenantai.server.services.metering.ledger import Visit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
API_KEY, ASSET_SESSION = istr("X-Api-Key"), istr("X-Asset-Session")
CLIENT_LEFT = 499

JSON_HEADERS = CIMultiDict({"Content-Type": "application/json; charset=utf-8"})

logger = structlog.get_logger("tenantai.http")


def public(handler: Handler) -> Handler:
    """Mark a handler as one that anyone may call; every other needs a key."""
    handler.is_public = True  # type: ignore[attr-defined]
    return handler


def attended(handler: Handler) -> Handler:
    """Return a handler with all that a request passes before and after it: who asks is found out, unless anyone may.

    Every error becomes the one shape, and what came of it is logged; the log has the path only, for a query may hold anything.
    """
    needs_key = not getattr(handler, "is_public", False)

    @wraps(handler)
    async def attend(request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        app = request.app
        given = request.headers.get(REQUEST_ID_HEADER)
        request_id = request[REQUEST_ID] = given if given is not None and SANE_REQUEST_ID.fullmatch(given) else new_id()
        status, visit = CLIENT_LEFT, None
        try:
            try:
                if needs_key:
                    ring, meter, secret = app[KEY_RING], app[METER], secret_of(request)
                    principal = ring.held(secret) or await ring.principal(secret)
                    visit = request[VISIT] = Visit(
                        principal, meter.held(principal.tenant) or await meter.ledger(principal.tenant)
                    )
                    meter.admit(visit)
                response = await handler(request)
            except Exception as error:  # noqa: BLE001  each kind has its answer
                has_begun = visit is not None and visit.is_written_down
                response = _broken_off(request, error) if has_begun else await _answer_of(request, error)
            status = response.status
            if not needs_key:
                visit = request.get(VISIT)
            if visit is not None:
                write_down(app[METER], request, visit, status)
                if not response.prepared:
                    add_usage(response.headers, visit.ledger)
            if not response.prepared:
                response.headers[REQUEST_ID_HEADER] = request_id
                readiness = app.get(READINESS)  # maintenance has none
                if readiness is not None and readiness.is_draining:
                    response.force_close()
            return response
        finally:
            if status == CLIENT_LEFT and visit is not None:
                write_down(app[METER], request, visit, status)
            seconds = time.perf_counter() - began
            found = request.match_info
            app[METRICS].count(found.route if found.http_exception is None else None, status, seconds)
            access_log.write(
                method=request.method,
                path=request.path,
                status=status,
                seconds=seconds,
                request_id=request_id,
                tenant_id=visit.principal.tenant_id if visit is not None else None,
            )

    return attend


async def _answer_of(request: web.Request, error: Exception) -> web.StreamResponse:
    """Return what a client is answered for an error."""
    if isinstance(error, TenantaiError):
        return _refused(request, await _noted(request, error))
    if isinstance(error, web.HTTPException):
        return envelope_of_aiohttp(error, request_id=request[REQUEST_ID])
    if isinstance(error, ConnectionError):
        return web.Response(status=CLIENT_LEFT)
    logger.error("fault", **_asked_by(request), exc_info=error)
    return envelope_of(TenantaiError(), request_id=request[REQUEST_ID])


def _broken_off(request: web.Request, error: Exception) -> web.Response:
    """Break the connection of an answer that has begun: another one would be read as the rest of its body."""
    if not isinstance(error, ConnectionError):
        logger.error("an answer was broken off", **_asked_by(request), exc_info=error)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=CLIENT_LEFT if isinstance(error, ConnectionError) else TenantaiError.status)


def _refused(request: web.Request, error: TenantaiError) -> web.Response:
    if error.status >= 500:  # noqa: PLR2004  faults are logged with their cause
        logger.warning("failed", code=error.public_code, **_asked_by(request), exc_info=error.__cause__ is not None)
    response = envelope_of(error, request_id=request[REQUEST_ID])
    if isinstance(error, BodyTooSlow) or request.content.exception() is not None:
        response.force_close()
    return response


def _asked_by(request: web.Request) -> dict[str, str | None]:
    """Return what a line of the log names a request by: its id, and the tenant where one has been found out."""
    visit = request.get(VISIT)
    return {"request_id": request[REQUEST_ID], "tenant_id": visit.principal.tenant_id if visit is not None else None}


async def _noted(request: web.Request, error: TenantaiError) -> TenantaiError:
    """Return an error to answer with, once a refusal of access is in the audit log: one that can't be written is NotReady."""
    if isinstance(error, Unauthorized) and VISIT not in request and not _is_public(request):
        request.app[REFUSALS].note_unauthenticated(address_of(request))
    elif isinstance(error, Forbidden) and VISIT in request:
        try:
            await note_refusal(request, error)
        except NotReady as unavailable:
            return unavailable
    return error


async def note_refusal(request: web.Request, error: Forbidden) -> None:
    """Write who was refused, and what: the route, never the path, whose ids may be another's. Raises NotReady."""
    chain, route = request[VISIT].principal.tenant_id, endpoint_of(request)
    await request.app[REFUSALS].note(chain, actor=acting(request), route=route, reason=error.message)


async def ask_again(request: web.Request) -> Principal:
    """Return who a request's key speaks for now; a stream that stays open asks again. Raises Unauthorized."""
    return await request.app[KEY_RING].principal(secret_of(request))


def _is_public(request: web.Request) -> bool:
    return getattr(request.match_info.handler, "is_public", False)


def secret_of(request: web.Request) -> str | None:
    """Return the key or the session that a request names."""
    headers = request.headers
    given = headers.get(API_KEY) or headers.get(ASSET_SESSION)
    if given:
        return given.strip()
    scheme, _, token = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def envelope_of(error: TenantaiError, *, request_id: str) -> web.Response:
    """Return an error as a client reads it."""
    body = {"code": error.public_code, "message": error.message, "requestId": request_id}
    if error.details is not None:
        body["details"] = error.details
    response = json_response({"success": False, "error": body}, status=error.status)
    if isinstance(error, (LimitExceeded, ProviderFailed)) and error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, NotReady):
        response.headers["Retry-After"] = "5"
    if isinstance(error, RangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.size}"
    return response


def envelope_of_aiohttp(error: web.HTTPException, *, request_id: str) -> web.Response:
    """Return aiohttp's own refusals (no such route, wrong method, too large) in our shape."""
    known: dict[int, TenantaiError] = {
        404: NotFound("There is no such address. The API lies below /api/v1."),
        413: PayloadTooLarge(),
    }
    fallback = ValidationFailed([{"field": "request", "problem": error.reason}])
    response = envelope_of(known.get(error.status, fallback), request_id=request_id)
    if error.status not in known:
        response.set_status(error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def json_response(body: object, *, status: int = 200) -> web.Response:
    """Return JSON in UTF-8."""
    return web.Response(body=_encoded(body), status=status, headers=JSON_HEADERS.copy())


def _encoded(body: object) -> bytes:
    """Return compact JSON; half characters, which UTF-8 has not, are escaped, which takes the slower way."""
    try:
        return to_json(body, inf_nan_mode="null")
    except PydanticSerializationError:
        return json.dumps(body, allow_nan=False).encode()


def success(data: object, *, status: int = 200) -> web.Response:
    """Return data in the envelope of success."""
    return json_response({"success": True, "data": data}, status=status)


def success_of_json(data: str) -> web.Response:
    """Return data that is JSON already in the envelope of success."""
    return web.Response(body=f'{{"success":true,"data":{data}}}'.encode(), headers=JSON_HEADERS)
