"""The full-text index over chunks: what the product asks of one, and SQLite's FTS5 behind it.

What must stay true: each tenant's words lie in a table of their own, so that no query touches another's and the statistics of
ranking are the tenant's alone; a chunk's words change in the transaction that changes the chunk.

Ranking is BM25 with the constants and the idf of FTS5's own bm25(), but over whole postings lists held in arrays: on 100,000
chunks that takes under a millisecond a query where bm25() takes a hundred (docs/decisions/0003-search.md).
"""

import re
import sqlite3
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenantai.storage.database import Query, Reading, Transaction, compiled

TOKENIZER = "porter unicode61 remove_diacritics 2"

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
        """Return the text's terms as the index keeps them, each once, in order."""
        ...

    async def postings(self, reading: Reading, tenant_id: str, *, term: str) -> Posting:
        """Return the chunk numbers that hold a term and how often each does."""
        ...


class Fts5:
    """FTS5, one table a tenant."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._analysis = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._analysis.execute(f"CREATE VIRTUAL TABLE words USING fts5(body, tokenize = '{TOKENIZER}')")
        self._analysis.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance)")
        self._known: set[str] = set()

    def close(self) -> None:
        """Release the analyser."""
        self._analysis.close()

    async def add(self, transaction: Transaction, tenant_id: str, *, texts: Sequence[tuple[int, str]]) -> None:
        """Add words; makes the tenant's table at its first."""
        table = _table(tenant_id)
        await transaction.run(
            _raw(f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5(body, content = '', tokenize = '{TOKENIZER}')")
        )
        await transaction.run(_raw(f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_terms USING fts5vocab({table}, instance)"))
        rows = [{"number": number, "body": text} for number, text in texts]
        await transaction.run_many(_raw(f"INSERT INTO {table} (rowid, body) VALUES (:number, :body)"), rows)  # noqa: S608

    async def remove(self, transaction: Transaction, tenant_id: str, *, texts: Sequence[tuple[int, str]]) -> None:
        """Remove words; FTS5 without content needs the old text to know them."""
        table = _table(tenant_id)
        rows = [{"number": number, "body": text} for number, text in texts]
        await transaction.run_many(
            _raw(f"INSERT INTO {table} ({table}, rowid, body) VALUES ('delete', :number, :body)"),  # noqa: S608
            rows,
        )

    def terms(self, text: str) -> list[str]:
        """Let FTS5's own tokenizer cut and stem a question."""
        with self._lock:
            self._analysis.execute("DELETE FROM words")
            self._analysis.execute("INSERT INTO words (body) VALUES (?)", (text,))
            rows = self._analysis.execute("SELECT term FROM terms ORDER BY offset").fetchall()
        return list(dict.fromkeys(str(row[0]) for row in rows))

    async def postings(self, reading: Reading, tenant_id: str, *, term: str) -> Posting:
        """Read a term's postings; none where the tenant has no table yet."""
        if not await self._exists(reading, tenant_id):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = await reading.all(
            _raw(f"SELECT doc, count(*) FROM {_table(tenant_id)}_terms WHERE term = :term GROUP BY doc"),  # noqa: S608
            term=term,
        )
        return (
            np.fromiter((r[0] for r in rows), np.int64, len(rows)),
            np.fromiter((r[1] for r in rows), np.float32, len(rows)),
        )

    async def _exists(self, reading: Reading, tenant_id: str) -> bool:
        if tenant_id not in self._known:
            name = f"{_table(tenant_id)}_terms"
            if await reading.one(_raw("SELECT 1 FROM sqlite_master WHERE name = :name"), name=name) is None:
                return False
            self._known.add(tenant_id)
        return True


def _table(tenant_id: str) -> str:
    """Return the name of a tenant's table; an id is a UUID, and nothing but its digits reach SQL."""
    return "fts_" + re.sub(r"[^0-9a-f]", "", tenant_id.lower())


def _raw(sql: str) -> Query:
    return compiled(sql)
