"""Metrics for Prometheus: to the operator's key, or to the machine itself."""

import asyncio
from ipaddress import ip_address

from aiohttp import web

from tenantai.errors import Forbidden
from tenantai.server.keys import DATABASE, LIVE_STREAMS, METER, METRICS, STREAM_SLOTS, VISIT
from tenantai.server.middlewares import ask_again, public
from tenantai.server.services.metering.ledger import Visit
from tenantai.server.services.metrics import Named, exposition

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")


@public
async def show(request: web.Request) -> web.Response:
    """Return what was counted since the start, in Prometheus' text format."""
    if not _is_local(request):
        await _require_operator(request)
    app = request.app
    families = await app[METRICS].families(
        names=_names(app),
        database=app[DATABASE],
        meter=app[METER],
        streams={"chat": app[STREAM_SLOTS], "live": app[LIVE_STREAMS]},
    )
    body, media_type = await asyncio.to_thread(exposition, families)
    return web.Response(body=body, headers={"Content-Type": media_type})


async def _require_operator(request: web.Request) -> None:
    """Raise Forbidden for any other key, whose request is counted in its limits and told in the audit log as elsewhere."""
    principal = await ask_again(request)
    if not principal.is_operator:
        visit = request[VISIT] = Visit(principal, await request.app[METER].ledger(principal.tenant))
        request.app[METER].admit(visit)
        raise Forbidden("Metrics are told to the operator's key, or to a client on the server's own machine.")


def _is_local(request: web.Request) -> bool:
    """Whether the client is on this machine, and no proxy that says it brought another one."""
    if request.remote is None or any(name in request.headers for name in FORWARDED):
        return False
    return ip_address(request.remote.partition("%")[0]).is_loopback


def _names(app: web.Application) -> dict[object, Named]:
    routes = app.router.routes()
    return {route: (route.method, route.resource.canonical) for route in routes if route.resource is not None}
