"""The last lines of the log, kept in memory for the operator.

What must stay true: keeping a line costs little more than appending it to a list; how many lines are kept, and how much memory
they take, is bounded; and a line comes here as it goes to the log, without secrets.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from tenantai.wire.logs import LogLevel, LogLine

LINES_KEPT, CHARACTERS_KEPT = 5000, 4_000_000
LINE_CHARACTERS_MAX = 20_000
FIELDS_MAX, FIELD_CHARACTERS_MAX = 20, 8000
NAMED = frozenset({"timestamp", "level", "message", "request_id", "tenant_id"})
LEVELS = {name: place for place, name in enumerate(("debug", "info", "warning", "error", "critical"))}

Kept = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that came together: the number of the first, and how many characters they have."""

    first: int
    lines: Sequence[str]
    characters: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for: of a level or a graver one, with a text in them, of a tenant."""

    level: LogLevel | None = None
    text: str | None = None
    tenant_id: str | None = None

    def line(self, kept: Kept) -> LogLine | None:
        """Return a kept line where it is wanted, None where it is not."""
        number, line = kept
        if self.tenant_id is not None and self.tenant_id not in line:
            return None
        shown = _shown(number, line)
        if self.tenant_id is not None and shown.tenant_id != self.tenant_id:
            return None
        if self.level is not None and LEVELS.get(shown.level, LEVELS["error"]) < LEVELS[self.level]:
            return None
        return shown if self.text is None or _holds(shown, self.text.casefold()) else None


class LogRing:
    """The newest lines, in the batches in which they came; any thread may add to them."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._lock = Lock()
        self._last = self._count = self._characters = 0

    @property
    def last(self) -> int:
        """The number of the newest line, 0 before the first."""
        return self._last

    def keep(self, lines: Sequence[str]) -> None:
        """Keep lines of JSON, at least one, each an object with its `level`, `timestamp` and `message`."""
        if len(max(lines, key=len)) > LINE_CHARACTERS_MAX:
            lines = [line if len(line) <= LINE_CHARACTERS_MAX else _shortened(line) for line in lines]
        characters = sum(map(len, lines))
        with self._lock:
            self._batches.append(Batch(self._last + 1, lines, characters))
            self._last += len(lines)
            self._count += len(lines)
            self._characters += characters
            while len(self._batches) > 1 and self._is_too_much(self._batches[0]):
                oldest = self._batches.popleft()
                self._count -= len(oldest.lines)
                self._characters -= oldest.characters

    def _is_too_much(self, oldest: Batch) -> bool:
        return self._characters > CHARACTERS_KEPT or self._count - len(oldest.lines) >= LINES_KEPT

    def newest(self, wanted: Wanted, *, count: int) -> list[LogLine]:
        """Return so many lines that are wanted, the newest first."""
        return list(_first(count, reversed(self._held()), wanted))

    def behind(self, after: int, wanted: Wanted) -> tuple[list[LogLine], int]:
        """Return the lines behind a number that are wanted, the oldest first, and the number to go on from."""
        held = [kept for kept in self._held() if kept[0] > after]
        return list(_first(len(held), held, wanted)), held[-1][0] if held else after

    def _held(self) -> Sequence[Kept]:
        with self._lock:
            batches = list(self._batches)
        return [kept for batch in batches for kept in enumerate(batch.lines, batch.first)]


log_ring = LogRing()


def _first(count: int, lines: Iterable[Kept], wanted: Wanted) -> Iterator[LogLine]:
    for kept in lines:
        if count <= 0:
            return
        line = wanted.line(kept)
        if line is not None:
            count -= 1
            yield line


def _shown(number: int, line: str) -> LogLine:
    given: dict[str, Any] = json.loads(line)
    return LogLine(
        id=number,
        time=str(given.pop("timestamp", "")),
        level=str(given.pop("level", "info")),
        message=str(given.pop("message", "")),
        request_id=_text(given.pop("request_id", None)),
        tenant_id=_text(given.pop("tenant_id", None)),
        fields=given,
    )


def _holds(line: LogLine, sought: str) -> bool:
    values = (line.message, line.request_id or "", line.tenant_id or "", json.dumps(line.fields, ensure_ascii=False))
    return any(sought in value.casefold() for value in values)


def _shortened(line: str) -> str:
    """Return a line whose long fields are cut to their end, where a traceback says what went wrong."""
    given: dict[str, Any] = json.loads(line)
    names = sorted(given, key=lambda name: name not in NAMED)[:FIELDS_MAX]
    return json.dumps({name: _end_of(given[name]) for name in names})


def _end_of(value: Any) -> Any:
    text = _text(value)
    return value if text is None or len(text) <= FIELD_CHARACTERS_MAX else f"…{text[-FIELD_CHARACTERS_MAX:]}"


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
