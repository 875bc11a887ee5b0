"""Pages of a list: `limit` and `cursor` in, `nextCursor` out; the one place where a cursor is written and read.

What must stay true: a cursor names the place of a row in its list's order, never a count of rows, so a page stays stable while
rows are added; it is taken by the list that gave it only, and holds nothing but what the page before it showed.
"""

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from tenantai.errors import Problem, ValidationFailed
from tenantai.server.binding import one_of

Row = TypeVar("Row")
Position = tuple[str, ...]

PAGE_DEFAULT, PAGE_MAX = 50, 200
LIMIT_DIGITS_MAX, CURSOR_CHARACTERS_MAX = 5, 6000
DIGEST_BYTES = 6
BETWEEN = "\0"
OFFSET_DIGITS_MAX, NUMBER_DIGITS_MAX = 12, 18
NOT_A_CURSOR: Problem = {"field": "cursor", "problem": "is not a nextCursor of this list with these filters"}


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that is asked for: at most `limit` rows behind the position `after`, None for the first ones."""

    of_list: Position
    limit: int
    after: Position | None

    @property
    def after_id(self) -> str:
        """The id that the page is behind, in a list sorted by id; empty for the first page."""
        return self.after[0] if self.after else ""

    @property
    def row_count(self) -> int:
        """How many rows to read: one more than are shown, to know whether there is a next page."""
        return self.limit + 1

    def cut(self, found: Sequence[Row], position: Callable[[Row], Position]) -> tuple[Sequence[Row], str | None]:
        """Return the rows to show and the cursor of the next page, None at the end."""
        shown = found[: self.limit]
        return shown, cursor_of(self.of_list, position(shown[-1])) if len(found) > self.limit else None


def page_of(
    request: web.Request, *of_list: str | None, parts: int = 1, limits: tuple[int, int] = (PAGE_DEFAULT, PAGE_MAX)
) -> Page:
    """Return the page asked for of the list with this name and filters, sorted by so many parts; raises ValidationFailed.

    `limits` are how many rows are shown where nothing is said, and at most.
    """
    names = tuple(name or "" for name in of_list)
    problems: list[Problem] = []
    limit, limit_max = limits
    after = None
    if "limit" in request.query:
        given = one_of(request, "limit")
        limit = int(given) if given.isascii() and given.isdigit() and len(given) <= LIMIT_DIGITS_MAX else 0
        if not 1 <= limit <= limit_max:
            problems.append({"field": "limit", "problem": f"must be a whole number from 1 to {limit_max}"})
    if cursor := one_of(request, "cursor"):
        after = _decode(names, cursor)
        if after is None or len(after) != parts:
            problems.append(NOT_A_CURSOR)
    if problems:
        raise ValidationFailed(problems)
    return Page(names, limit, after)


def offset_of(request: web.Request, *, at_most: int | None) -> int:
    """Return how many rows to pass over in a list that takes an `offset` too; raises ValidationFailed."""
    if "offset" not in request.query:
        return 0
    given = one_of(request, "offset")
    if not (given.isascii() and given.isdigit() and len(given) <= OFFSET_DIGITS_MAX):
        raise ValidationFailed([{"field": "offset", "problem": "must be a whole number, 0 or more"}])
    if request.query.get("cursor"):
        raise ValidationFailed([{"field": "offset", "problem": "cannot be given with a cursor, which has its place already"}])
    if at_most is not None and int(given) > at_most:
        raise ValidationFailed([{"field": "offset", "problem": f"must be at most {at_most} with filters; go on with the cursor"}])
    return int(given)


def position_of(of_list: Position, cursor: str, *, parts: int) -> Position:
    """Return the position that a cursor of this list names; raises ValidationFailed."""
    position = _decode(of_list, cursor)
    if position is None or len(position) != parts or not _is_number(position[0]):
        raise ValidationFailed([NOT_A_CURSOR])
    return position


def numbered(page: Page) -> int:
    """Return the number behind which a page is, in a list sorted by one; raises ValidationFailed where the cursor has none."""
    if not _is_number(page.after_id):
        raise ValidationFailed([NOT_A_CURSOR])
    return int(page.after_id)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX


def cursor_of(of_list: Position, position: Position) -> str:
    """Return the cursor of a position in a list."""
    raw = _digest(of_list, position) + BETWEEN.join(position).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(of_list: Position, cursor: str) -> Position | None:
    """Return the position that a cursor of this list names, None where it is not one."""
    if len(cursor) > CURSOR_CHARACTERS_MAX or not cursor.isascii():
        return None
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = tuple(raw[DIGEST_BYTES:].decode().split(BETWEEN))
    except (binascii.Error, ValueError):
        return None
    return position if cursor_of(of_list, position) == cursor else None


def _digest(of_list: Position, position: Position) -> bytes:
    return hashlib.sha256(repr((of_list, position)).encode()).digest()[:DIGEST_BYTES]
