"""What is happening now, for the operator's first page."""

from aiohttp import web

from tenantai.server.binding import query_of
from tenantai.server.keys import OVERVIEWS
from tenantai.server.middlewares import success
from tenantai.server.principal import require
from tenantai.server.services.credentials import OPERATOR_SCOPE
from tenantai.wire.overview import OverviewQuery


async def show(request: web.Request) -> web.Response:
    """Return numbers over all tenants."""
    require(request, OPERATOR_SCOPE)
    query = query_of(request, OverviewQuery)
    return success((await request.app[OVERVIEWS].now(query.span)).json_ready())
