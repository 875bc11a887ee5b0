"""Rows of unit length out of what embedding services send."""

from collections.abc import Sequence

import numpy as np

from tenantai.providers.protocols import Vectors
from tenantai.providers.retries import UNREADABLE, ProviderFault


def unit_rows(rows: Sequence[Sequence[float]], *, count: int, dimensions: int) -> Vectors:
    """Return float32 rows of length 1, shape (count, dimensions); raises ProviderFault where they can't be made."""
    try:
        vectors = np.asarray(rows, dtype=np.float32).reshape(count, -1)
    except (TypeError, ValueError):
        raise ProviderFault(
            "the embedding service sent rows that are no numbers, or of several lengths", status=UNREADABLE
        ) from None
    if vectors.shape != (count, dimensions):
        raise ProviderFault(f"the embedding service sent {len(rows)} rows, shape {vectors.shape}, for {count}", status=UNREADABLE)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ProviderFault("the embedding service sent a vector without direction", status=UNREADABLE)
    return np.asarray(vectors / lengths, dtype=np.float32)
