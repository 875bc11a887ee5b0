"""A tenant's store: what it holds, how far its indexing is, what is found in it."""

from collections.abc import AsyncGenerator, Sequence

from tenantai.client.errors import broken_off
from tenantai.client.events import DONE, frames
from tenantai.client.shaping import parsed, present, shaped, step, tenant_path
from tenantai.client.transport import EVENT_STREAM, Transport
from tenantai.wire.file_text import FileText
from tenantai.wire.files import FileRecord, Progress, SearchHit
from tenantai.wire.shapes import Computed
from tenantai.wire.store import CitationChange, Refreshed, RetrievalChange, StoreSettings, SyncStarted


class StorageUse(Computed):
    """Bytes of a store."""

    used_bytes: int
    quota_bytes: int


class Store(Computed):
    """What a tenant's store holds, with the first page of its files; `operation` is the newest one of any kind."""

    storage: StorageUse
    counts: dict[str, int]
    settings: StoreSettings
    operation: Progress
    last_sync: Progress
    files: list[FileRecord]
    next_cursor: str | None


class _Hits(Computed):
    results: list[SearchHit]


class _Cancelled(Computed):
    cancelled_files: int


class StoreOfTenant:
    """`/tenants/{tenantId}/store`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, tenant_id: str) -> Store:
        """Return bytes, counts and the first page of the files."""
        return await self._transport.call("GET", _path(tenant_id), Store)

    def files(self, tenant_id: str) -> AsyncGenerator[FileRecord]:
        """Yield every file of the tenant that the key sees."""
        return self._transport.pages(_path(tenant_id), "files", FileRecord)

    async def change_settings(
        self, tenant_id: str, *, citations: CitationChange | None = None, retrieval: RetrievalChange | None = None
    ) -> StoreSettings:
        """Change what is given of how answers cite and what they are made from; returns all settings."""
        groups = {"citations": citations, "retrieval": retrieval}
        body = {name: group.model_dump(by_alias=True, exclude_none=True) for name, group in groups.items() if group is not None}
        return await self._transport.call("PATCH", _path(tenant_id), StoreSettings, json=body)

    async def search(
        self, tenant_id: str, query: str, *, top_k: int | None = None, account_id: str | None = None
    ) -> list[SearchHit]:
        """Return the passages that a model would be handed for this question."""
        body = present(query=query, topK=top_k, accountId=account_id)
        return (await self._transport.call("POST", f"{_path(tenant_id)}/search", _Hits, json=body)).results

    async def text(
        self, tenant_id: str, file_id: str, *, page: int | None = None, start: int | None = None, limit: int | None = None
    ) -> FileText:
        """Return a part of a file's text: of a page or the whole, from a character on, so many at most."""
        path = f"{_path(tenant_id)}/files/{step(file_id)}/text"
        return await self._transport.call("GET", path, FileText, params=present(page=page, start=start, limit=limit))

    async def progress(self, tenant_id: str) -> Progress:
        """Return how far the newest operation is."""
        return await self._transport.call("GET", f"{_path(tenant_id)}/progress", Progress)

    async def live_progress(self, tenant_id: str) -> AsyncGenerator[Progress]:
        """Yield the progress as it changes, until it is no longer in progress."""
        async with self._transport.response("GET", f"{_path(tenant_id)}/progress", headers=EVENT_STREAM) as response:
            async for data in frames(response):
                if data == DONE:
                    return
                yield shaped(Progress, parsed(data))
        raise broken_off("The progress")

    async def sync(self, tenant_id: str, *, asset_ids: Sequence[str] | None = None) -> SyncStarted:
        """Begin to bring the store in line with the vault, or some assets of it; the sync that runs, new or not."""
        body = present(assetIds=None if asset_ids is None else list(asset_ids))
        return await self._transport.call("POST", f"{_path(tenant_id)}/sync", SyncStarted, json=body)

    async def refresh(self, tenant_id: str) -> Refreshed:
        """Return what a sync would do."""
        return await self._transport.call("POST", f"{_path(tenant_id)}/refresh", Refreshed)

    async def cancel(self, tenant_id: str) -> int:
        """Cancel the operation in progress; returns how many files left the queue."""
        return (await self._transport.call("DELETE", f"{_path(tenant_id)}/sync", _Cancelled)).cancelled_files


def _path(tenant_id: str) -> str:
    return f"{tenant_path(tenant_id)}/store"
