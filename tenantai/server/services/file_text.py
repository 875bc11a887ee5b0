"""A file's text at the place that a citation names: the page, and where in it the quote stands."""

from collections.abc import Sequence

from tenantai.errors import Conflict, NotFound
from tenantai.server.services.documents import NO_FILE
from tenantai.storage import file_texts
from tenantai.storage.database import Reading
from tenantai.storage.file_texts import TextPart
from tenantai.wire.file_text import FileText, PageSpan, TextQuery

NOT_READ = "This file has no text now: it is being indexed, or could not be. Its state in the store says which."


async def read_text(reading: Reading, tenant_id: str, *, file_id: str, visible_to: str | None, asked: TextQuery) -> FileText:
    """Return the part of a file's text that is asked for. Raises NotFound, or Conflict where the file is not indexed."""
    whole = await _part(reading, tenant_id, file_id, visible_to, start=0, count=0)
    characters = whole.characters or 0
    pages = await _pages(reading, tenant_id, file_id, whole)
    first, last = (0, characters) if asked.page is None else _span(pages, whole, asked.page)
    start = min(max(asked.start or 0, first), last)
    part = await _part(reading, tenant_id, file_id, visible_to, start=start, count=min(asked.limit, last - start))
    text = part.text or ""
    end = start + len(text)
    return FileText(
        file_id=file_id,
        file_name=part.name,
        account_id=part.account_id,
        media_type=part.media_type,
        characters=characters,
        page_count=part.page_count,
        start=start,
        end=end,
        text=text,
        pages=[page for page in pages if page.start < end and page.end > start],
        next_start=end if end < last else None,
    )


async def _part(reading: Reading, tenant_id: str, file_id: str, visible_to: str | None, *, start: int, count: int) -> TextPart:
    found = await file_texts.part(reading, tenant_id, file_id=file_id, visible_to=visible_to, start=start, count=count)
    if found is None:
        raise NotFound(NO_FILE)
    if found.state != "ready" or found.characters is None:
        raise Conflict(NOT_READ)
    return found


async def _pages(reading: Reading, tenant_id: str, file_id: str, whole: TextPart) -> list[PageSpan]:
    if not whole.page_count:
        return []
    starts = await file_texts.page_starts(reading, tenant_id, file_id=file_id)
    if not starts:  # it began to be indexed again since its text was looked at
        raise Conflict(NOT_READ)
    ends = [start for _, start in starts[1:]] + [whole.characters or 0]
    return [PageSpan(page=page, start=start, end=end) for (page, start), end in zip(starts, ends, strict=True)]


def _span(pages: Sequence[PageSpan], whole: TextPart, number: int) -> tuple[int, int]:
    """Return where a page begins and ends; one without text is an empty span before the next one that has some."""
    if number > (whole.page_count or 0):
        raise NotFound(f"The file has no page {number}. Leave `page` out, or name one up to its pageCount.")
    for page in pages:
        if page.page >= number:
            return page.start, page.end if page.page == number else page.start
    return whole.characters or 0, whole.characters or 0
