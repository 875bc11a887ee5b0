"""From a request to a wire type, or a 400 that names every problem."""

import asyncio
from typing import TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from tenantai.errors import PayloadTooLarge, ValidationFailed
from tenantai.parsing import parse, problems_of
from tenantai.server import body_waits
from tenantai.server.idempotency import claim
from tenantai.server.keys import BODY_WAITS, SETTINGS

Shape = TypeVar("Shape", bound=BaseModel)

PARSE_ON_LOOP_BYTES = 64 * 1024


async def body_of(request: web.Request, shape: type[Shape], *, may_be_empty: bool = False) -> Shape:
    """Return the request's JSON body, where it may be empty as an empty object; raises ValidationFailed or PayloadTooLarge."""
    bytes_max = request.app[SETTINGS].body_bytes_max
    too_large = PayloadTooLarge(f"The body is larger than the {bytes_max} bytes that are taken.")
    if (request.content_length or 0) > bytes_max:
        raise too_large
    raw = _here(request) or await _awaited(request, bytes_max)
    if len(raw) > bytes_max:
        raise too_large
    await claim(request, raw)
    if may_be_empty and not raw:
        return parse(b"{}", shape)
    if len(raw) > PARSE_ON_LOOP_BYTES:
        return await asyncio.to_thread(parse, raw, shape)
    return parse(raw, shape)


def _here(request: web.Request) -> bytes:
    """Return a body that came with the request's headers, as short ones do; nothing where more of it is to come."""
    body = request.content
    return body.read_nowait() if body.is_eof() and body.exception() is None else b""


async def _awaited(request: web.Request, bytes_max: int) -> bytes:
    """Return a body as it comes, up to the first byte that is too many."""
    raw = bytearray()
    try:
        async with request.app[BODY_WAITS].within(body_waits.JSON_SECONDS):
            async for piece in request.content.iter_chunked(PARSE_ON_LOOP_BYTES):
                raw += piece
                if len(raw) > bytes_max:
                    break
    except (HttpProcessingError, web.RequestPayloadError) as error:
        problem = "is not what its Content-Encoding or Transfer-Encoding says"
        raise ValidationFailed([{"field": "body", "problem": problem}]) from error
    return bytes(raw)


def query_of(request: web.Request, shape: type[Shape]) -> Shape:
    """Return the request's query; raises ValidationFailed."""
    known = {field.alias or name for name, field in shape.model_fields.items()}
    try:
        return shape.model_validate({name: text_of(request, name) for name in known if name in request.query})
    except ValidationError as error:
        raise ValidationFailed(problems_of(error)) from error


def one_of(request: web.Request, name: str) -> str:
    """Return a value of the query, empty where it is not given; raises ValidationFailed for more than one."""
    given = request.query.getall(name, ())
    if len(given) > 1:
        raise ValidationFailed([{"field": name, "problem": "is given more than once"}])
    return given[0] if given else ""


def text_of(request: web.Request, name: str) -> str:
    """Return a value of the query as `one_of` does; raises ValidationFailed for NUL, too, which no database takes everywhere."""
    given = one_of(request, name)
    if "\0" in given:
        raise ValidationFailed([{"field": name, "problem": "must not hold NUL"}])
    return given
