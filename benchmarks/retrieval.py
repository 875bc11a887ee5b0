"""Retrieval quality on the Cranfield collection: nDCG@10 of the product's own search, each leg alone and fused.

Every abstract is a file of its own, its title the heading above its text (title and text together, as BEIR reads the collection),
and goes through the whole ingest; a document's place is that of its best passage. The lexical leg is the search with a vector of
zeros, the vector leg the search with an empty question. All 225 questions count.
"""

import json
import math
from collections import defaultdict
from statistics import mean

import numpy as np

from benchmarks.figures import Figure, Outcome, Skipped
from benchmarks.stores import CRANFIELD, Remembering, Store, minilm, opened_store
from tenantai.providers.protocols import EmbeddingModel

DEPTH = 10
PASSAGES = 40
TARGET = 0.435


async def measure() -> Outcome:
    """Index the collection and ask every question three times."""
    if not (CRANFIELD / "corpus.jsonl").exists():
        return Skipped(f"no Cranfield collection in {CRANFIELD}; set TENANTAI_CRANFIELD")
    relevant = relevance()
    questions = [q for q in lines_of("queries.jsonl") if q["id"] in relevant]
    embedding = Remembering(await minilm())
    try:
        async with opened_store(embedding) as store:
            await store.fill(abstracts())
            found = [await _legs(store, embedding, q["text"]) for q in questions]
    finally:
        await embedding.close()
    scores = {leg: mean(ndcg(legs[leg], relevant[q["id"]]) for q, legs in zip(questions, found, strict=True)) for leg in found[0]}
    how = f"nDCG@10, binary, {len(questions)} questions over 1,400 abstracts, title and text"
    return [
        Figure("lexical (BM25)", scores["lexical"], "nDCG@10", how),
        Figure("vector (MiniLM int8)", scores["vector"], "nDCG@10", how),
        Figure("fused", scores["fused"], "nDCG@10", how, at_least=TARGET),
    ]


async def _legs(store: Store, embedding: EmbeddingModel, question: str) -> dict[str, list[str]]:
    """Return the documents that each leg finds, best first."""
    vector = (await embedding.embed([question], purpose="query"))[0]
    asked = {"lexical": (question, np.zeros_like(vector)), "vector": ("", vector), "fused": (question, vector)}
    found = {}
    for leg, (text, numbers) in asked.items():
        passages = await store.search.passages_of_vector(store.tenant_id, question=text, vector=numbers, top_k=PASSAGES)
        found[leg] = list(dict.fromkeys(p.file_name.removesuffix(".md") for p in passages))[:DEPTH]
    return found


def ndcg(found: list[str], relevant: set[str]) -> float:
    """Return the normalised discounted cumulative gain of the first ten, each document right or wrong."""
    gained = sum(1 / math.log2(place + 2) for place, name in enumerate(found) if name in relevant)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(relevant))))


def abstracts() -> list[tuple[str, bytes]]:
    """Return the abstracts as Markdown files, the title as heading; two are empty."""
    return [(f"{d['id']}.md", f"# {d['title']}\n\n{d['text']}\n".encode()) for d in lines_of("corpus.jsonl") if d["text"]]


def relevance() -> dict[str, set[str]]:
    """Return the documents that answer each question."""
    relevant: dict[str, set[str]] = defaultdict(set)
    for line in (CRANFIELD / "qrels.tsv").read_text().splitlines():
        question, document, grade = line.split("\t")
        if int(grade):
            relevant[question].add(document)
    return relevant


def lines_of(name: str) -> list[dict[str, str]]:
    """Return a file's lines of JSON."""
    return [json.loads(line) for line in (CRANFIELD / name).read_text().splitlines()]
