"""What searching keeps in memory of a tenant: vectors, word counts and the postings of words that were asked for.

What must stay true: all of it can be rebuilt from the records, and an index whose generation is not the store's is refreshed
before it answers. Work is done in slices, so that neither the event loop nor another search waits long.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tenantai.providers.protocols import EmbeddingModel
from tenantai.rag.ranking import mean_of
from tenantai.storage import chunks, files
from tenantai.storage.database import Database
from tenantai.storage.full_text import FullText

Scalar = TypeVar("Scalar", bound=np.generic)

SLICE_ROWS = 2048
DEAD_SHARE_MAX = 0.25


@dataclass(slots=True)
class Postings:
    """A term's rows in the index and how often each holds it."""

    rows: NDArray[np.int64]
    counts: NDArray[np.float32]


@dataclass(slots=True)
class TenantIndex:
    """Arrays with one element a chunk: `filled` rows hold data, the first `settled` of them are searched where `alive`.

    Rows are only ever added behind the settled ones, so a search that runs while the index grows sees what it began with.
    """

    dimensions: int
    generation: int = -1
    filled: int = 0
    settled: int = 0
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    word_counts: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    file_rows: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    alive: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    vectors: NDArray[np.float32] = field(init=False)
    file_ids: list[str] = field(default_factory=list)
    account_ids: list[str | None] = field(default_factory=list)
    loaded: dict[str, tuple[int, str | None, str]] = field(default_factory=dict)
    postings: dict[str, Postings] = field(default_factory=dict)
    by_number: tuple[NDArray[np.int64], NDArray[np.int64]] = field(default_factory=lambda: (np.empty(0, np.int64),) * 2)
    mean_words: float = 0.0

    def __post_init__(self) -> None:
        self.vectors = np.empty((0, self.dimensions), np.float32)

    @property
    def bytes_held(self) -> int:
        """How much memory the arrays take."""
        cached = sum(p.rows.nbytes + p.counts.nbytes for p in self.postings.values())
        return self.vectors.nbytes + self.numbers.nbytes * 4 + cached

    def rows_of(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of chunk numbers, -1 where a number is not searched."""
        numbers, rows = self.by_number
        if not len(numbers):
            return np.full(len(wanted), -1, np.int64)
        places = np.searchsorted(numbers, wanted).clip(max=len(numbers) - 1)
        found = rows[places]
        return np.where((numbers[places] == wanted) & self.alive[found], found, -1)

    def allowed(self, *, account_id: str | None, file_ids: frozenset[str] | None) -> NDArray[np.bool_]:
        """Return which rows may be found: an account's own and the shared ones, and only those of the named files."""
        fits = np.array(
            [
                (account_id is None or owner is None or owner == account_id) and (file_ids is None or file_id in file_ids)
                for file_id, owner in zip(self.file_ids, self.account_ids, strict=True)
            ],
            np.bool_,
        )
        alive = self.alive[: self.settled]
        return alive & fits[self.file_rows[: self.settled]] if len(fits) else alive

    def append(self, piece: chunks.ChunkVectors, *, file_row: int) -> None:
        """Add a slice of a file."""
        first, last = self.filled, self.filled + len(piece.numbers)
        if last > len(self.numbers):
            self.reserve(max(last, int(len(self.numbers) * 1.5)))
        self.numbers[first:last] = piece.numbers
        self.word_counts[first:last] = piece.word_counts
        self.file_rows[first:last] = file_row
        self.alive[first:last] = True
        self.vectors[first:last] = piece.vectors
        self.filled = last

    def settle(self, generation: int) -> None:
        """Make what was added and dropped searchable as one generation."""
        live = np.flatnonzero(self.alive[: self.filled])
        numbers = self.numbers[live]
        order = np.argsort(numbers, kind="stable")
        self.by_number = (numbers[order], live[order].astype(np.int64))
        self.mean_words = mean_of(self.word_counts[live])
        self.settled, self.generation, self.postings = self.filled, generation, {}

    def drop(self, file_id: str) -> None:
        """Take a file's rows out of every answer."""
        file_row, _, _ = self.loaded.pop(file_id)
        self.alive[: self.filled][self.file_rows[: self.filled] == file_row] = False

    @property
    def mostly_dead(self) -> bool:
        """Whether enough rows are dropped for a rebuild to be worth it."""
        live = int(np.count_nonzero(self.alive[: self.filled]))
        return self.filled > SLICE_ROWS and live < self.filled * (1 - DEAD_SHARE_MAX)

    def reserve(self, room: int) -> None:
        """Make room for so many rows and no more, unless there is more already."""
        room = max(room, len(self.numbers))
        self.numbers = _grown(self.numbers, room)
        self.word_counts = _grown(self.word_counts, room)
        self.file_rows = _grown(self.file_rows, room)
        self.alive = _grown(self.alive, room)
        wide = np.empty((room, self.dimensions), np.float32)
        for first in range(0, self.filled, SLICE_ROWS):
            last = min(first + SLICE_ROWS, self.filled)
            wide[first:last] = self.vectors[first:last]
        self.vectors = wide


def _grown(array: NDArray[Scalar], room: int) -> NDArray[Scalar]:
    grown = np.zeros(room, array.dtype)
    grown[: len(array)] = array
    return grown


class TenantIndexes:
    """The indexes of the tenants that searched lately, within a bound of memory."""

    def __init__(self, database: Database, full_text: FullText, embedding: EmbeddingModel, *, bytes_max: int) -> None:
        self._database = database
        self._full_text = full_text
        self._embedding = embedding
        self._bytes_max = bytes_max
        self._held: OrderedDict[str, TenantIndex] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def current(self, tenant_id: str, *, generation: int | None = None) -> TenantIndex:
        """Return the tenant's index as of now, or of the generation that was read just now, loading or refreshing it first."""
        if generation is None:
            generation = await files.generation(self._database.reading, tenant_id)
        index = self._held.get(tenant_id)
        if index is None or index.generation != generation:
            async with self._locks.setdefault(tenant_id, asyncio.Lock()):
                index = await self._refreshed(tenant_id)
            self._make_room(tenant_id)
        self._held.move_to_end(tenant_id)
        return index

    async def postings(self, tenant_id: str, index: TenantIndex, *, term: str) -> Postings:
        """Return a term's postings as rows of the index."""
        cache = index.postings
        held = cache.get(term)
        if held is None:
            numbers, counts = await self._full_text.postings(self._database.reading, tenant_id, term=term)
            rows = await asyncio.to_thread(index.rows_of, numbers)
            held = Postings(rows[rows >= 0], counts[rows >= 0])
            cache[term] = held
        return held

    def forget(self, tenant_id: str) -> None:
        """Release a tenant's index."""
        self._held.pop(tenant_id, None)

    @property
    def bytes_held(self) -> int:
        """How much memory all indexes take."""
        return sum(index.bytes_held for index in self._held.values())

    async def _refreshed(self, tenant_id: str) -> TenantIndex:
        """Return an index of the newest generation; the one in use is only replaced or grown behind its filled rows."""
        generation = await files.generation(self._database.reading, tenant_id)
        index = self._held.get(tenant_id)
        if index is not None and index.generation == generation:
            return index
        searched = await files.searched(self._database.reading, tenant_id)
        if index is None or index.mostly_dead:
            index = TenantIndex(self._embedding.dimensions)
        for file_id, (_, _, changed) in list(index.loaded.items()):
            if file_id not in searched or searched[file_id][1] != changed:
                index.drop(file_id)
        if not index.filled:
            index.reserve(sum(chunk_count for _, _, chunk_count in searched.values()))
        for file_id, (account_id, changed, _) in searched.items():
            if file_id not in index.loaded:
                await self._load(tenant_id, index, file_id=file_id, account_id=account_id)
                index.loaded[file_id] = (len(index.file_ids) - 1, account_id, changed)
        await asyncio.to_thread(index.settle, generation)
        self._held[tenant_id] = index
        return index

    async def _load(self, tenant_id: str, index: TenantIndex, *, file_id: str, account_id: str | None) -> None:
        """Add a file's rows, all or none: a load that fails half-way, or is cancelled, must not leave rows to come twice."""
        filled = index.filled
        index.file_ids.append(file_id)
        index.account_ids.append(account_id)
        try:
            await self._load_slices(tenant_id, index, file_id=file_id)
        except BaseException:
            index.filled = filled
            raise

    async def _load_slices(self, tenant_id: str, index: TenantIndex, *, file_id: str) -> None:
        first = 0
        while True:
            piece = await chunks.slice_for_search(
                self._database.reading,
                tenant_id,
                file_id=file_id,
                first=first,
                row_count=SLICE_ROWS,
                model=self._embedding.model,
                dimensions=index.dimensions,
            )
            index.append(piece, file_row=len(index.file_ids) - 1)
            if len(piece.numbers) < SLICE_ROWS:
                return
            first += SLICE_ROWS

    def _make_room(self, keep: str) -> None:
        for tenant_id in list(self._held):
            if self.bytes_held <= self._bytes_max or tenant_id == keep:
                return
            self.forget(tenant_id)
