"""Embeddings by Gemini through google-genai."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from google import genai
from google.genai import types

from tenantai.providers import retries
from tenantai.providers.gemini.connection import SETTINGS, Connection
from tenantai.providers.protocols import Vectors
from tenantai.providers.retries import Patience, ProviderFault, with_retries
from tenantai.providers.vectors import unit_rows

EMBEDDING_BATCH_MAX = 100
TASKS = {"document": "RETRIEVAL_DOCUMENT", "query": "RETRIEVAL_QUERY"}


class GeminiEmbedding:
    """An EmbeddingModel on Gemini's batchEmbedContents; rows are cut to `dimensions` by the service and normalised here."""

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        model: str = "gemini-embedding-001",
        dimensions: int = 768,
        patience: Patience | None = None,
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._patience = patience or Patience()
        self._connection = Connection(api_key, base_url)

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return float32 rows of length 1, shape (len(texts), dimensions). Raises ProviderFailed."""
        batches = [np.empty((0, self.dimensions), dtype=np.float32)]
        config = types.EmbedContentConfig(task_type=TASKS[purpose], output_dimensionality=self.dimensions)
        try:
            for start in range(0, len(texts), EMBEDDING_BATCH_MAX):
                attempt = partial(self._embed_batch, texts[start : start + EMBEDDING_BATCH_MAX], config)
                batches.append(await with_retries(partial(self._connection.attempt, attempt), self._patience))
        except ProviderFault as fault:
            raise retries.failure(fault, SETTINGS) from fault
        return np.concatenate(batches)

    async def close(self) -> None:
        """Release connections."""
        await self._connection.close()

    async def _embed_batch(self, texts: Sequence[str], config: types.EmbedContentConfig, client: genai.Client) -> Vectors:
        # Strings would be merged into one content for models after gemini-embedding-001 (google-genai 3.4).
        contents: Any = [types.Content(parts=[types.Part(text=text)]) for text in texts]
        response = await client.aio.models.embed_content(model=self.model, contents=contents, config=config)
        rows = [embedding.values or [] for embedding in response.embeddings or []]
        return unit_rows(rows, count=len(texts), dimensions=self.dimensions)
