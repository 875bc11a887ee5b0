"""A read-only SQL box over the analytics."""

import asyncio

from aiohttp import web

from tenantai.errors import Forbidden, NotFound
from tenantai.server.binding import body_of
from tenantai.server.keys import ANALYTICS_FEED, DATABASE, SQL_BOX
from tenantai.server.middlewares import success
from tenantai.server.principal import own_tenant, require
from tenantai.server.services.credentials import OPERATOR_SCOPE, Principal
from tenantai.storage import tenants
from tenantai.wire.analytics import AnalyticsQuestion

CATCH_UP_SECONDS = 1.0
USAGE_TABLES, AUDIT_TABLES = ("usage_events", "usage_hours"), ("audit_entries",)


async def query(request: web.Request) -> web.Response:
    """Return what a SELECT comes to over the rows that the key may see."""
    principal = require(request, "usage:read")
    question = await body_of(request, AnalyticsQuestion)
    if principal.account_id is not None:
        raise Forbidden("Analytics concern the whole tenant. Use a key that is not bound to an account.")
    tenant_id = await _tenant(request, principal, question.tenant_id)
    names = (*USAGE_TABLES, *(AUDIT_TABLES if "audit:read" in principal.scopes else ()))
    await request.app[ANALYTICS_FEED].catch_up(seconds=CATCH_UP_SECONDS)
    answer = await request.app[SQL_BOX].ask(question.sql, tenant_id=tenant_id, names=names, row_count=question.limit)
    return await asyncio.to_thread(lambda: success(answer.json_ready()))


async def _tenant(request: web.Request, principal: Principal, named: str | None) -> str | None:
    """Return whose rows are asked: the key's own tenant's; the operator names a tenant, or asks all (None)."""
    if named is not None and named != principal.tenant_id:
        own_tenant(principal, named)
        if await tenants.get(request.app[DATABASE].reading, named) is None:
            raise NotFound("There is no such tenant. Check the id.")
        return named
    return named if OPERATOR_SCOPE in principal.scopes else principal.tenant_id or ""
