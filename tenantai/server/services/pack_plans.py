"""Whether the things of an estimate really fit the proposed unit, found out in a child process.

What must stay true: an estimate never fails for its plan; one that takes too long, or can't be made, is left out.
"""

import asyncio
from dataclasses import replace

import structlog

from tenantai.estimating.items import Estimate
from tenantai.server.services.estimate_telling import plan_read, written
from tenantai.server.services.pictures import Pictures
from tenantai.storage.blobs import Blobs

SECONDS_MAX = 8.0

logger = structlog.get_logger("tenantai.estimator")


class PackPlans:
    """Makes the plans of all tenants, in the processes that read pictures."""

    def __init__(self, blobs: Blobs, pictures: Pictures) -> None:
        self._blobs = blobs
        self._pictures = pictures

    async def with_plan(self, tenant_id: str, estimate: Estimate) -> Estimate:
        """Return an estimate with its plan, or with none."""
        unplanned = replace(estimate, pack_plan=None)
        if unplanned.storage_unit.tight is None:
            return unplanned
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return replace(unplanned, pack_plan=plan_read(await self._told(tenant_id, unplanned)))
        except TimeoutError:
            logger.warning("pack plan took too long", tenant_id=tenant_id)
            return unplanned

    async def _told(self, tenant_id: str, estimate: Estimate) -> str:
        async with self._blobs.workspace() as folder, self._pictures.turn(tenant_id):
            source = folder / "estimate.json"
            await asyncio.to_thread(lambda: source.write_text(written(estimate), encoding="utf-8"))
            return await self._pictures.pool.plan(source)
