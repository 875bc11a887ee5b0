"""`Idempotency-Key`: a request that is sent again is answered again, not carried out again.

What must stay true: a request that asks for the claim of its key is carried out to its end, also where its client leaves; for
that is when it will be sent again. A body is claimed as soon as it is known, before anything is made of it.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps

import structlog
from aiohttp import web

from tenantai.errors import NotReady, ValidationFailed
from tenantai.server.addresses import address_of
from tenantai.server.keys import (
    ATTEMPT,
    CONVERSATION_ID_HEADER,
    ESTIMATE_ID_HEADER,
    IDEMPOTENCY,
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    VISIT,
)
from tenantai.server.middlewares import JSON_HEADERS, secret_of
from tenantai.server.services.finishing import begin
from tenantai.server.services.idempotency import Attempt, KeptAnswer
from tenantai.storage.audit import OPERATOR_CHAIN

Handler = Callable[[web.Request], Awaitable[web.Response]]
Streaming = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATTERN = re.compile(r"[\x21-\x7e]{1,255}")
ANYONE = "anyone"
KEPT_HEADERS = (CONVERSATION_ID_HEADER, ESTIMATE_ID_HEADER)
DIGEST_ON_LOOP_BYTES = 256 * 1024

logger = structlog.get_logger("tenantai.http")


class Replayed(Exception):  # noqa: N818  no error: the way out of a handler whose answer is known already
    """The request was answered before."""

    def __init__(self, response: web.Response) -> None:
        super().__init__("answered before")
        self.response = response


def idempotent(handler: Handler) -> Handler:
    """Let a handler's requests be sent again with an `Idempotency-Key`."""

    @wraps(handler)
    async def once(request: web.Request) -> web.Response:
        given = _key_of(request)
        if given is None:
            return await handler(request)
        attempt = request[ATTEMPT] = _attempt(request, given)
        carrying_out = begin(_carried_out(handler, request, attempt))
        try:
            return await asyncio.shield(carrying_out)
        except asyncio.CancelledError:
            if not attempt.has_begun:
                carrying_out.cancel()
            raise

    once.is_idempotent = True  # type: ignore[attr-defined]
    return once


def idempotent_where(condition: Callable[[web.Request], bool]) -> Callable[[Streaming], Streaming]:
    """Let those of a handler's requests be sent again that want a whole answer: a stream is answered once."""

    def decorate(handler: Streaming) -> Streaming:
        whole = idempotent(handler)  # type: ignore[arg-type]

        @wraps(handler)
        async def chosen(request: web.Request) -> web.StreamResponse:
            if condition(request):
                return await whole(request)
            _key_of(request)
            return await handler(request)

        chosen.is_idempotent = True  # type: ignore[attr-defined]
        return chosen

    return decorate


async def claim(request: web.Request, *parts: bytes) -> None:
    """Claim a request's key for what it sends; raises Replayed where it was answered before, and Conflict."""
    attempt = request.get(ATTEMPT)
    if attempt is None:
        return
    address = f"{request.method} {request.path_qs}"
    is_large = sum(map(len, parts)) > DIGEST_ON_LOOP_BYTES
    answered = await attempt.claim(await asyncio.to_thread(_digest, address, parts) if is_large else _digest(address, parts))
    if answered is not None:
        response = web.Response(body=answered.body, status=answered.status, headers={**JSON_HEADERS, **answered.headers})
        response.headers[IDEMPOTENT_REPLAYED] = "true"
        raise Replayed(response)


def _digest(address: str, parts: Sequence[bytes]) -> str:
    digest = hashlib.sha256(address.encode())
    for part in parts:
        digest.update(b"\0" + hashlib.sha256(part).digest())
    return digest.hexdigest()


def _key_of(request: web.Request) -> str | None:
    """Return the key that a request has; raises ValidationFailed where it is none."""
    given = request.headers.get(IDEMPOTENCY_KEY)
    if given is not None and not PATTERN.fullmatch(given):
        raise ValidationFailed([{"field": IDEMPOTENCY_KEY, "problem": "must be 1 to 255 visible ASCII characters"}])
    return given


def _attempt(request: web.Request, key: str) -> Attempt:
    visit = request.get(VISIT)
    if visit is None:
        return request.app[IDEMPOTENCY].attempt(ANYONE, caller=f"{ANYONE} at {address_of(request)}", key=key)
    tenant_id = visit.principal.tenant_id or OPERATOR_CHAIN
    return request.app[IDEMPOTENCY].attempt(tenant_id, caller=secret_of(request) or "", key=key)


async def _carried_out(handler: Handler, request: web.Request, attempt: Attempt) -> web.Response:
    try:
        response = await handler(request)
    except Replayed as replayed:
        return replayed.response
    except BaseException:
        await _release(attempt)
        raise
    body = response.body
    if isinstance(body, bytes):
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        await _keep(attempt, KeptAnswer(response.status, headers, body))
    return response


async def _keep(attempt: Attempt, answer: KeptAnswer) -> None:
    """Keep an answer; where that fails the client has it all the same, and one that asks again is told to wait."""
    try:
        await attempt.keep(answer)
    except NotReady:
        logger.warning("an answer could not be kept; its key is free once the process ends")


async def _release(attempt: Attempt) -> None:
    try:
        await attempt.release()
    except NotReady:
        logger.warning("a claim could not be given up; it ends with the process")
