"""What of a chunk is embedded, indexed and stored; what is removed from the index must be the very words that were put in."""

import re

import numpy as np
from numpy.typing import NDArray

from tenantai.rag.documents import Chunk
from tenantai.storage.chunks import NewChunk

WORD = re.compile(r"[^\W_]+")  # what the full-text index takes for a word


def searchable_text(heading: str, text: str) -> str:
    """Return what is embedded and indexed of a chunk: its heading path, where the text does not begin with it, and the text."""
    last = heading.rsplit(" > ", 1)[-1]
    return text if not heading or (text.startswith(last) and " > " not in heading) else f"{heading}\n{text}"


def new_chunk(piece: Chunk, heading: str, text: str, vector: NDArray[np.float32]) -> NewChunk:
    """Return a chunk as it is stored."""
    return NewChunk(
        ordinal=piece.ordinal,
        start=piece.start,
        end=piece.end,
        page=piece.page,
        heading=heading,
        text=piece.text,
        anatomy={"units": piece.units, "headers": piece.table_headers, "pages": piece.page_starts},
        word_count=len(WORD.findall(text)),
        vector=vector,
    )
