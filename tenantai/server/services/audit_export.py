"""The audit log as a file: CSV or JSON Lines, oldest first, a slice at a time.

What must stay true: no more than a slice is held, however much is exported, and no cell of a CSV is a formula to a spreadsheet.
"""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence

from tenantai.storage import audit_log
from tenantai.storage.audit import Entry
from tenantai.storage.audit_log import Filters, Span
from tenantai.storage.database import Database
from tenantai.wire.audit import AuditRecord

SLICE_ENTRIES = 500
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")
FIELDS = tuple(AuditRecord.model_fields)

Encoder = Callable[[Sequence[Entry]], bytes]


async def exported(
    database: Database, tenant_id: str, *, filters: Filters, within: Span, encode: Encoder
) -> AsyncIterator[bytes]:
    """Yield a file's pieces: every entry of a span that the filters leave."""
    rest = within
    while rest.length:
        found = await audit_log.page(
            database.reading, tenant_id, filters=filters, within=rest, row_count=SLICE_ENTRIES, newest_first=False
        )
        rest = found.rest
        if found.entries:
            yield await asyncio.to_thread(encode, found.entries)


def csv_head() -> bytes:
    """Return the line that names a CSV's columns."""
    return _csv_lines([FIELDS])


def csv_lines(entries: Sequence[Entry]) -> bytes:
    """Return entries as lines of a CSV."""
    return _csv_lines([[_cell(getattr(entry, name)) for name in FIELDS] for entry in entries])


def json_lines(entries: Sequence[Entry]) -> bytes:
    """Return entries as lines of JSON."""
    return b"".join(json.dumps({name: getattr(entry, name) for name in FIELDS}).encode() + b"\n" for entry in entries)


def _csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Return a value as a cell, behind an apostrophe where a spreadsheet would take it for a formula."""
    text = "" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINS) else text
