"""From JSON text to a wire type, or every problem of it at once; no I/O, so that a child process may do it as well."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tenantai.errors import Problem, ValidationFailed
from tenantai.validation import refuse_constant, sentence

Shape = TypeVar("Shape", bound=BaseModel)

EXACT_BELOW = 2**53
VALUES_MAX = 5_000
PROBLEMS_MAX = 100
NAME_CHARACTERS_SHOWN = 64


class NotTaken(ValueError):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """What JSON can hold, and a request may not."""


def parse(raw: bytes, shape: type[Shape]) -> Shape:
    """Return the shape that JSON text holds; raises ValidationFailed with every problem."""
    try:
        return shape.model_validate(object_in(raw))
    except ValidationError as error:
        raise ValidationFailed(problems_of(error)) from error


def object_in(raw: bytes) -> dict[str, Any]:
    """Return the object that JSON text holds, whatever is in it; raises ValidationFailed."""
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=refuse_constant, parse_float=_number, object_pairs_hook=_object)
        has_surrogates = _holds_surrogates(text, value)
    except NotTaken as error:
        raise ValidationFailed([{"field": "body", "problem": str(error)}]) from error
    except (ValueError, RecursionError) as error:
        raise ValidationFailed([{"field": "body", "problem": "is not JSON"}]) from error
    if not isinstance(value, dict):
        raise ValidationFailed([{"field": "body", "problem": "is not a JSON object"}])
    if _is_over(value):
        raise ValidationFailed([{"field": "body", "problem": f"holds more than {VALUES_MAX} values"}])
    if has_surrogates:
        raise ValidationFailed([{"field": "body", "problem": "holds half a character (a lone surrogate)"}])
    return value


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
    if not math.isfinite(number):
        raise NotTaken(f"holds a number that is too large, {text[:NAME_CHARACTERS_SHOWN]}")
    return int(number) if number.is_integer() and abs(number) < EXACT_BELOW else number


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose names are all different: which of two values counts, readers of JSON differ in."""
    held = dict(pairs)
    if len(held) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise NotTaken(f'names "{name[:NAME_CHARACTERS_SHOWN]}" more than once in one object')
    return held


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
