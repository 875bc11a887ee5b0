"""Estimates that are kept."""

import asyncio

from aiohttp import web

from tenantai.errors import NotFound, ValidationFailed
from tenantai.server.binding import body_of, query_of
from tenantai.server.keys import BLOBS, DATABASE, ESTIMATES, IDEMPOTENCY
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, own_tenant, require
from tenantai.server.routes import exports
from tenantai.server.routes.estimator import SCOPE
from tenantai.server.sending import send_file
from tenantai.server.services.estimate_telling import read, record_of, summary_told
from tenantai.server.services.estimates import NO_ESTIMATE
from tenantai.storage import across_tenants, estimates
from tenantai.storage.estimates import KeptEstimate
from tenantai.wire.estimator import EstimateChange, EstimatesQuery, ExportQuery, PictureTold, SummaryTold


async def page(request: web.Request) -> web.Response:
    """Return estimates without their items, the newest first."""
    principal = require(request, SCOPE)
    asked_for = query_of(request, EstimatesQuery)
    tenant_id = asked_for.tenant_id or principal.tenant_id
    if tenant_id is None:
        raise ValidationFailed([{"field": "tenantId", "problem": "is required with the operator's key"}])
    own_tenant(principal, tenant_id)
    account_id = own_account(principal, asked_for.account_id)
    asked = page_of(request, "estimates", tenant_id, account_id)
    found = await estimates.page(
        request.app[DATABASE].reading, tenant_id, account_id=account_id, before=asked.after_id, row_count=asked.row_count
    )
    shown, following = asked.cut(found, lambda kept: (kept.id,))
    return success({"estimates": [record_of(kept) for kept in shown], "nextCursor": following})


async def show(request: web.Request) -> web.Response:
    """Return an estimate with all its items."""
    return await _shown(request, await _own(request))


async def change(request: web.Request) -> web.Response:
    """Change, remove and add items; the totals follow, and an approval is taken back."""
    kept = await _own(request)
    body = await body_of(request, EstimateChange)
    return await _shown(request, await request.app[ESTIMATES].edit(kept, body, actor=acting(request)))


async def approve(request: web.Request) -> web.Response:
    """Approve an estimate as it is now; the next change takes that back."""
    kept = await request.app[ESTIMATES].approve(await _own(request), actor=acting(request))
    return success(record_of(kept))


async def delete(request: web.Request) -> web.Response:
    """Delete an estimate with its pictures; one that is still made, though its client has left, is stopped first."""
    kept = await _own(request)
    if await request.app[IDEMPOTENCY].stop(kept.id):
        kept = await _own(request)
    await request.app[ESTIMATES].delete(kept, actor=acting(request))
    return success({"id": kept.id, "deleted": True})


async def export(request: web.Request) -> web.StreamResponse:
    """Send an estimate as CSV, or as PDF with its pictures, in which the items are marked."""
    kept = await _own(request)
    form = query_of(request, ExportQuery).format
    async with request.app[BLOBS].workspace() as folder:
        file = await request.app[ESTIMATES].export(kept, form=form, folder=folder)
        return await exports.send_file(request, file, name="estimate", form=form)


async def picture(request: web.Request) -> web.StreamResponse:
    """Send a picture of an estimate as it was looked at: JPEG, counted from 0."""
    kept = await _own(request)
    wanted = request.match_info["image"]
    found = await estimates.pictures_of(request.app[DATABASE].reading, kept.tenant_id, estimate_id=kept.id)
    held = next((held for held in found if str(held.image) == wanted), None)
    if held is None:
        raise NotFound("This estimate has no such picture. They count from 0.")
    place = request.app[BLOBS].path(kept.tenant_id, sha256=held.sha256)
    return await send_file(request, place, sha256=held.sha256, media_type="image/jpeg", name=f"{wanted}.jpg")


async def _own(request: web.Request) -> KeptEstimate:
    """Return the estimate of the path: 404 where this tenant, or the account that the key is bound to, has none by that id."""
    principal = require(request, SCOPE)
    estimate_id, reading = request.match_info["estimate_id"], request.app[DATABASE].reading
    tenant_id = principal.tenant_id
    if tenant_id is None:
        tenant_id = await across_tenants.tenant_of_estimate(reading, estimate_id=estimate_id)
    kept = await estimates.get(reading, tenant_id, estimate_id=estimate_id) if tenant_id is not None else None
    if kept is None or (principal.account_id is not None and kept.account_id != principal.account_id):
        raise NotFound(NO_ESTIMATE)
    return kept


async def _shown(request: web.Request, kept: KeptEstimate) -> web.Response:
    found = await estimates.pictures_of(request.app[DATABASE].reading, kept.tenant_id, estimate_id=kept.id)
    pictures = [
        PictureTold.model_validate({"image": held.image, "status": held.status, "items": 0, "problem": held.problem})
        for held in found
    ]
    told = await asyncio.to_thread(_told, kept, pictures)
    return success({"estimate": record_of(kept), "summary": told})


def _told(kept: KeptEstimate, pictures: list[PictureTold]) -> dict[str, object]:
    unit = "imperial" if kept.unit == "imperial" else "metric"
    estimate = read(kept.report)
    counts: dict[int, int] = {}
    for item in (*estimate.items, *estimate.needs_review, *estimate.excluded):
        for image in item.appears_in:
            counts[image] = counts.get(image, 0) + 1
    told = [held.model_copy(update={"items": counts.get(held.image, 0)}) for held in pictures]
    summary: SummaryTold = summary_told(estimate, estimate_id=kept.id, status=kept.status, unit=unit, pictures=told)  # type: ignore[arg-type]
    return summary.json_ready()
