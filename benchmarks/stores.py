"""A store of documents in a folder of its own: the product's services without HTTP, and the embedding model to fill it with."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tenantai.identifiers import new_id, timestamp
from tenantai.providers import catalog
from tenantai.providers.local_embedding import LocalEmbedding
from tenantai.providers.protocols import EmbeddingModel, Vectors
from tenantai.rag.extraction.pool import ExtractionPool
from tenantai.rag.search import Search
from tenantai.rag.tenant_index import TenantIndexes
from tenantai.server.services.documents import Documents
from tenantai.server.services.indexing import Indexing
from tenantai.server.services.progress import ProgressBoard
from tenantai.server.services.registration import create_tenant
from tenantai.server.services.upload_room import UploadRoom
from tenantai.storage import accounts, operations
from tenantai.storage.audit import SYSTEM
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database, Transaction
from tenantai.storage.full_text import Fts5
from tenantai.storage.migrating import Layout, migrate

ROOT = Path(__file__).parent.parent
MODEL = "all-MiniLM-L6-v2-int8"
MODELS = Path(os.environ.get("TENANTAI_TEST_MODELS", Path.home() / ".cache" / "tenantai-tests" / "models"))
CRANFIELD = Path(os.environ.get("TENANTAI_CRANFIELD", ROOT.parent / "shared" / "data" / "cranfield"))
BYTES_MAX = 1 << 30


@dataclass(frozen=True, slots=True)
class Store:
    """One tenant's store with its account, and what works on it."""

    tenant_id: str
    account_id: str
    database: Database
    full_text: Fts5
    indexes: TenantIndexes
    search: Search
    documents: Documents

    async def fill(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Take in (name, content) files as an upload does, and return when all are indexed; raises where one fails."""
        for name, content in files:
            await self.documents.receive(
                self.tenant_id,
                account_id=self.account_id,
                name=name,
                pieces=_in_one(content),
                storage_bytes_max=BYTES_MAX,
                actor=SYSTEM,
            )
        while True:
            operation = await operations.latest(self.database.reading, self.tenant_id)
            if operation is not None and operation.status != "in_progress":
                break
            await asyncio.sleep(0.02)
        if operation.failed_files:
            raise RuntimeError(f"{operation.failed_files} files could not be indexed")


@asynccontextmanager
async def opened_store(embedding: EmbeddingModel) -> AsyncIterator[Store]:
    """Make an empty store with its services running, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tenantai-bench-"))
    migrate(folder)
    database, full_text, extraction = Database(Layout(folder).database), Fts5(), ExtractionPool()
    blobs = Blobs(folder / "files")
    blobs.prepare()
    await database.open()
    indexing = Indexing(
        database,
        blobs=blobs,
        full_text=full_text,
        embedding=embedding,
        extraction=extraction,
        board=ProgressBoard(database),
    )
    indexes = TenantIndexes(database, full_text, embedding, bytes_max=BYTES_MAX)
    search = Search(database, full_text, indexes, embedding)
    documents = Documents(database, blobs, indexing, room=UploadRoom(database), upload_bytes_max=BYTES_MAX)
    await indexing.open()
    try:
        tenant_id, account_id = await new_tenant(database)
        yield Store(tenant_id, account_id, database, full_text, indexes, search, documents)
    finally:
        await indexing.close()
        await extraction.close()
        await database.close()
        full_text.close()
        shutil.rmtree(folder, ignore_errors=True)


async def new_tenant(database: Database) -> tuple[str, str]:
    """Make a tenant and an account; their ids."""
    tenant, _ = await create_tenant(database, name="Bench", email=f"{new_id()}@example.com", plan="pro", actor=SYSTEM)
    account_id = new_id()

    async def unit(transaction: Transaction) -> None:
        moment = timestamp()
        account = accounts.Account(account_id, tenant.id, "First", None, "member", None, moment, moment)
        await accounts.create(transaction, tenant.id, account=account)

    await database.write(unit)
    return tenant.id, account_id


async def minilm() -> LocalEmbedding:
    """Return the real local model, pulled where it is missing."""
    if not catalog.installed(MODEL, MODELS):
        await catalog.pull(MODEL, folder=MODELS)
    return LocalEmbedding(catalog.model_folder(MODEL, MODELS))


class Remembering:
    """An embedding model that keeps its vectors on disk from one run to the next; never for measuring time."""

    def __init__(self, inner: EmbeddingModel) -> None:
        self.model = inner.model
        self.dimensions = inner.dimensions
        self._inner = inner
        self._path = Path(tempfile.gettempdir()) / f"tenantai-bench-{inner.model}.npz"
        self._held: dict[str, Vectors] = {}
        self._is_new = False
        if self._path.exists():
            with np.load(self._path) as kept:
                self._held = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return the texts' vectors, asking the model for those that are not held."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._held]
        if missing:
            self._is_new = True
            self._held.update(zip(missing, await self._inner.embed(missing, purpose=purpose), strict=True))
        return np.array([self._held[text] for text in texts], np.float32).reshape(len(texts), self.dimensions)

    async def close(self) -> None:
        """Keep what is new."""
        if self._is_new:
            np.savez(self._path, texts=np.array(list(self._held)), vectors=np.array(list(self._held.values())))
        await self._inner.close()


def own_documents() -> list[tuple[str, bytes]]:
    """Return the product's example files and the question set's documents."""
    folders = (ROOT / "examples", ROOT / "benchmarks" / "answers" / "documents")
    return [(path.name, path.read_bytes()) for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]


async def _in_one(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
