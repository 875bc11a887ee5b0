"""Chunks of files with their vectors; the full-text index of them is `full_text`'s.

Vectors are float16 in the record, so that 100,000 chunks of 384 dimensions take 77 MB; searching widens them to float32.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from tenantai.storage.database import Reading, Transaction, compiled
from tenantai.storage.schema import chunks as table
from tenantai.storage.schema import files, vectors


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is kept; `anatomy` holds its units, table headers and page starts."""

    number: int
    file_id: str
    account_id: str | None
    file_name: str
    ordinal: int
    start: int
    end: int
    page: int | None
    heading: str
    text: str
    anatomy: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk about to be stored, with its vector of shape (dimensions,)."""

    ordinal: int
    start: int
    end: int
    page: int | None
    heading: str
    text: str
    anatomy: dict[str, Any]
    word_count: int
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ChunkVectors:
    """All chunks of one file for searching: numbers and word counts of shape (n,), vectors of shape (n, dimensions)."""

    numbers: NDArray[np.int64]
    word_counts: NDArray[np.int32]
    vectors: NDArray[np.float32]


TENANT = table.c.tenant_id == sa.bindparam("of_tenant")
OF_FILE = sa.and_(TENANT, table.c.file_id == sa.bindparam("file"))
COLUMNS = (
    table.c.number,
    table.c.file_id,
    files.c.account_id,
    files.c.name,
    table.c.ordinal,
    table.c.start,
    table.c.end,
    table.c.page,
    table.c.heading,
    table.c.text,
    table.c.anatomy,
)
SEARCHED = sa.and_(files.c.state == "ready", files.c.excluded.is_(False))
INSERT = compiled(
    sa.insert(table)
    .values({name: sa.bindparam(name) for name in table.c.keys() if name != "number"})  # noqa: SIM118  not a dict
    .returning(table.c.number)
)
OTHER_MODEL = compiled(
    sa.select(vectors.c.model)
    .select_from(vectors.join(table, table.c.number == vectors.c.chunk_number).join(files, files.c.id == table.c.file_id))
    .where(
        vectors.c.tenant_id == sa.bindparam("of_tenant"),
        vectors.c.model != sa.bindparam("chosen"),
        files.c.state == sa.literal_column("'ready'"),
    )
    .limit(1)
)
INSERT_VECTOR = compiled(sa.insert(vectors))
# CROSS JOIN, and in DELETE a tenant that no index knows, keep SQLite from walking all of a tenant's chunks, or all files,
# instead of the few numbers.
NUMBERED = compiled(
    'SELECT chunks.number, chunks.file_id, files.account_id, files.name, chunks.ordinal, chunks.start, chunks."end", '
    "chunks.page, chunks.heading, chunks.text, chunks.anatomy FROM json_each(:numbers) AS wanted "
    "CROSS JOIN chunks ON chunks.number = wanted.value CROSS JOIN files ON files.id = chunks.file_id "
    "WHERE chunks.tenant_id = :of_tenant AND files.state = 'ready' AND NOT files.excluded"
)
FIRST_OF_FILE = compiled(
    sa.select(table.c.number, table.c.heading, table.c.text)
    .where(OF_FILE)
    .order_by(table.c.ordinal)
    .limit(sa.bindparam("row_count"))
)
DELETE = compiled("DELETE FROM chunks WHERE tenant_id || '' = :of_tenant AND number IN (SELECT value FROM json_each(:numbers))")
OF_FILE_FOR_SEARCH = compiled(
    sa.select(table.c.number, table.c.word_count, vectors.c.vector, vectors.c.model)
    .select_from(table.outerjoin(vectors, vectors.c.chunk_number == table.c.number))
    .where(OF_FILE, table.c.ordinal >= sa.bindparam("first"))
    .order_by(table.c.ordinal)
    .limit(sa.bindparam("row_count"))
)


async def add(transaction: Transaction, tenant_id: str, *, file_id: str, chunks: Sequence[NewChunk], model: str) -> list[int]:
    """Store chunks and their vectors; their numbers, in order."""
    numbers = [int((await transaction.run(INSERT, **_row(tenant_id, file_id, chunk)))[0][0]) for chunk in chunks]
    await transaction.run_many(
        INSERT_VECTOR,
        [
            {"chunk_number": n, "tenant_id": tenant_id, "model": model, "vector": c.vector.astype(np.float16).tobytes()}
            for n, c in zip(numbers, chunks, strict=True)
        ],
    )
    return numbers


def _row(tenant_id: str, file_id: str, chunk: NewChunk) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "file_id": file_id,
        "ordinal": chunk.ordinal,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "heading": chunk.heading,
        "text": chunk.text,
        "anatomy": json.dumps(chunk.anatomy, separators=(",", ":")),
        "word_count": chunk.word_count,
    }


async def numbered(reading: Reading, tenant_id: str, *, numbers: Sequence[int]) -> list[StoredChunk]:
    """Return the searched chunks among these numbers, in any order."""
    rows = await reading.all(NUMBERED, of_tenant=tenant_id, numbers=json.dumps([int(n) for n in numbers]))
    return [StoredChunk(*(*row[:10], json.loads(row[10]))) for row in rows]


async def first_of_file(reading: Reading, tenant_id: str, *, file_id: str, row_count: int) -> list[tuple[int, str, str]]:
    """Return (number, heading, text) of a file's first chunks."""
    rows = await reading.all(FIRST_OF_FILE, of_tenant=tenant_id, file=file_id, row_count=row_count)
    return [(int(n), str(h), str(t)) for n, h, t in rows]


async def delete(transaction: Transaction, tenant_id: str, *, numbers: Sequence[int]) -> None:
    """Delete chunks with their vectors; the full-text index must have let go of them in the same transaction."""
    await transaction.run(DELETE, of_tenant=tenant_id, numbers=json.dumps(list(numbers)))


async def slice_for_search(
    reading: Reading, tenant_id: str, *, file_id: str, first: int, row_count: int, model: str, dimensions: int
) -> ChunkVectors:
    """Return a slice of a file's chunks from the ordinal `first`; zeros stand for vectors of another model."""
    rows = await reading.all(OF_FILE_FOR_SEARCH, of_tenant=tenant_id, file=file_id, first=first, row_count=row_count)
    nothing = bytes(dimensions * 2)
    blob = b"".join(r[2] if r[3] == model and len(r[2]) == dimensions * 2 else nothing for r in rows)
    return ChunkVectors(
        np.fromiter((r[0] for r in rows), np.int64, len(rows)),
        np.fromiter((r[1] for r in rows), np.int32, len(rows)),
        np.frombuffer(blob, np.float16).reshape(len(rows), dimensions).astype(np.float32),
    )


async def other_model(reading: Reading, tenant_id: str, *, model: str) -> str | None:
    """Return a model other than this one that a file was indexed with which is ready, None where there is none."""
    row = await reading.one(OTHER_MODEL, of_tenant=tenant_id, chosen=model)
    return None if row is None else str(row[0])
