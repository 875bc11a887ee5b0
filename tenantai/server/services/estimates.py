"""Estimates that are kept: edited, approved, deleted, exported.

What must stay true: a change and its audit entry are one transaction; a change of items takes any approval back; of two changes
at once one is told of the other.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tenantai.errors import Conflict, NotFound, Problem, TenantaiError, ValidationFailed
from tenantai.estimating.editing import Edits, all_items, edited
from tenantai.estimating.items import Estimate, Finding
from tenantai.estimating.table import as_csv
from tenantai.identifiers import new_id, timestamp
from tenantai.pictures.picture import PictureRefused
from tenantai.pictures.pool import PicturePool
from tenantai.server.services import estimate_entries
from tenantai.server.services.documents import remove_unused
from tenantai.server.services.estimate_telling import read, written
from tenantai.server.services.pack_plans import PackPlans
from tenantai.storage import estimates, tenants
from tenantai.storage.audit import Actor
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database, Transaction
from tenantai.storage.estimates import KeptEstimate
from tenantai.wire.audit import EventType
from tenantai.wire.estimator import EstimateChange, ItemAdded

ITEMS_MAX = 2_000
INCOMPLETE = {
    "partial": "not all photos could be looked at whole",
    "interrupted": "broken off before its end",
    "failed": "failed before its end",
}
NO_ESTIMATE = "There is no such estimate in this tenant. Check the id."
STILL_RUNNING = "This estimate is still being made. Wait for its end."
CHANGED_MEANWHILE = "This estimate was changed meanwhile. Read it again, and send the change with its version."
NO_SUCH_ITEMS = "The estimate has no such items. Read it again; details names them."
NO_ITEM = "is not the id of an item of this estimate"


class Estimates:
    """The kept estimates of all tenants."""

    def __init__(self, database: Database, blobs: Blobs, pool: PicturePool, *, plans: PackPlans) -> None:
        self._database = database
        self._blobs = blobs
        self._pool = pool
        self._plans = plans

    async def edit(self, kept: KeptEstimate, change: EstimateChange, *, actor: Actor) -> KeptEstimate:
        """Change items; the totals follow, and an approval is taken back. Raises NotFound, ValidationFailed or Conflict.

        A change that names nothing leaves the estimate, and its approval, as they are.
        """
        if kept.status == "running":
            raise Conflict(STILL_RUNNING)
        if change.version is not None and change.version != kept.version:
            raise Conflict(CHANGED_MEANWHILE)
        if not (change.items or change.remove or change.add):
            return kept
        estimate = await self._plans.with_plan(kept.tenant_id, await asyncio.to_thread(_edited, kept, change))
        details = {"items_changed": len(change.items), "items_removed": len(change.remove), "items_added": len(change.add)}
        renewed = replace(
            kept,
            item_count=len(estimate.items),
            volume_m3=estimate.volume_m3.typical,
            weight_kg=estimate.weight_kg.typical,
            report=await asyncio.to_thread(written, estimate),
            version=kept.version + 1,
            approved_at=None,
            approved_by=None,
            updated_at=timestamp(),
        )
        return await self._change(kept, renewed, event_type="estimate.edited", details=details, actor=actor)

    async def approve(self, kept: KeptEstimate, *, actor: Actor) -> KeptEstimate:
        """Approve an estimate as it is now; one that is approved stays as it was. Raises Conflict."""
        if kept.approved_at is not None:
            return kept
        if kept.status == "running":
            raise Conflict(STILL_RUNNING)
        moment = timestamp()
        approved = replace(kept, approved_at=moment, approved_by=actor.name, version=kept.version + 1, updated_at=moment)
        return await self._change(kept, approved, event_type="estimate.approved", details={}, actor=actor)

    async def delete(self, kept: KeptEstimate, *, actor: Actor) -> None:
        """Delete an estimate with its pictures. Raises NotFound, or Conflict while it is being made."""
        if kept.status == "running":
            raise Conflict(STILL_RUNNING)

        async def unit(transaction: Transaction) -> set[str]:
            pictures = await estimates.pictures_of(transaction, kept.tenant_id, estimate_id=kept.id)
            if not await estimates.delete(transaction, kept.tenant_id, estimate_id=kept.id):
                raise NotFound(NO_ESTIMATE)
            await estimate_entries.record(
                transaction, kept, "estimate.deleted", actor, before=_told(kept), details={"pictures": len(pictures)}
            )
            return {picture.sha256 for picture in pictures}

        async with self._blobs.lock(kept.tenant_id):
            unused = await self._database.write(unit)
            await remove_unused(self._database, self._blobs, kept.tenant_id, unused)

    async def export(self, kept: KeptEstimate, *, form: str, folder: Path) -> BinaryIO:
        """Return an open file with the estimate as CSV, or as PDF with its pictures. Raises TenantaiError."""
        output = folder / f"estimate.{form}"
        if form == "csv":
            await asyncio.to_thread(lambda: output.write_text(as_csv(read(kept.report)), encoding="utf-8", newline=""))
        else:
            await self._write_pdf(kept, output, folder)
        return await asyncio.to_thread(output.open, "rb")

    async def _write_pdf(self, kept: KeptEstimate, output: Path, folder: Path) -> None:
        pictures = await estimates.pictures_of(self._database.reading, kept.tenant_id, estimate_id=kept.id)
        place: Callable[[str], str] = lambda sha256: str(self._blobs.path(kept.tenant_id, sha256=sha256))  # noqa: E731
        source = folder / "estimate.json"
        await asyncio.to_thread(lambda: source.write_text(written(read(kept.report)), encoding="utf-8"))
        photos = {str(picture.image): place(picture.sha256) for picture in pictures}
        document = await self._document(kept)
        try:
            await self._pool.report(estimate=str(source), photos=photos, document=document, output=str(output))
        except PictureRefused as refused:
            raise TenantaiError from refused

    async def _document(self, kept: KeptEstimate) -> dict[str, str]:
        """Return what the PDF says of itself."""
        tenant = await tenants.get(self._database.reading, kept.tenant_id)
        approved = f"Approved on {_day(kept.approved_at)}" if kept.approved_at else "Draft, not approved"
        incomplete = "" if kept.status == "complete" else f", {INCOMPLETE.get(kept.status, kept.status)}"
        return {
            "company": tenant.name if tenant else "",
            "reference": kept.id,
            "day": f"{_day(kept.updated_at)}, version {kept.version}",
            "state": approved + incomplete,
            "unit": kept.unit,
        }

    async def _change(
        self, kept: KeptEstimate, renewed: KeptEstimate, *, event_type: EventType, details: dict[str, int], actor: Actor
    ) -> KeptEstimate:
        async def unit(transaction: Transaction) -> None:
            if not await estimates.change(transaction, kept.tenant_id, estimate=renewed, of_version=kept.version):
                raise Conflict(CHANGED_MEANWHILE)
            told = {"before": _told(kept), "after": _told(renewed)}
            await estimate_entries.record(transaction, kept, event_type, actor, **told, details=details)

        await self._database.write(unit)
        return renewed


def _day(moment: str) -> str:
    """Return the day of a time as people write it."""
    day = datetime.fromisoformat(moment)
    return f"{day.day} {day:%B %Y}"


def _told(kept: KeptEstimate) -> dict[str, object]:
    """Return what the audit log tells of an estimate: figures, no words."""
    return {
        "version": kept.version,
        "item_count": kept.item_count,
        "volume_m3": round(kept.volume_m3, 3),
        "weight_kg": round(kept.weight_kg, 1),
        "approved_at": kept.approved_at,
    }


def _edited(kept: KeptEstimate, change: EstimateChange) -> Estimate:
    """Return the estimate as a person changes it; raises NotFound for items that there are not, every one named."""
    estimate = read(kept.report)
    known = {item.id for item in all_items(estimate)}
    named = [
        *((f"items.{at}.id", item.id) for at, item in enumerate(change.items)),
        *((f"remove.{at}", item_id) for at, item_id in enumerate(change.remove)),
    ]
    unknown = [Problem(field=field, problem=NO_ITEM) for field, item_id in named if item_id not in known]
    if unknown:
        raise NotFound(NO_SUCH_ITEMS, details=unknown)
    if len(known) + len(change.add) > ITEMS_MAX:
        raise ValidationFailed([Problem(field="add", problem=f"would make it more than {ITEMS_MAX} items")])
    changed = {item.id: item.model_dump(exclude_unset=True, exclude={"id"}) for item in change.items}
    edits = Edits(changed, set(change.remove), [_finding(added) for added in change.add])
    return edited(estimate, edits, new_ids=[new_id() for _ in change.add])


def _finding(added: ItemAdded) -> Finding:
    return Finding(image=0, confidence=1.0, **added.model_dump())
