"""What a tenant has used."""

from aiohttp import web

from tenantai.errors import Forbidden, NotFound
from tenantai.server.binding import query_of
from tenantai.server.keys import DATABASE, METER, STREAM_SLOTS
from tenantai.server.middlewares import success
from tenantai.server.principal import require
from tenantai.server.services.metering.report import report_of
from tenantai.storage import room, tenants
from tenantai.wire.usage import UsageQuery


async def show(request: web.Request) -> web.Response:
    """Return what a tenant has used of each of its limits."""
    principal = require(request, "usage:read")
    asked = query_of(request, UsageQuery)
    reading, tenant = request.app[DATABASE].reading, principal.tenant
    if asked.tenant_id is not None and asked.tenant_id != principal.tenant_id:
        if not principal.is_operator:
            raise Forbidden("This API key belongs to another tenant. Name the key's own tenant.")
        tenant = await tenants.get(reading, asked.tenant_id)
        if tenant is None:
            raise NotFound("There is no such tenant. Check tenantId.")
    meter = request.app[METER]
    ledger = await meter.ledger(tenant)
    report = await report_of(
        reading,
        ledger,
        streams=request.app[STREAM_SLOTS].used(ledger.tenant.id),
        storage_bytes=await room.bytes_used(reading, ledger.tenant.id),
        moment=meter.now(),
    )
    return success(report.json_ready())
