"""The pictures that a request names, whatever way it gives them, read and scaled.

What must stay true: a picture is a file of the request itself or an asset of the same tenant (whether the key may read the vault
is settled by then); all faults come at once, each under the index of its picture; however many pictures a tenant sends, few of
them wait before another tenant's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from tenantai.errors import Problem, ValidationFailed
from tenantai.pictures.picture import BYTES_MAX, TOO_LARGE, Picture, PictureRefused
from tenantai.pictures.pool import PicturePool
from tenantai.storage import assets
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database

WAITING_MAX = 2  # of a tenant, to be read at once or next
NO_ASSET = "is not the id of an asset in this tenant's vault"


@dataclass(frozen=True, slots=True)
class Given:
    """A picture as it was given: a file on disk, an asset's id, or what was wrong with it already; nothing where that is told."""

    path: Path | None = None
    asset_id: str = ""
    problem: str = ""


class Pictures:
    """Reads the pictures of requests."""

    def __init__(self, database: Database, blobs: Blobs, pool: PicturePool) -> None:
        self._database = database
        self._blobs = blobs
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self.pool = pool

    async def read(self, tenant_id: str, given: Sequence[Given]) -> list[Picture]:
        """Return the pictures, in order; raises ValidationFailed with the faults of all of them."""
        found = await self._all(tenant_id, given)
        if problems := _problems(found):
            raise ValidationFailed(problems)
        return [one for one in found if isinstance(one, Picture)]

    async def faults(self, tenant_id: str | None, given: Sequence[Given]) -> list[Problem]:
        """Return what is wrong with pictures of a request that is refused anyway; without a tenant assets are not looked up."""
        known = [Given() if one.asset_id and tenant_id is None else one for one in given]
        return _problems(await self._all(tenant_id or "", known))

    async def _all(self, tenant_id: str, given: Sequence[Given]) -> list[Picture | str]:
        """Return each picture, or what is wrong with it."""
        tasks = [asyncio.create_task(self._one(tenant_id, one)) for one in given]
        try:
            return [await task for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def turn(self, tenant_id: str) -> asyncio.Semaphore:
        """Return what lets so much work of a tenant through to the pool at a time."""
        return self._turns.setdefault(tenant_id, asyncio.Semaphore(WAITING_MAX))

    async def _one(self, tenant_id: str, given: Given) -> Picture | str:
        """Return a picture, or what is wrong with it; an empty sentence where that is told elsewhere."""
        if given == Given():
            return ""
        async with self.turn(tenant_id):
            try:
                return await self.pool.read(await self._place(tenant_id, given))
            except PictureRefused as refused:
                return str(refused)

    async def _place(self, tenant_id: str, given: Given) -> Path:
        if given.problem:
            raise PictureRefused(given.problem)
        if given.path is not None:
            return given.path
        asset = await assets.get(self._database.reading, tenant_id, asset_id=given.asset_id)
        if asset is None:
            raise PictureRefused(NO_ASSET)
        if asset.bytes > BYTES_MAX:
            raise PictureRefused(TOO_LARGE)
        return self._blobs.path(tenant_id, sha256=asset.sha256)


def _problems(found: Sequence[Picture | str]) -> list[Problem]:
    """Return the faults of pictures, each told by the picture's index."""
    return [{"field": f"images.{index}", "problem": one} for index, one in enumerate(found) if isinstance(one, str) and one]
