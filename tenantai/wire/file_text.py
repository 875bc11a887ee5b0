"""Shapes of a file's text, which a client opens at a citation."""

from pydantic import Field

from tenantai.wire.shapes import Asked, Computed

PART_CHARACTERS, PART_CHARACTERS_MAX = 20_000, 100_000
OFFSET_MAX = 1_000_000_000


class TextQuery(Asked):
    """Which part of a file's text: a page of it or the whole, from a character on, so many at most."""

    page: int | None = Field(default=None, ge=1, le=1_000_000, description="Only this page; they count from 1.")
    start: int | None = Field(default=None, ge=0, le=OFFSET_MAX, description="From this character on; they count from 0.")
    limit: int = Field(default=PART_CHARACTERS, ge=1, le=PART_CHARACTERS_MAX, description="How many characters at most.")


class PageSpan(Computed):
    """Where a page stands in the text: from `start` to before `end`."""

    page: int
    start: int
    end: int


class FileText(Computed):
    """A part of a file's text, from `start` to before `end` of its `characters`, counted as citations count.

    `pages` are those that the part touches, with their whole spans; a page without text is not among them. `next_start` is where
    what was asked for goes on, null at its end.
    """

    file_id: str
    file_name: str
    account_id: str | None
    media_type: str | None
    characters: int
    page_count: int | None
    start: int
    end: int
    text: str
    pages: list[PageSpan]
    next_start: int | None
