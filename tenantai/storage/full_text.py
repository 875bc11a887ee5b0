"""The full-text index over chunks: what the product asks of one, and SQLite's FTS5 behind it.

What must stay true: every term in the one table begins with its tenant's id, and no question is asked without it, so no query
reads another tenant's words and ranking's statistics are the tenant's alone; a chunk's words change in the transaction that
changes the chunk; nothing here changes the schema of the database, which would make every connection read it again.

Stemming runs in SQL on the writer's connection, in a temporary table whose terms are then copied under their tenant's id: it
holds neither the event loop nor Python's lock. Ranking is BM25 with the constants and the idf of FTS5's own bm25(), but over
whole postings lists held in arrays (docs/decisions/0003-search.md).
"""

import sqlite3
import threading
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from tenantai.storage.database import Reading, Transaction, compiled

TOKENIZER = "porter unicode61 remove_diacritics 2"

POSTINGS = compiled("SELECT doc, count(*) FROM full_text_terms WHERE term = CAST(:term AS TEXT) GROUP BY doc")
STEMMING = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.stemming USING fts5(body, content = '', columnsize = 0, tokenize = '{TOKENIZER}')",
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.stemming_terms USING fts5vocab(stemming, instance)",
)
STEM = "INSERT INTO temp.stemming (rowid, body) VALUES (:number, :body)"
ADD = (
    "INSERT INTO full_text (rowid, body) SELECT doc, group_concat(:prefix || term, ' ') "
    "FROM (SELECT doc, term FROM temp.stemming_terms ORDER BY doc, offset) GROUP BY doc"
)
REMOVE = (
    "INSERT INTO full_text (full_text, rowid, body) SELECT 'delete', doc, group_concat(:prefix || term, ' ') "
    "FROM (SELECT doc, term FROM temp.stemming_terms ORDER BY doc, offset) GROUP BY doc"
)
EMPTY = "INSERT INTO temp.stemming (stemming) VALUES ('delete-all')"

Posting = tuple[NDArray[np.int64], NDArray[np.float32]]


class FullText(Protocol):
    """Words of chunks, by tenant."""

    async def add(self, transaction: Transaction, tenant_id: str, *, texts: Sequence[tuple[int, str]]) -> None:
        """Add the words of (chunk number, text) pairs."""
        ...

    async def remove(self, transaction: Transaction, tenant_id: str, *, texts: Sequence[tuple[int, str]]) -> None:
        """Remove them; the texts must be those that were added."""
        ...

    def terms(self, text: str) -> list[str]:
        """Return the text's terms as the index keeps them, each once, in order; they are for `postings` only."""
        ...

    async def postings(self, reading: Reading, tenant_id: str, *, term: str) -> Posting:
        """Return the chunk numbers that hold a term and how often each does."""
        ...


class Fts5:
    """FTS5, one table for all tenants, which the migrations make."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._analysis = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._analysis.text_factory = _decoded
        self._analysis.execute(f"CREATE VIRTUAL TABLE words USING fts5(body, tokenize = '{TOKENIZER}')")
        self._analysis.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance)")

    def close(self) -> None:
        """Release the analyser of questions."""
        self._analysis.close()

    async def add(self, transaction: Transaction, tenant_id: str, *, texts: Sequence[tuple[int, str]]) -> None:
        """Add words."""
        await _stem_into(transaction, tenant_id, ADD, texts)

    async def remove(self, transaction: Transaction, tenant_id: str, *, texts: Sequence[tuple[int, str]]) -> None:
        """Remove words; FTS5 without content needs the old text to know them."""
        await _stem_into(transaction, tenant_id, REMOVE, texts)

    def terms(self, text: str) -> list[str]:
        """Let FTS5's own tokenizer cut and stem a question."""
        with self._lock:
            self._analysis.execute("DELETE FROM words")
            self._analysis.execute("INSERT INTO words (body) VALUES (?)", (text,))
            rows = self._analysis.execute("SELECT term FROM terms ORDER BY offset").fetchall()
        return list(dict.fromkeys(str(row[0]) for row in rows))

    async def postings(self, reading: Reading, tenant_id: str, *, term: str) -> Posting:
        """Read a term's postings."""
        rows = await reading.all(POSTINGS, term=_encoded(_prefix(tenant_id) + term))
        return (
            np.fromiter((r[0] for r in rows), np.int64, len(rows)),
            np.fromiter((r[1] for r in rows), np.float32, len(rows)),
        )


async def _stem_into(transaction: Transaction, tenant_id: str, statement: str, texts: Sequence[tuple[int, str]]) -> None:
    """Stem texts and run a statement over their terms; the temporary table is empty before and after."""
    for definition in STEMMING:
        await transaction.run(compiled(definition))
    await transaction.run_many(compiled(STEM), [{"number": number, "body": text} for number, text in texts])
    await transaction.run(compiled(statement), prefix=_prefix(tenant_id))
    await transaction.run(compiled(EMPTY))


def _prefix(tenant_id: str) -> str:
    """Return what a tenant's terms begin with: 32 digits, all of the same length, and a sign that no term holds."""
    return f"{UUID(tenant_id).hex}:"


def _decoded(term: bytes) -> str:
    """Decode a term; the stemmer works on bytes, and may cut one off a character that stands before an English ending."""
    return term.decode(errors="surrogateescape")


def _encoded(term: str) -> bytes:
    return term.encode(errors="surrogateescape")
