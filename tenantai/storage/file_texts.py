"""The text that was read out of a file, to be shown a part at a time; citations' offsets count its characters.

What must stay true: a part is read only of a file that whoever asks may see.
"""

from dataclasses import dataclass

from tenantai.storage.database import Reading, compiled


@dataclass(frozen=True, slots=True)
class TextPart:
    """Some of a file's text; `characters` are those of the whole, None where the file has no text."""

    name: str
    account_id: str | None
    media_type: str | None
    state: str
    page_count: int | None
    characters: int | None
    text: str | None


PART = compiled(
    "SELECT files.name, files.account_id, files.media_type, files.state, files.page_count, length(file_texts.text), "
    "substr(file_texts.text, :start + 1, :count) FROM files "
    "LEFT JOIN file_texts ON file_texts.file_id = files.id AND file_texts.tenant_id = files.tenant_id "
    "WHERE files.id = :file AND files.tenant_id = :of_tenant AND files.state != 'deleting' "
    "AND (:account IS NULL OR files.account_id IS NULL OR files.account_id = :account)"
)
PAGES = compiled(
    "SELECT page_start.value ->> 1, min(chunks.start + (page_start.value ->> 0)) "
    "FROM chunks CROSS JOIN json_each(chunks.anatomy, '$.pages') AS page_start "
    "WHERE chunks.file_id = :file AND chunks.tenant_id || '' = :of_tenant GROUP BY 1 ORDER BY 1"
)


async def part(
    reading: Reading, tenant_id: str, *, file_id: str, visible_to: str | None, start: int, count: int
) -> TextPart | None:
    """Return so many characters of a file from one on, None where there is no such file for that account (None: for any)."""
    row = await reading.one(PART, of_tenant=tenant_id, file=file_id, account=visible_to, start=start, count=count)
    return None if row is None else TextPart(*row)


async def page_starts(reading: Reading, tenant_id: str, *, file_id: str) -> list[tuple[int, int]]:
    """Return (page, offset of its first character) of a file's pages that have text, in order; empty where it has no pages."""
    return [(int(page), int(start)) for page, start in await reading.all(PAGES, of_tenant=tenant_id, file=file_id)]
