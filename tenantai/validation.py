"""What a validation found, in our own words, for requests and for settings alike.

What must stay true: no sentence of pydantic's own and no value that was sent reaches a caller.
"""

from collections.abc import Mapping
from typing import Any

WHOLE_NUMBER = "must be a whole number"
NUMBER = "must be a number"
TEXT = "must be text"
TRUTH = "must be true or false"
LIST = "must be a list"
OBJECT = "must be an object"
UUID = "must be a UUID"
MOMENT = "must be a time such as 2026-01-31T12:00:00Z"
DAY = "must be a date such as 2026-01-31"
ADDRESS = "must be an address such as https://example.com/path"
NOT_VALID = "is not valid"

SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "none_required": "must be null",
    "string_type": TEXT,
    "string_sub_type": TEXT,
    "string_unicode": TEXT,
    "string_pattern_mismatch": "must hold more than white space, and no NUL or other control characters",
    "string_not_ascii": "must be ASCII text",
    "int_type": WHOLE_NUMBER,
    "int_parsing": WHOLE_NUMBER,
    "int_parsing_size": WHOLE_NUMBER,
    "int_from_float": WHOLE_NUMBER,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": NUMBER,
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
    "list_type": LIST,
    "tuple_type": LIST,
    "set_type": LIST,
    "frozen_set_type": LIST,
    "iterable_type": LIST,
    "dict_type": OBJECT,
    "mapping_type": OBJECT,
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "uuid_type": UUID,
    "uuid_parsing": UUID,
    "uuid_version": UUID,
    "timezone_aware": "must name its time zone, such as 2026-01-31T12:00:00Z",
    "json_invalid": "must be JSON",
    "json_type": "must be JSON",
    "path_type": "must be a path",
}
KINDS = {"datetime_": MOMENT, "date_": DAY, "url_": ADDRESS, "decimal_": NUMBER, "union_tag_": "is of no known kind"}
BOUNDED = {
    "string_too_short": ("must have at least {min_length} {characters}", "min_length"),
    "string_too_long": ("must have at most {max_length} {characters}", "max_length"),
    "too_short": ("must hold at least {min_length} {entries}", "min_length"),
    "too_long": ("must hold at most {max_length} {entries}", "max_length"),
    "greater_than": ("must be more than {gt}", "gt"),
    "greater_than_equal": ("must be at least {ge}", "ge"),
    "less_than": ("must be less than {lt}", "lt"),
    "less_than_equal": ("must be at most {le}", "le"),
    "multiple_of": ("must be a multiple of {multiple_of}", "multiple_of"),
    "literal_error": ("must be {expected}", "expected"),
    "enum": ("must be {expected}", "expected"),
}


def refuse_constant(name: str) -> Any:
    """Raise ValueError: `parse_constant` for JSON that holds NaN or Infinity, which JSON does not know."""
    raise ValueError(name)


def sentence(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a field, to be read after its name; the problem is one of `ValidationError.errors()`."""
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error") or NOT_VALID)
    if kind in BOUNDED:
        return _bounded(*BOUNDED[kind], context)
    family = next((said for start, said in KINDS.items() if kind.startswith(start)), NOT_VALID)
    return SENTENCES.get(kind, family)


def _bounded(said: str, bound: str, context: Mapping[str, Any]) -> str:
    if context.get(bound) == 1 and bound == "min_length":
        return "must not be empty"
    one = context.get(bound) == 1
    return said.format(**context, characters="character" if one else "characters", entries="entry" if one else "entries")
