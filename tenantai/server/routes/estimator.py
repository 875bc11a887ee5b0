"""The estimator: pictures in, an inventory out, item by item or whole."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from aiohttp import web

from tenantai.errors import NotFound, Unauthorized, ValidationFailed
from tenantai.pictures.picture import Picture
from tenantai.server.idempotency import claim, idempotent_in_form
from tenantai.server.key_watch import watched
from tenantai.server.keys import BLOBS, DATABASE, ESTIMATE_ID_HEADER, ESTIMATOR, METER, PICTURES, REQUEST_ID, STREAM_SLOTS, VISIT
from tenantai.server.metering import endpoint_of
from tenantai.server.middlewares import success
from tenantai.server.picture_bodies import sent_in
from tenantai.server.principal import acting, own_account, own_tenant, require, require_vault_reading
from tenantai.server.services.analysis_turn import AnalysisTurn
from tenantai.server.services.credentials import Principal
from tenantai.server.services.metering.ledger import Ledger
from tenantai.server.services.pictures import Given
from tenantai.server.services.tools.photos import Estimate
from tenantai.server.sse import UI_MESSAGE_STREAM, event_stream
from tenantai.storage import tenants
from tenantai.wire.estimator import SummaryTold, Unit

Answer = TypeVar("Answer", bound=web.StreamResponse)
SCOPE = "estimator:analyze"
KEY_GONE = "The API key may not analyze any more: it was revoked, has expired or lost its scope. The analysis was stopped."


def _wants_whole(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/event-stream" not in accepted


@idempotent_in_form(_wants_whole)
async def analyze(request: web.Request) -> web.StreamResponse:
    """Find out what stands in pictures, how much room it takes, and what holds it."""
    return await (_analysed(request, _told_whole) if _wants_whole(request) else _analysed(request, _streamed))


async def _analysed(request: web.Request, answer: Callable[[web.Request, AnalysisTurn], Awaitable[Answer]]) -> Answer:
    principal = require(request, SCOPE)
    ledger = request[VISIT].ledger
    ledger.require_tokens(request.app[METER].now())
    with request.app[STREAM_SLOTS].taken(ledger.tenant.id, limit=ledger.plan.streams):
        turn = await _begun(request, principal)
        try:
            end = partial(turn.end, Unauthorized(KEY_GONE))
            with watched(request, principal, scope=SCOPE, on_refused=end):
                return await answer(request, turn)
        finally:
            await request.app[ESTIMATOR].settle(turn)


async def _begun(request: web.Request, principal: Principal) -> AnalysisTurn:
    """Read the body and its pictures, and begin; what was sent is gone from the disk then."""
    blobs, pictures = request.app[BLOBS], request.app[PICTURES]
    async with blobs.workspace() as folder:
        sent = await sent_in(request, blobs=blobs, pool=pictures.pool, folder=folder)
        asked, given = sent.analysis, sent.pictures
        _refuse_assets(principal, given)
        if asked is None:
            faults = await pictures.faults(principal.tenant_id, given)
            raise ValidationFailed([*sent.problems, *faults])
        tenant_id = own_tenant(principal, asked.tenant_id)
        account_id = own_account(principal, asked.account_id)
        ledger = await _ledger_of(request, principal, tenant_id)
        found = await pictures.read(tenant_id, given)
    fields = (tenant_id, account_id or "", asked.unit)
    await claim(request, *(field.encode() for field in fields), *(picture.content for picture in found))
    turn = await _kept(request, principal, ledger, found, account_id=account_id, unit=asked.unit)
    turn.is_compatible = request.headers.get("x-tenantai-stream") == "compat"
    return turn


async def _kept(
    request: web.Request,
    principal: Principal,
    ledger: Ledger,
    pictures: Sequence[Picture],
    *,
    account_id: str | None,
    unit: Unit = "metric",
) -> AnalysisTurn:
    """Begin an analysis that is counted in a ledger."""
    turn = await request.app[ESTIMATOR].begin(
        ledger.tenant.id,
        pictures,
        account_id=account_id,
        unit=unit,
        request_id=request[REQUEST_ID],
        stream_seconds=ledger.plan.stream_seconds,
        storage_bytes_max=ledger.plan.storage_bytes,
        actor=acting(request),
    )
    meter, endpoint = request.app[METER], endpoint_of(request)
    charge = meter.open_charge(ledger, principal, endpoint=endpoint, model=turn.kept.model, counted=lambda: turn.counted)
    turn.charge = charge.settle
    return turn


def of_assets(request: web.Request, principal: Principal, ledger: Ledger, account_id: str | None) -> Estimate | None:
    """Return what estimates from a chat's assets, in the name of its key; None where the key may not."""
    if SCOPE not in principal.scopes:
        return None

    async def estimate(asset_ids: Sequence[str]) -> SummaryTold:
        given = [Given(asset_id=asset_id.lower()) for asset_id in asset_ids]
        _refuse_assets(principal, given)
        found = await request.app[PICTURES].read(ledger.tenant.id, given)
        ledger.require_tokens(request.app[METER].now())
        return await request.app[ESTIMATOR].of_pictures(await _kept(request, principal, ledger, found, account_id=account_id))

    return estimate


def _refuse_assets(principal: Principal, given: Sequence[Given]) -> None:
    """Raise Forbidden where a picture is an asset of the vault, which the key may not read."""
    if any(one.asset_id for one in given):
        require_vault_reading(principal)


async def _ledger_of(request: web.Request, principal: Principal, tenant_id: str) -> Ledger:
    """Return the ledger that an analysis is counted in: the tenant's, also where the operator asks for it."""
    if not principal.is_operator:
        return request[VISIT].ledger
    tenant = await tenants.get(request.app[DATABASE].reading, tenant_id)
    if tenant is None:
        raise NotFound("There is no such tenant. Check tenantId.")
    ledger = await request.app[METER].ledger(tenant)
    ledger.require_tokens(request.app[METER].now())
    return ledger


async def _streamed(request: web.Request, turn: AnalysisTurn) -> web.StreamResponse:
    headers = {**UI_MESSAGE_STREAM, ESTIMATE_ID_HEADER: turn.id}
    async with event_stream(request, headers=headers) as (stream, response):
        await request.app[ESTIMATOR].run(turn, stream.send)
        stream.end()
    return response


async def _told_whole(request: web.Request, turn: AnalysisTurn) -> web.Response:
    await request.app[ESTIMATOR].of_pictures(turn)
    response = success(turn.whole().json_ready())
    response.headers[ESTIMATE_ID_HEADER] = turn.id
    return response
