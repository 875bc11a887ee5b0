"""Scoring of chunks: BM25 over postings, cosine over vectors, and the fusion of the two.

Pure functions over arrays with one element a chunk. BM25 has the constants and the idf of SQLite's FTS5 (k1 = 1.2, b = 0.75;
Robertson and Zaragoza, 2009). The fusion is a convex combination of min-max normalised scores (Bruch, Gai and Ingber, 2023:
better than reciprocal ranks in and out of domain); the weight of one half is not tuned to any set.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

K1 = 1.2
B = 0.75
LEXICAL_WEIGHT = 0.5
CANDIDATES_PER_LEG = 100

ENGLISH_FUNCTION_WORDS = frozenset(
    (
        "a about above after again all am an and any are as at be because been before being below between both but by "
        "can could did do does doing down during each few for from further had has have having he her here hers him his "
        "how i if in into is it its just me more most must my no nor not of off on once only or other our out over own "
        "same she should so some such than that the their them then there these they this those through to too under "
        "until up very was we were what when where which while who whom why will with would you your "
    ).split()
)


def content_words(text: str) -> str:
    """Return a question without its English function words, or whole where nothing else is in it."""
    words = text.split()
    kept = [word for word in words if word.strip(".,;:!?\"'()[]").lower() not in ENGLISH_FUNCTION_WORDS]
    return " ".join(kept or words)


def inverse_document_frequency(holders: int, chunks: int) -> float:
    """Return a term's weight as FTS5 does; a term in over half of the chunks tells nothing."""
    return max(float(np.log((chunks - holders + 0.5) / (holders + 0.5))), 1e-6)


def add_bm25(
    scores: Floats, *, rows: NDArray[np.int64], counts: Floats, lengths: Floats, mean_length: float, chunks: int
) -> None:
    """Add one term's BM25 share to the scores of the rows that hold it."""
    if not len(rows):
        return
    weight = inverse_document_frequency(len(rows), chunks)
    damped = counts + K1 * (1 - B + B * lengths[rows] / max(mean_length, 1.0))
    scores[rows] += (weight * counts * (K1 + 1) / damped).astype(np.float32)


def best_rows(scores: Floats, count: int) -> NDArray[np.int64]:
    """Return the rows of the highest scores, best first, ties in the order of the rows."""
    if count >= len(scores):
        return np.argsort(-scores, kind="stable").astype(np.int64)
    top = np.sort(np.argpartition(-scores, count)[:count])
    return top[np.argsort(-scores[top], kind="stable")].astype(np.int64)


def min_max(values: Floats) -> Floats:
    """Scale values to 0…1; all alike become 0 where they are 0, else 1."""
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if high <= low:
        return np.where(values > 0, 1.0, 0.0).astype(np.float32)
    return ((values - low) / (high - low)).astype(np.float32)


def fuse(lexical: Floats, cosine: Floats, *, allowed: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
    """Return the candidate rows of both legs, best first, and their fused scores; rows not allowed are no candidates."""
    masked = [np.where(allowed, leg, -np.inf) for leg in (lexical, cosine)]
    legs = [best_rows(leg.astype(np.float32), CANDIDATES_PER_LEG) for leg in masked]
    by_words = legs[0][lexical[legs[0]] > 0]
    rows = np.unique(np.concatenate([by_words, legs[1]]))
    rows = rows[allowed[rows]]
    if not len(rows):
        return rows, np.empty(0, np.float32)
    fused = LEXICAL_WEIGHT * min_max(lexical[rows]) + (1 - LEXICAL_WEIGHT) * min_max(cosine[rows])
    order = np.argsort(-fused, kind="stable")
    return rows[order], fused[order].astype(np.float32)


def mean_of(lengths: Sequence[float] | Floats) -> float:
    """Return the mean length, 0 for none."""
    return float(np.mean(lengths)) if len(lengths) else 0.0
