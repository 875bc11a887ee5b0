"""Search of a tenant's store: full text and vectors, fused, within the boundary of an account.

What must stay true: what an account may not see is left out before anything is ranked, so it changes neither the order nor the
scores of what it may see.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tenantai.errors import ProviderFailed
from tenantai.providers.protocols import EmbeddingModel
from tenantai.rag import ranking
from tenantai.rag.tenant_index import Postings, TenantIndex, TenantIndexes
from tenantai.storage import chunks
from tenantai.storage.chunks import StoredChunk
from tenantai.storage.database import Database
from tenantai.storage.full_text import FullText

NEAR_DUPLICATE_COSINE = 0.97
CHUNKS_PER_PASSAGE_MAX = 3
QUESTION_TERMS_MAX = 64


@dataclass(frozen=True, slots=True)
class Scores:
    """A hit's BM25, cosine and fused score; the fused one lies in 0…1 and compares hits of one search only."""

    lexical: float
    vector: float
    fused: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of one file that fits the question: one chunk, or neighbouring ones joined.

    `start` and `end` count characters of the file's text; `page_starts` pairs an offset in `text` with the page that begins
    there; `units` are the half-open spans in `text` of sentences, list items and table rows.
    """

    file_id: str
    file_name: str
    account_id: str | None
    heading: str
    text: str
    start: int
    end: int
    page: int | None
    page_starts: tuple[tuple[int, int], ...]
    units: tuple[tuple[int, int], ...]
    table_headers: tuple[tuple[int, str], ...]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, before neighbours are joined."""

    chunk: StoredChunk
    row: int
    scores: Scores


class Search:
    """Searches the stores of all tenants, one at a time."""

    def __init__(self, database: Database, full_text: FullText, indexes: TenantIndexes, embedding: EmbeddingModel) -> None:
        self._database = database
        self._full_text = full_text
        self._indexes = indexes
        self._embedding = embedding

    async def passages(
        self,
        tenant_id: str,
        *,
        question: str,
        top_k: int,
        account_id: str | None = None,
        file_ids: frozenset[str] | None = None,
        min_score: float = 0.0,
        generation: int | None = None,
    ) -> list[Passage]:
        """Return the best passages, best first; by words alone where the question can't be embedded now.

        What scores less than `min_score` is left out. `generation` spares a read where the caller has just learnt it.
        """
        index = await self._indexes.current(tenant_id, generation=generation)
        if not index.settled:
            return []
        try:
            vector = (await self._embedding.embed([question], purpose="query"))[0]
        except ProviderFailed:
            vector = np.zeros(index.dimensions, np.float32)
        return await self._found(tenant_id, index, question, vector, top_k, account_id, file_ids, min_score)

    async def passages_of_vector(
        self,
        tenant_id: str,
        *,
        question: str,
        vector: NDArray[np.float32],
        top_k: int,
        account_id: str | None = None,
        file_ids: frozenset[str] | None = None,
    ) -> list[Passage]:
        """Return the best passages for a question that is embedded already (float32, shape (dimensions,))."""
        index = await self._indexes.current(tenant_id)
        return await self._found(tenant_id, index, question, vector, top_k, account_id, file_ids)

    async def _found(
        self,
        tenant_id: str,
        index: TenantIndex,
        question: str,
        vector: NDArray[np.float32],
        top_k: int,
        account_id: str | None,
        file_ids: frozenset[str] | None,
        min_score: float = 0.0,
    ) -> list[Passage]:
        terms = self._full_text.terms(ranking.content_words(question))[:QUESTION_TERMS_MAX]
        postings = [await self._indexes.postings(tenant_id, index, term=term) for term in terms]
        ranked = await asyncio.to_thread(_rank, index, postings, vector, account_id, file_ids)
        wanted = [hit for hit in ranked[: top_k * CHUNKS_PER_PASSAGE_MAX + 8] if hit[1].fused >= min_score]
        hits = await self._read(tenant_id, index, wanted)
        return _joined(_without_near_duplicates(hits, index.vectors))[:top_k]

    async def _read(self, tenant_id: str, index: TenantIndex, ranked: Sequence[tuple[int, Scores]]) -> list[Hit]:
        """Read the chunks of ranked rows; what was let go meanwhile is left out."""
        numbers = [int(index.numbers[row]) for row, _ in ranked]
        stored = {c.number: c for c in await chunks.numbered(self._database.reading, tenant_id, numbers=numbers)}
        return [Hit(stored[n], row, s) for n, (row, s) in zip(numbers, ranked, strict=True) if n in stored]


def _rank(
    index: TenantIndex,
    postings: Sequence[Postings],
    vector: NDArray[np.float32],
    account_id: str | None,
    file_ids: frozenset[str] | None,
) -> list[tuple[int, Scores]]:
    """Return the candidate rows with their scores, best first."""
    rows = index.settled
    cosine = index.vectors[:rows] @ vector if len(vector) == index.dimensions else np.zeros(rows, np.float32)
    lexical = np.zeros(rows, np.float32)
    allowed = index.allowed(account_id=account_id, file_ids=file_ids)[:rows]
    within = allowed if account_id is not None or file_ids is not None else None
    searched = len(index.by_number[0]) if within is None else int(np.count_nonzero(within))
    mean_words = index.mean_words if within is None else ranking.mean_of(index.word_counts[:rows][within])
    for posting in postings:
        keep = slice(None) if within is None else within[posting.rows]
        ranking.add_bm25(
            lexical,
            rows=posting.rows[keep],
            counts=posting.counts[keep],
            lengths=index.word_counts[:rows],
            mean_length=mean_words,
            chunks=searched,
        )
    best, fused = ranking.fuse(lexical, cosine, allowed=allowed)
    return [
        (int(row), Scores(float(lexical[row]), float(cosine[row]), float(score))) for row, score in zip(best, fused, strict=True)
    ]


def _without_near_duplicates(hits: Sequence[Hit], vectors: NDArray[np.float32]) -> list[Hit]:
    """Drop a hit that says what a better one says already."""
    kept: list[Hit] = []
    for hit in hits:
        cosines = vectors[[k.row for k in kept]] @ vectors[hit.row] if kept else np.empty(0, np.float32)
        twins = [k for k, c in zip(kept, cosines, strict=True) if c >= NEAR_DUPLICATE_COSINE or k.chunk.text == hit.chunk.text]
        if not any(_alike(twin.chunk.text, hit.chunk.text) for twin in twins):
            kept.append(hit)
    return kept


def _alike(one: str, other: str) -> bool:
    """Whether two texts share nearly all their words; figures that differ make them different."""
    a, b = set(one.lower().split()), set(other.lower().split())
    numbers_agree = {w for w in a if any(c.isdigit() for c in w)} == {w for w in b if any(c.isdigit() for c in w)}
    return numbers_agree and len(a & b) >= 0.85 * len(a | b)


def _joined(hits: Sequence[Hit]) -> list[Passage]:
    """Join hits that are neighbours in their file; a passage stands where its best hit stood."""
    passages: list[list[Hit]] = []
    for hit in hits:
        home = next((p for p in passages if len(p) < CHUNKS_PER_PASSAGE_MAX and any(_neighbours(o, hit) for o in p)), None)
        if home is None:
            passages.append([hit])
        else:
            home.append(hit)
    return [_passage(sorted(p, key=lambda h: h.chunk.ordinal)) for p in passages]


def _neighbours(one: Hit, other: Hit) -> bool:
    return one.chunk.file_id == other.chunk.file_id and abs(one.chunk.ordinal - other.chunk.ordinal) == 1


def _passage(hits: Sequence[Hit]) -> Passage:
    """Make one passage of chunks in their order in the file."""
    first = hits[0].chunk
    passage = Passage(
        file_id=first.file_id,
        file_name=first.file_name,
        account_id=first.account_id,
        heading=first.heading,
        text="",
        start=first.start,
        end=first.start,
        page=first.page,
        page_starts=(),
        units=(),
        table_headers=(),
        scores=max((h.scores for h in hits), key=lambda s: s.fused),
    )
    for hit in hits:
        passage = _extended(passage, hit.chunk)
    return passage


def _extended(passage: Passage, chunk: StoredChunk) -> Passage:
    """Add the next chunk of the same file; the white space between two chunks is kept as wide as it was."""
    offset = chunk.start - passage.start
    text = passage.text + "\n" * (offset - len(passage.text)) + chunk.text
    unit_count = len(passage.units)
    return replace(
        passage,
        text=text,
        end=chunk.end,
        page_starts=passage.page_starts + tuple((at + offset, page) for at, page in chunk.anatomy["pages"]),
        units=passage.units + tuple((a + offset, b + offset) for a, b in chunk.anatomy["units"]),
        table_headers=passage.table_headers + tuple((at + unit_count, header) for at, header in chunk.anatomy["headers"]),
    )
