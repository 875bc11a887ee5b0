"""Indexing real text against the embedding model alone on the same chunks, and how long the event loop stands still meanwhile.

The text: the examples, the question set's documents, and abstracts of Cranfield in 40 files. Tokens are those that the model
reads.
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Literal

from tokenizers import Tokenizer

from benchmarks.figures import Figure, Outcome, quantile, ratio_of
from benchmarks.retrieval import abstracts
from benchmarks.stores import CRANFIELD, MODEL, MODELS, minilm, opened_store, own_documents
from benchmarks.ticking import ticking
from tenantai.providers.protocols import EmbeddingModel, Vectors

ROUNDS = 3
CRANFIELD_FILES = 40
ABSTRACTS_PER_FILE = 8
SLICE = 64
TOKENS_MAX = 256


async def measure() -> Outcome:
    """Alternate between a whole ingest and the model alone."""
    model = await minilm()
    await model.embed(["warm"], purpose="document")
    files = _files()
    whole: list[float] = []
    alone: list[float] = []
    gaps: list[float] = []
    worst: list[float] = []
    texts: list[str] = []
    for _ in range(ROUNDS):
        noting = _Noting(model)
        async with opened_store(noting) as store, ticking() as ticks:
            began = time.perf_counter()
            await store.fill(files)
            whole.append(time.perf_counter() - began)
        gaps += ticks
        worst.append(max(ticks))
        texts = noting.texts
        began = time.perf_counter()
        for first in range(0, len(texts), SLICE):
            await model.embed(texts[first : first + SLICE], purpose="document")
        alone.append(time.perf_counter() - began)
    await model.close()
    tokens = _tokens(texts)
    how = f"{len(files)} files, {len(texts):,} chunks, {tokens:,} tokens; median of {ROUNDS} rounds in turns"
    return [
        Figure("ingest over the model alone", ratio_of(alone, whole), "ratio", how, at_least=0.7),
        Figure("ingest", tokens / median(whole), "tokens/s", "upload to searchable, extraction and writing included"),
        Figure("the model alone", tokens / median(alone), "tokens/s", f"the same chunks, {SLICE} at a time, one core"),
        Figure(
            "longest stop of the event loop, median round",
            1000 * median(worst),
            "ms",
            "a tick of 1 ms beside the ingest",
            below=20,
        ),
        Figure("longest stop of the event loop, worst round", 1000 * max(worst), "ms", "the same ticks"),
        Figure("stop of the event loop, p99.9", 1000 * quantile(gaps, 0.999), "ms", f"{len(gaps):,} ticks"),
    ]


class _Noting:
    """The embedding model, noting what it is given."""

    def __init__(self, inner: EmbeddingModel) -> None:
        self.model = inner.model
        self.dimensions = inner.dimensions
        self.texts: list[str] = []
        self._inner = inner

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        self.texts += texts
        return await self._inner.embed(texts, purpose=purpose)

    async def close(self) -> None:
        """Leave the model open for the next round."""


def _files() -> list[tuple[str, bytes]]:
    files = own_documents()
    if (CRANFIELD / "corpus.jsonl").exists():
        found = abstracts()
        for number in range(CRANFIELD_FILES):
            some = found[number * ABSTRACTS_PER_FILE : (number + 1) * ABSTRACTS_PER_FILE]
            files.append((f"abstracts-{number}.md", b"\n\n".join(content for _, content in some)))
    return files


def _tokens(texts: Sequence[str]) -> int:
    tokenizer = Tokenizer.from_file(str(MODELS / MODEL / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS_MAX)
    tokenizer.no_padding()
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts)))
