"""JSON from models and endpoints, made fit for a stream: what any client can read, and no more than a model can use.

What must stay true: no key `__proto__`, no `constructor` that holds `prototype`, no half characters, no number that JSON can't
say, nothing nested deeper than clients take.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from tenantai.validation import refuse_constant

DEPTH_MAX = 50


class Unreadable(ValueError):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """A text that is no JSON, or JSON that no client should get."""


def parsed(text: str) -> Any:
    """Return the JSON of a text, fit for a stream; raises Unreadable."""
    try:
        return presentable(json.loads(text, parse_constant=refuse_constant))
    except (ValueError, RecursionError) as error:
        raise Unreadable from error


def presentable(value: Any, depth: int = 0) -> Any:
    """Return a JSON value without what kills clients; raises Unreadable where it is nested too deep or a number is infinite."""
    if depth > DEPTH_MAX:
        raise Unreadable
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, Mapping):
        return {whole(name): presentable(inner, depth + 1) for name, inner in value.items() if not _is_poison(name, inner)}
    if isinstance(value, list):
        return [presentable(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Unreadable
    return value


def whole(text: str) -> str:
    """Return a text whose half characters (lone surrogates) are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def cut(value: Any, characters_max: int) -> Any:
    """Return a value, or where it is too long for a model the beginning of its text, marked as cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= characters_max else f"{text[:characters_max]} … (cut: {len(text)} characters in all)"


def _is_poison(name: str, inner: Any) -> bool:
    return name == "__proto__" or (name == "constructor" and isinstance(inner, Mapping) and "prototype" in inner)
