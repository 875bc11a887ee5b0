"""What a tenant used over time, counted or as a file of the events."""

from functools import partial

from aiohttp import web

from tenantai.errors import NotFound
from tenantai.server.binding import query_of
from tenantai.server.keys import ANALYTICS, ANALYTICS_FEED, DATABASE, EXPORTS, LIVE_STREAMS, QUESTIONS, VISIT
from tenantai.server.middlewares import success_of_json
from tenantai.server.principal import own_tenant, require
from tenantai.server.routes.exports import send_file
from tenantai.server.services.credentials import Principal
from tenantai.server.services.usage_history import answer, question, span_of
from tenantai.storage import tenants
from tenantai.storage.analytics_questions import Form, export_usage
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.wire.usage_history import UsageHistoryQuery

CATCH_UP_SECONDS = 1.0


async def history(request: web.Request) -> web.StreamResponse:
    """Return a span in intervals; an export of its events where that is asked for."""
    principal = require(request, "usage:read")
    query = query_of(request, UsageHistoryQuery)
    tenant_id = await _tenant(request, principal, query.tenant_id)
    feed = request.app[ANALYTICS_FEED]
    if query.format is not None:
        await feed.catch_up(seconds=CATCH_UP_SECONDS)
        return await _export(request, principal, query, tenant_id, form=query.format)
    span = span_of(query)
    await feed.catch_up(seconds=CATCH_UP_SECONDS)
    complete_through = feed.complete_through
    work = question(query, span, tenant_id, account_id=principal.account_id)
    buckets = await request.app[QUESTIONS].ask(tenant_id, work)
    return success_of_json(answer(query, span, buckets, complete_through=complete_through))


async def _tenant(request: web.Request, principal: Principal, named: str | None) -> str:
    """Return whose usage is asked for: the key's own tenant's; the operator names a tenant, or reads the operator's own."""
    tenant_id = named or principal.tenant_id
    if tenant_id is None:
        return OPERATOR_CHAIN
    if principal.is_operator and await tenants.get(request.app[DATABASE].reading, tenant_id) is None:
        raise NotFound("There is no such tenant. Check the id.")
    return own_tenant(principal, tenant_id)


async def _export(
    request: web.Request, principal: Principal, query: UsageHistoryQuery, tenant_id: str, *, form: Form
) -> web.StreamResponse:
    """Send the events themselves, oldest first."""
    work = partial(
        export_usage,
        request.app[ANALYTICS],
        tenant_id=tenant_id,
        form=form,
        since=query.since,
        until=query.until,
        account_id=principal.account_id,
    )
    with request.app[LIVE_STREAMS].taken(tenant_id, limit=request[VISIT].ledger.plan.streams):
        file = await request.app[EXPORTS].ask(tenant_id, work)
        return await send_file(request, file, name="usage", form=form)
