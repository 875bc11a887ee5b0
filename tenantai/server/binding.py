"""From a request to a wire type, or a 400 that names every problem."""

import asyncio
import json
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from tenantai.errors import PayloadTooLarge, Problem, ValidationFailed
from tenantai.server import body_waits
from tenantai.server.keys import BODY_WAITS, SETTINGS
from tenantai.validation import refuse_constant, sentence

Shape = TypeVar("Shape", bound=BaseModel)

EXACT_BELOW = 2**53
PARSE_ON_LOOP_BYTES = 64 * 1024
VALUES_MAX = 5_000
PROBLEMS_MAX = 100


async def body_of(request: web.Request, shape: type[Shape], *, may_be_empty: bool = False) -> Shape:
    """Return the request's JSON body, where it may be empty as an empty object; raises ValidationFailed or PayloadTooLarge."""
    bytes_max = request.app[SETTINGS].body_bytes_max
    too_large = PayloadTooLarge(f"The body is larger than the {bytes_max} bytes that are taken.")
    if (request.content_length or 0) > bytes_max:
        raise too_large
    raw = bytearray()
    try:
        async with request.app[BODY_WAITS].within(body_waits.JSON_SECONDS):
            async for piece in request.content.iter_chunked(PARSE_ON_LOOP_BYTES):
                raw += piece
                if len(raw) > bytes_max:
                    raise too_large
    except (HttpProcessingError, web.RequestPayloadError) as error:
        problem = "is not what its Content-Encoding or Transfer-Encoding says"
        raise ValidationFailed([{"field": "body", "problem": problem}]) from error
    if may_be_empty and not raw:
        return parse(b"{}", shape)
    if len(raw) > PARSE_ON_LOOP_BYTES:
        return await asyncio.to_thread(parse, bytes(raw), shape)
    return parse(bytes(raw), shape)


def query_of(request: web.Request, shape: type[Shape]) -> Shape:
    """Return the request's query; raises ValidationFailed."""
    known = {field.alias or name for name, field in shape.model_fields.items()}
    try:
        return shape.model_validate({name: one_of(request, name) for name in known if name in request.query})
    except ValidationError as error:
        raise ValidationFailed(problems_of(error)) from error


def one_of(request: web.Request, name: str) -> str:
    """Return a value of the query, empty where it is not given; raises ValidationFailed where it is given more than once."""
    given = request.query.getall(name, ())
    if len(given) > 1:
        raise ValidationFailed([{"field": name, "problem": "is given more than once"}])
    return given[0] if given else ""


def parse(raw: bytes, shape: type[Shape]) -> Shape:
    """Return the shape that JSON text holds; raises ValidationFailed with every problem."""
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=refuse_constant, parse_float=_number)
        has_surrogates = _holds_surrogates(text, value)
    except (ValueError, RecursionError) as error:
        raise ValidationFailed([{"field": "body", "problem": "is not JSON"}]) from error
    if not isinstance(value, dict):
        raise ValidationFailed([{"field": "body", "problem": "is not a JSON object"}])
    if _is_over(value):
        raise ValidationFailed([{"field": "body", "problem": f"holds more than {VALUES_MAX} values"}])
    if has_surrogates:
        raise ValidationFailed([{"field": "body", "problem": "holds half a character (a lone surrogate)"}])
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise ValidationFailed(problems_of(error)) from error


def _is_over(value: Any) -> bool:
    """Whether JSON holds more values than any request needs: each could be a problem of its own."""
    waiting, count = [value], 0
    while waiting and count <= VALUES_MAX:
        held = waiting.pop()
        if isinstance(held, (dict, list)):
            count += len(held)
            if count <= VALUES_MAX:
                waiting += held.values() if isinstance(held, dict) else held
    return count > VALUES_MAX


def _number(text: str) -> float:
    """Return a number as JSON means it: 3.0 is the whole number 3."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < EXACT_BELOW else number


def _holds_surrogates(text: str, value: Any) -> bool:
    if "\\ud" not in text and "\\uD" not in text:
        return False
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def problems_of(error: ValidationError) -> list[Problem]:
    """Return what a validation found, in sentences without the values that were sent."""
    found = error.errors(include_url=False, include_input=False)
    problems: list[Problem] = [
        {"field": ".".join(map(str, e["loc"])) or "body", "problem": sentence(e)} for e in found[:PROBLEMS_MAX]
    ]
    if len(found) > PROBLEMS_MAX:
        problems.append({"field": "body", "problem": f"has {len(found) - PROBLEMS_MAX} more problems"})
    return problems
