"""Search among 100,000 chunks of one tenant, and among 1,000 tenants with 100 each, all in one database.

The chunks are sentences of Cranfield, the examples and Python's docstrings, drawn at random, four to a chunk. Their vectors are
bags of words, weighed by rarity, in a random projection to 384 dimensions. Exact means: cosine over the float32 vectors before
they were stored, FTS5's own bm25(), and the fusion written down again here. Questions are words of one sentence, function words
among them.
"""

import asyncio
import builtins
import importlib
import math
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, Outcome, quantile
from benchmarks.retrieval import abstracts
from benchmarks.stores import CRANFIELD, Store, new_tenant, opened_store, own_documents
from tenantai.identifiers import new_id, timestamp
from tenantai.providers.scripted import ScriptedEmbedding
from tenantai.rag import ranking
from tenantai.server.services.indexed_chunks import WORD
from tenantai.storage import chunks, files, operations
from tenantai.storage.chunks import NewChunk
from tenantai.storage.database import Database, Transaction
from tenantai.storage.full_text import TOKENIZER, FullText

DIMENSIONS = 384
LARGE, TENANTS, SMALL = 100_000, 1_000, 100
CHUNKS_PER_FILE = 1_000
SENTENCES_PER_CHUNK = 4
QUESTIONS, COLD_QUESTIONS, EXACT_QUESTIONS = 200, 40, 100
TOP_K = 10
MODEL = "projected-words"
MODULES = ("argparse asyncio collections concurrent.futures ctypes datetime decimal difflib email.message ftplib functools "
    "heapq http.client inspect ipaddress itertools json logging math multiprocessing os pathlib pickle random re shutil "
    "smtplib socket sqlite3 ssl statistics string subprocess tarfile textwrap threading turtle typing unittest urllib.request "
    "xml.dom.minidom zipfile").split()  # fmt: skip


async def measure() -> Outcome:
    """Fill the database, then ask."""
    chance = random.Random(7)
    sentences = _sentences()
    words = _Words(sentences)
    large = [_text(chance, sentences) for _ in range(LARGE)]
    large_vectors = words.vectors(large)
    questions = [_question(chance, sentences) for _ in range(QUESTIONS)]
    question_vectors = words.vectors(questions)
    embedding = ScriptedEmbedding(DIMENSIONS, model=MODEL)
    async with opened_store(embedding) as store:
        await _fill(store, store.tenant_id, large, large_vectors)
        small = [await _small_tenant(store, chance, sentences, words) for _ in range(TENANTS)]
        alone = await _asked_alone(store, questions, question_vectors)
        many = await _asked_of_many(store, small, chance, questions, question_vectors)
        growing = await _reading_while_tenants_come(store, words)
        recall = await _recall(store, large, large_vectors, questions, question_vectors)
    return [
        *alone,
        Figure("100,000 chunks: recall@10 of exact", recall, "share", f"{EXACT_QUESTIONS} questions", at_least=0.99),
        *many,
        growing,
    ]


async def _asked_alone(store: Store, questions: Sequence[str], vectors: NDArray[np.float32]) -> list[Figure]:
    resident, began = _resident_megabytes(), time.perf_counter()
    await _seconds(store, store.tenant_id, "boundary layer", vectors[0])
    loading, resident = time.perf_counter() - began, _resident_megabytes() - resident
    cold = []
    for question, vector in zip(questions[:COLD_QUESTIONS], vectors, strict=False):
        (await store.indexes.current(store.tenant_id)).postings.clear()
        cold.append(await _seconds(store, store.tenant_id, question, vector))
    for question, vector in zip(questions, vectors, strict=True):
        await _seconds(store, store.tenant_id, question, vector)
    warm = [await _seconds(store, store.tenant_id, q, v) for q, v in zip(questions, vectors, strict=True)]
    name, how = "100,000 chunks", f"{len(questions)} questions, one after another, without the question's embedding"
    return [
        Figure(f"{name}: search, words seen before, median", 1000 * median(warm), "ms", how, below=10),
        Figure(f"{name}: search, words seen before, p95", 1000 * quantile(warm, 0.95), "ms", how),
        Figure(
            f"{name}: search, no word seen before, median",
            1000 * median(cold),
            "ms",
            f"{COLD_QUESTIONS} questions; postings dropped before each",
        ),
        Figure(f"{name}: search, no word seen before, p95", 1000 * quantile(cold, 0.95), "ms", "the same"),
        Figure(f"{name}: first search, index loaded", loading, "s", "once"),
        Figure(
            f"{name}: memory of the index, by its own count", store.indexes.bytes_held / 2**20, "MB", "vectors, numbers, postings"
        ),
        Figure(f"{name}: memory of the index, resident", resident, "MB", "growth of the process over the first search"),
    ]


async def _asked_of_many(
    store: Store, tenants: Sequence[str], chance: random.Random, questions: Sequence[str], vectors: NDArray[np.float32]
) -> list[Figure]:
    """Ask each tenant once for the first time, then at random."""
    store.indexes.forget(store.tenant_id)
    first = [await _seconds(store, tenant, questions[n % QUESTIONS], vectors[n % QUESTIONS]) for n, tenant in enumerate(tenants)]
    held = store.indexes.bytes_held
    later = []
    for _ in range(TENANTS):
        n = chance.randrange(QUESTIONS)
        later.append(await _seconds(store, chance.choice(tenants), questions[n], vectors[n]))
    name = f"{TENANTS:,} tenants with {SMALL} chunks"
    return [
        Figure(f"{name}: search, median", 1000 * median(later), "ms", "a tenant and a question at random, 1,000 times", below=10),
        Figure(f"{name}: search, p95", 1000 * quantile(later, 0.95), "ms", "the same"),
        Figure(f"{name}: a tenant's first search, median", 1000 * median(first), "ms", "its index loaded, each tenant once"),
        Figure(f"{name}: a tenant's first search, p95", 1000 * quantile(first, 0.95), "ms", "the same"),
        Figure(f"{name}: memory of all indexes, by their own count", held / 2**20, "MB", "after the first search of each"),
    ]


async def _reading_while_tenants_come(store: Store, words: "_Words") -> Figure:
    """Write the first chunks of new tenants, and read one row after each."""
    seconds = []
    for _ in range(20):
        tenant_id, _ = await new_tenant(store.database)
        await _fill(store, tenant_id, ["boundary layer"], words.vectors(["boundary layer"]))
        began = time.perf_counter()
        await files.generation(store.database.reading, tenant_id)
        seconds.append(time.perf_counter() - began)
    return Figure("reading one row after a new tenant's first file, median", 1000 * median(seconds), "ms", "1,000 tenants there")


async def _seconds(store: Store, tenant_id: str, question: str, vector: NDArray[np.float32]) -> float:
    began = time.perf_counter()
    await store.search.passages_of_vector(tenant_id, question=question, vector=vector, top_k=TOP_K)
    return time.perf_counter() - began


async def _recall(
    store: Store, texts: Sequence[str], vectors: NDArray[np.float32], questions: Sequence[str], asked: NDArray[np.float32]
) -> float:
    """Return the share of the exact best ten chunks that lie in the ten passages found."""
    exact = await asyncio.to_thread(_exact, texts, vectors, questions[:EXACT_QUESTIONS], asked)
    shares = []
    for question, vector, best in zip(questions, asked, exact, strict=False):
        passages = await store.search.passages_of_vector(store.tenant_id, question=question, vector=vector, top_k=TOP_K)
        shares.append(mean(any(texts[row] in passage.text for passage in passages) for row in best))
    return mean(shares)


def _exact(
    texts: Sequence[str], vectors: NDArray[np.float32], questions: Sequence[str], asked: NDArray[np.float32]
) -> list[list[int]]:
    """Return the rows of each question's best ten by brute force."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE VIRTUAL TABLE words USING fts5(body, tokenize = '{TOKENIZER}')")
    database.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", enumerate(texts))
    best = []
    for question, vector in zip(questions, asked, strict=False):
        cosine = vectors @ vector
        match = " OR ".join(f'"{word}"' for word in WORD.findall(ranking.content_words(question)))
        found = database.execute(f"SELECT rowid, -bm25(words) FROM words WHERE words MATCH '{match}'").fetchall()
        lexical: dict[int, float] = dict(found)
        by_words = sorted(lexical, key=lambda row: (-lexical[row], row))[: ranking.CANDIDATES_PER_LEG]
        rows = sorted({*by_words, *np.argsort(-cosine, kind="stable")[: ranking.CANDIDATES_PER_LEG].tolist()})
        legs = [[lexical.get(row, 0.0) for row in rows], [float(cosine[row]) for row in rows]]
        scaled = [[(s - min(leg)) / (max(leg) - min(leg)) for s in leg] for leg in legs]
        fused = {row: a + b for row, a, b in zip(rows, *scaled, strict=True)}
        best.append(sorted(fused, key=lambda row: (-fused[row], row))[:TOP_K])
    return best


async def _small_tenant(store: Store, chance: random.Random, sentences: Sequence[str], words: "_Words") -> str:
    tenant_id, _ = await new_tenant(store.database)
    texts = [_text(chance, sentences) for _ in range(SMALL)]
    await _fill(store, tenant_id, texts, words.vectors(texts))
    return tenant_id


async def _fill(store: Store, tenant_id: str, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Write chunks through the storage functions that indexing uses, in files of 1,000."""
    for first in range(0, len(texts), CHUNKS_PER_FILE):
        last = first + CHUNKS_PER_FILE
        await _write_file(store.database, store.full_text, tenant_id, texts[first:last], vectors[first:last])


async def _write_file(
    database: Database, full_text: FullText, tenant_id: str, texts: Sequence[str], vectors: NDArray[np.float32]
) -> None:
    stored = [
        NewChunk(place, place * 2000, place * 2000 + len(text), None, "", text, _ANATOMY, len(WORD.findall(text)), vector)
        for place, (text, vector) in enumerate(zip(texts, vectors, strict=True))
    ]

    async def unit(transaction: Transaction) -> None:
        moment, file_id = timestamp(), new_id()
        operation = await operations.join_or_begin(transaction, tenant_id, new_id=new_id(), files=1, moment=moment)
        file = files.File(
            file_id, tenant_id, None, operation.id, f"{file_id}.txt", "text/plain", 1, file_id, "ready", False, None, None,
            None, len(texts), moment, moment,
        )  # fmt: skip
        await files.create(transaction, tenant_id, file=file)
        numbers = await chunks.add(transaction, tenant_id, file_id=file_id, chunks=stored, model=MODEL)
        await full_text.add(transaction, tenant_id, texts=list(zip(numbers, texts, strict=True)))
        await files.note_change(transaction, tenant_id)

    await database.write(unit)


_ANATOMY: dict[str, list[int]] = {"units": [], "headers": [], "pages": []}


class _Words:
    """Turns texts into unit vectors: each word a random direction, weighed by how rare it is."""

    def __init__(self, sentences: Sequence[str]) -> None:
        counted = Counter(word for sentence in sentences for word in set(_lower(sentence)))
        self._places = {word: place for place, word in enumerate(counted)}
        weights = np.array([math.log(1 + len(sentences) / count) for count in counted.values()], np.float32)
        directions = np.random.default_rng(7).standard_normal((len(counted), DIMENSIONS), np.float32)
        self._directions = directions * weights[:, None]

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 rows of length 1, shape (len(texts), 384)."""
        rows = np.array([self._directions[[self._places[w] for w in _lower(text)]].sum(axis=0) for text in texts], np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _lower(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _text(chance: random.Random, sentences: Sequence[str]) -> str:
    return " ".join(chance.choices(sentences, k=SENTENCES_PER_CHUNK))


def _question(chance: random.Random, sentences: Sequence[str]) -> str:
    """Return up to ten words in a row of one sentence."""
    words = WORD.findall(chance.choice(sentences))
    start = chance.randrange(max(1, len(words) - 9))
    return " ".join(words[start : start + 10])


def _sentences() -> list[str]:
    """Return distinct sentences of five to forty words."""
    texts = [content.decode(errors="ignore") for name, content in own_documents() if name.endswith((".md", ".txt"))]
    if (CRANFIELD / "corpus.jsonl").exists():
        texts += [content.decode() for _, content in abstracts()]
    for name in MODULES:
        module = importlib.import_module(name)
        texts += [str(getattr(value, "__doc__", "") or "") for value in _documented(module)]
    texts += [str(value.__doc__ or "") for value in vars(builtins).values()]
    found = dict.fromkeys(" ".join(s.split()) for text in texts for s in re.split(r"(?<=[.!?])\s+|\n\s*\n", text))
    return [sentence for sentence in found if 5 <= len(WORD.findall(sentence)) <= 40]


def _documented(module: object) -> list[object]:
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    return [module, *vars(module).values(), *(value for each in classes for value in vars(each).values())]


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
