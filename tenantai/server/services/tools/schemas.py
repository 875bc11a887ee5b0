"""JSON Schemas that tenants give, and arguments against them.

What must stay true: no schema makes us fetch anything, and checking arguments takes time in proportion to schema and arguments:
patterns run in an engine without backtracking, and references neither leave the schema nor run in circles.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from tenantai.errors import ValidationFailed

SCHEMA_CHARACTERS_MAX = 16_384
DEPTH_MAX = 32
EXPANDED_PLACES_MAX = 5_000
EXPANDED_DEPTH_MAX = 100
PROBLEMS_MAX = 5
PROBLEM_CHARACTERS_MAX = 300
ELSEWHERE = frozenset({"$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$anchor", "$id"})

Schema = Mapping[str, Any]


class ArgumentChecker:
    """Checks arguments against one schema."""

    def __init__(self, schema: Schema) -> None:
        self._validator = jsonschema_rs.Draft202012Validator(
            dict(schema), pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )

    def problems(self, arguments: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with arguments, the first few problems, empty where nothing is."""
        found = []
        for error in self._validator.iter_errors(dict(arguments)):
            place = ".".join(str(step) for step in error.instance_path)
            found.append(f"{place or 'arguments'}: {error.message}"[:PROBLEM_CHARACTERS_MAX])
            if len(found) == PROBLEMS_MAX:
                break
        return found


def require_sound(schema: Schema) -> None:
    """Raise ValidationFailed, naming what is wrong, for a schema that can't be used."""
    problem = _problem_of(schema)
    if problem is not None:
        raise ValidationFailed([{"field": "parameters", "problem": problem}])


def _problem_of(schema: Schema) -> str | None:
    if len(json.dumps(schema)) > SCHEMA_CHARACTERS_MAX:
        return f"must have at most {SCHEMA_CHARACTERS_MAX} characters"
    problem = _nesting_problem(schema) or _reference_problem(schema)
    if problem is None:
        try:
            jsonschema_rs.meta.validate(dict(schema))
            ArgumentChecker(schema)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            place = ".".join(str(step) for step in getattr(error, "instance_path", ()))
            return f"is no JSON Schema (2020-12) that can be used{f', at {place}' if place else ''}"
    return problem


def _nesting_problem(schema: Schema) -> str | None:
    depth, level = 0, [schema]
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            return f"is nested more than {DEPTH_MAX} levels deep"
        level = [inner for value in level for inner in _inner(value)]
    return None


def _reference_problem(schema: Schema) -> str | None:
    """Return what is wrong with references: they must be `#/…`, lead somewhere, and not multiply without an end."""
    sizes: dict[int, int | None] = {}
    try:
        if _expanded(schema, schema, sizes) > EXPANDED_PLACES_MAX:
            return "refers to itself so often that checking arguments would take too long"
    except _Unusable as unusable:
        return str(unusable)
    return None


class _Unusable(Exception):  # noqa: N818  it is a finding, not a fault
    """A reference that can't be followed, with what is wrong with it."""


def _expanded(value: Any, root: Schema, sizes: dict[int, int | None], depth: int = 0) -> int:
    """Return how many places a schema has once each reference is replaced by what it names."""
    if depth > EXPANDED_DEPTH_MAX:
        raise _Unusable(f"refers on more than {EXPANDED_DEPTH_MAX} levels deep")
    if id(value) in sizes:
        size = sizes[id(value)]
        if size is None:
            raise _Unusable("refers to itself in a circle")
        return size
    sizes[id(value)] = None
    size = 1
    if isinstance(value, Mapping):
        if strange := ELSEWHERE & value.keys():
            raise _Unusable(f"holds {min(strange)}; only $ref within the schema is taken")
        if isinstance(reference := value.get("$ref"), str):
            size += _expanded(_named(reference, root), root, sizes, depth + 1)
    size += sum(_expanded(inner, root, sizes, depth + 1) for inner in _inner(value))
    sizes[id(value)] = size
    return size


def _named(reference: str, root: Schema) -> Any:
    """Return what a reference within a schema names."""
    if not reference.startswith("#/"):
        raise _Unusable("refers to something outside; only $ref to #/… within the schema is taken")
    found: Any = root
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            raise _Unusable("holds a $ref that leads nowhere")
        found = found[name]
    return found


def _inner(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from (inner for inner in value.values() if isinstance(inner, Mapping | list))
    elif isinstance(value, list):
        yield from (inner for inner in value if isinstance(inner, Mapping | list))
