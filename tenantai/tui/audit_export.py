"""The entries that a filter leaves, as a file: by the server where it can sift them, else sifted here."""

import csv
import io
import json
from collections.abc import AsyncIterator

from tenantai.client import Client
from tenantai.tui.audit_terms import Asked
from tenantai.tui.saving import harmless
from tenantai.wire.audit import AuditRecord

FORMS = {"csv": "CSV, for spreadsheets", "jsonl": "JSON lines, for programs", "parquet": "Parquet, for data tools"}
HERE = ("csv", "jsonl")
COLUMNS = tuple(AuditRecord.model_fields)
LINES_AT_ONCE = 500


async def pieces(client: Client, asked: Asked, form: str) -> AsyncIterator[bytes]:
    """Yield the pieces of a file: of the server's oldest first, of what is sifted here newest first."""
    if asked.passes is None:
        async for piece in client.audit.export(form, asked.filters):
            yield piece
        return
    if form == "csv":
        yield _csv([COLUMNS])
    lines: list[AuditRecord] = []
    async for record in client.audit.all(asked.filters):
        if asked.passes(record):
            lines.append(record)
        if len(lines) >= LINES_AT_ONCE:
            yield _encoded(lines, form)
            lines = []
    yield _encoded(lines, form)


def _encoded(records: list[AuditRecord], form: str) -> bytes:
    if form == "jsonl":
        return "".join(f"{json.dumps(record.json_ready(), ensure_ascii=False)}\n" for record in records).encode()
    return _csv([tuple(_cell(getattr(record, name)) for name in COLUMNS) for record in records])


def _cell(value: object) -> str:
    text = (
        json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict) else "" if value is None else str(value)
    )
    return harmless(text)


def _csv(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
