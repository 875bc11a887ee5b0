"""Looks at a start for stores that another embedding model built: their vectors take part in no search until they are rebuilt.

What must stay true: a file that waits to be indexed again is no news, and looking holds up neither the start nor a request.
"""

import asyncio
from contextlib import suppress

import structlog

from tenantai.errors import NotReady
from tenantai.storage import across_tenants, chunks
from tenantai.storage.database import Database

TENANTS_AT_ONCE = 100
AGAIN_SECONDS = 60.0
TOLD = (
    "Stores were built with another embedding model than the one chosen, so only their words are searched. "
    "The operator stops the server and runs `tenantai doctor --rebuild`."
)

logger = structlog.get_logger("tenantai.embedding")


class EmbeddingWatch:
    """Knows which tenants' stores have vectors of another model than `model`; `command` is what rebuilds them."""

    def __init__(self, database: Database, *, model: str, command: str) -> None:
        self._database = database
        self._model = model
        self._command = command
        self._task: asyncio.Task[None] | None = None
        self.others: dict[str, str] = {}

    def open(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._run(), name="embedding watch")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            await self._watch()
        except Exception:
            logger.exception("stores can't be looked at for another embedding model")

    async def _watch(self) -> None:
        """Look at every store once, then again at those found, until none is left."""
        found = await self._patiently(await self._tenant_ids())
        self.others = found
        if found:
            models = sorted(set(found.values()))
            logger.warning(
                "stores were built with another embedding model; only their words are searched until they are rebuilt",
                stores=len(found), built_with=models, chosen=self._model, command=self._command,
            )  # fmt: skip
        while found:
            await asyncio.sleep(AGAIN_SECONDS)
            self.others = found = await self._patiently(list(found))

    async def _tenant_ids(self) -> list[str]:
        found: list[str] = []
        with suppress(NotReady):
            while page := await across_tenants.tenants_page(
                self._database.reading, after=found[-1] if found else "", row_count=TENANTS_AT_ONCE
            ):
                found += [tenant.id for tenant in page]
        return found

    async def _patiently(self, tenant_ids: list[str]) -> dict[str, str]:
        """Return the other models by tenant; where the database is out of reach, what was known.

        It takes 40 ms where a tenant has 100,000 chunks, so it has the reader of long questions.
        """
        try:
            asked = {t: await chunks.other_model(self._database.searching, t, model=self._model) for t in tenant_ids}
        except NotReady:
            return self.others
        return {tenant_id: model for tenant_id, model in asked.items() if model is not None}
