"""`Idempotency-Key`: a request that is sent again is answered again, not carried out again.

What must stay true: a request that asks for the claim of its key is carried out to its end, a stream too, also where its client
leaves; for that is when it will be sent again. A body is claimed as soon as it is known, before anything is made of it.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial, wraps

import structlog
from aiohttp import web

from tenantai.errors import Conflict, Forbidden, NotReady, ValidationFailed
from tenantai.server.addresses import address_of
from tenantai.server.keys import (
    ATTEMPT,
    CONVERSATION_ID_HEADER,
    ESTIMATE_ID_HEADER,
    IDEMPOTENCY,
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    READINESS,
    STREAM_RECORD,
    VISIT,
)
from tenantai.server.middlewares import JSON_HEADERS, note_refusal, secret_of
from tenantai.server.services.finishing import begin
from tenantai.server.services.idempotency import Attempt, KeptAnswer, StreamRecord
from tenantai.storage.audit import OPERATOR_CHAIN

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATTERN = re.compile(r"[\x21-\x7e]{1,255}")
ANYONE = "anyone"
KEPT_HEADERS = (CONVERSATION_ID_HEADER, ESTIMATE_ID_HEADER)
READ_AT = (
    (CONVERSATION_ID_HEADER, "/api/v1/chat/history"),
    (ESTIMATE_ID_HEADER, "/api/v1/estimator/estimates"),
)
TOO_LONG = "This request was carried out, and its answer is longer than what is kept to be given again."
DIGEST_ON_LOOP_BYTES = 256 * 1024

logger = structlog.get_logger("tenantai.http")


class Replayed(Exception):  # noqa: N818  no error: the way out of a handler whose answer is known already
    """The request was answered before."""

    def __init__(self, response: web.Response) -> None:
        super().__init__("answered before")
        self.response = response


def idempotent(handler: Handler) -> Handler:
    """Let a handler's requests be sent again with an `Idempotency-Key`."""
    return idempotent_in_form(_always)(handler)


def idempotent_in_form(wants_whole: Callable[[web.Request], bool]) -> Callable[[Handler], Handler]:
    """Let a handler's requests be sent again; they are answered in the form that they want, whole or as a stream."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def once(request: web.Request) -> web.StreamResponse:
            given = _key_of(request)
            if given is None:
                return await handler(request)
            if not wants_whole(request):
                request[STREAM_RECORD] = StreamRecord()
            return await _once(handler, request, given)

        once.is_idempotent = True  # type: ignore[attr-defined]
        return once

    return decorate


def _always(_request: web.Request) -> bool:
    return True


async def _once(handler: Handler, request: web.Request, key: str) -> web.StreamResponse:
    """Carry a request out; where its client leaves it goes on, once its key may have been claimed."""
    attempt, record = _attempt(request, key), request.get(STREAM_RECORD)
    request[ATTEMPT] = attempt
    carrying_out = request.app[IDEMPOTENCY].carry_out(_carried_out(handler, request, attempt), record)
    try:
        return await asyncio.shield(carrying_out)
    except asyncio.CancelledError:
        if not attempt.has_begun:
            carrying_out.cancel()
        elif record is not None:
            record.has_reader = False
        carrying_out.add_done_callback(partial(_note_unheard, request))
        raise


def _note_unheard(request: web.Request, carried_out: asyncio.Task[web.StreamResponse]) -> None:
    """Have a refusal in the audit log whose client left before it, as it would have been before an answer."""
    error = None if carried_out.cancelled() else carried_out.exception()
    if isinstance(error, Forbidden) and VISIT in request:
        begin(note_refusal(request, error))


async def claim(request: web.Request, *parts: bytes) -> None:
    """Claim a request's key for what it sends; raises Replayed where it was answered before, and Conflict."""
    attempt = request.get(ATTEMPT)
    if attempt is None:
        return
    address = _address_of(request)
    is_large = sum(map(len, parts)) > DIGEST_ON_LOOP_BYTES
    answered = await attempt.claim(await asyncio.to_thread(_digest, address, parts) if is_large else _digest(address, parts))
    if answered is not None:
        raise Replayed(_again(answered))


def _address_of(request: web.Request) -> str:
    """Return what is asked, and in which form: an answer as a stream is none to a client that wants it whole."""
    address = f"{request.method} {request.path_qs}"
    if request.get(STREAM_RECORD) is None:
        return address
    return f"{address} as a stream{', compat' if request.headers.get('x-tenantai-stream') == 'compat' else ''}"


def _again(answered: KeptAnswer) -> web.Response:
    """Return a kept answer as a response; raises Conflict where it was too long to be kept."""
    headers = answered.headers
    if not answered.body:
        raise Conflict(f"{TOO_LONG} {_where(headers)}".strip())
    return web.Response(
        body=answered.body, status=answered.status, headers={**JSON_HEADERS, **headers, IDEMPOTENT_REPLAYED: "true"}
    )


def _where(headers: Mapping[str, str]) -> str:
    """Return where what was made can be read."""
    return "".join(f"Read it with GET {path}/{headers[name]}." for name, path in READ_AT if name in headers)


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


async def _carried_out(handler: Handler, request: web.Request, attempt: Attempt) -> web.StreamResponse:
    try:
        response = await handler(request)
    except Replayed as replayed:
        return replayed.response
    except BaseException:
        await _release(attempt)
        raise
    record = request.get(STREAM_RECORD)
    if record is None:
        await _keep_whole(attempt, response)
    elif record.has_failed and request.app[READINESS].is_draining:
        await _release(attempt)
    else:
        await _keep(attempt, await record.answer(response.status))
    return response


async def _keep_whole(attempt: Attempt, response: web.StreamResponse) -> None:
    body = response.body if isinstance(response, web.Response) else None
    if isinstance(body, bytes):
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        await _keep(attempt, KeptAnswer(response.status, headers, body))


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
