"""What was before and what is after, a line a field, so that one sees what changed without colours too."""

import json
from collections.abc import Mapping
from typing import Any

from textual.content import Content

from tenantai.tui import shown

VALUE_MAX = 2_000
NOTHING = object()


def flat(value: Mapping[str, Any], *, under: str = "") -> dict[str, Any]:
    """Return nested values by their path, such as `limits.requestsPerDay`."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        path = f"{under}{name}"
        found |= flat(inner, under=f"{path}.") if isinstance(inner, Mapping) and inner else {path: inner}
    return found


def told(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown.lines(text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…")


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Content]:
    """Return the fields that differ: `-` was, `+` is."""
    was, now = flat(before), flat(after)
    found: list[Content] = []
    for path in dict.fromkeys((*was, *now)):
        old, new = was.get(path, NOTHING), now.get(path, NOTHING)
        if old == new:
            continue
        found.append(Content.styled(shown.line(path), "bold"))
        found += [Content.styled(f"- {told(old)}", "$text-error")] if old is not NOTHING else []
        found += [Content.styled(f"+ {told(new)}", "$text-success")] if new is not NOTHING else []
    return found


def fields(values: Mapping[str, Any]) -> list[Content]:
    """Return fields that just are, a line each."""
    return [Content.assemble((f"{shown.line(path)}  ", "$text-muted"), told(value)) for path, value in flat(values).items()]
