"""The real MiniLM for the tests that need it, pulled once into a cache shared by all runs."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers import catalog
from tenantai.providers.local_embedding import LocalEmbedding

MINILM = "all-MiniLM-L6-v2-int8"


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The folder with MiniLM's files; skips where they can't be had."""
    default = Path.home() / ".cache" / "tenantai-tests" / "models"
    folder = Path(os.environ.get("TENANTAI_TEST_MODELS", default))
    if not catalog.installed(MINILM, folder):
        try:
            asyncio.run(asyncio.wait_for(catalog.pull(MINILM, folder=folder), timeout=90))
        except (ProviderFailed, TimeoutError) as error:
            pytest.skip(f"MiniLM can't be pulled: {error}")
    return catalog.model_folder(MINILM, folder)


@pytest.fixture
async def minilm(minilm_folder: Path) -> AsyncIterator[LocalEmbedding]:
    """The real local embedding model."""
    model = LocalEmbedding(minilm_folder)
    yield model
    await model.close()
