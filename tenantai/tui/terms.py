"""Filters as they are typed: `name:value` terms and words, such as `event:key.created from:2h shop`.

What must stay true: what can't be understood is said, never left out in silence.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SPANS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
TIME_EXAMPLES = ("today", "yesterday", "1h", "24h", "7d", "30d")
LAST_MOMENT = timedelta(days=1) - timedelta(milliseconds=1)


class TermWrong(Exception):  # noqa: N818  reads as a sentence
    """A term can't be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was typed: the values by their names, and the words between them in small letters."""

    values: Mapping[str, str]
    words: Sequence[str]


def parse(text: str, names: Iterable[str]) -> Terms:
    """Return the terms of a text; a colon behind anything but one of the names is part of a word. Raises TermWrong."""
    known = frozenset(names)
    values: dict[str, str] = {}
    words: list[str] = []
    for token in text.split():
        name, colon, value = token.partition(":")
        if not colon or name not in known:
            words.append(token.casefold())
        elif not value:
            raise TermWrong(f"What {name}? Type it behind the colon.")
        elif name in values:
            raise TermWrong(f"{name}: stands there twice; there can be one.")
        else:
            values[name] = value
    return Terms(values, words)


def completing(text: str, values: Mapping[str, Callable[[], Iterable[str]]]) -> list[str]:
    """Return how a text may go on: names of terms, or values of the term that is being typed."""
    before, token = text[: text.rfind(" ") + 1], text[text.rfind(" ") + 1 :]
    if not token:
        return []
    name, colon, value = token.partition(":")
    if not colon:
        return [f"{before}{known}:" for known in values if known.startswith(token)]
    offered = values[name]() if name in values else ()
    return [f"{before}{name}:{offer}" for offer in offered if offer.startswith(value)]


def moment(text: str, *, is_end: bool = False, now: datetime | None = None) -> str:
    """Return a time as the server has it: of a date or a time as people here write it, or so long ago (`2h`, `7d`). Raises TermWrong.

    A day alone is its beginning, or where `is_end` its end.
    """
    here = (now or datetime.now(tz=UTC)).astimezone()
    today = here.replace(hour=0, minute=0, second=0, microsecond=0)
    ago = re.fullmatch(r"(\d{1,4})([mhdw])", text)
    if ago:
        found = here - int(ago[1]) * SPANS[ago[2]]
    elif text in {"today", "yesterday"}:
        found = today - timedelta(days=text == "yesterday") + (LAST_MOMENT if is_end else timedelta())
    else:
        found = _written(text, is_end=is_end)
    return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _written(text: str, *, is_end: bool) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise TermWrong(f"{text} is no time. Type 2026-01-31, 2026-01-31T12:00, today, or 2h for two hours ago.") from error
    is_day = re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None
    return given.astimezone() + (LAST_MOMENT if is_day and is_end else timedelta())
