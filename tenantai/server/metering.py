"""The HTTP side of metering: a request let in, written down before its answer, and the four usage headers.

What must stay true: every answer to a known key carries the headers, errors and streams too, and is written down exactly once.
"""

from collections.abc import MutableMapping

from aiohttp import web
from multidict import istr

from tenantai.server.keys import DATABASE, METER, TERMS, VISIT
from tenantai.server.services.credentials import Principal
from tenantai.server.services.metering.ledger import Ledger, Visit
from tenantai.server.services.metering.meter import Meter
from tenantai.settings import Plan
from tenantai.storage import tenants

REQUESTS_REMAINING = istr("X-Usage-Requests-Remaining")
TOKENS_REMAINING = istr("X-Usage-Tokens-Remaining")
REQUESTS_PERCENT = istr("X-Usage-Requests-Percent")
TOKENS_PERCENT = istr("X-Usage-Tokens-Percent")
USAGE_HEADERS = (REQUESTS_REMAINING, TOKENS_REMAINING, REQUESTS_PERCENT, TOKENS_PERCENT)
REFUSED = 429


async def plan_in_path(request: web.Request, principal: Principal) -> Plan:
    """Return the limits of the tenant that the path names."""
    if principal.tenant is not None:
        return request[VISIT].ledger.plan
    tenant = await tenants.get(request.app[DATABASE].reading, request.match_info["tenant_id"])
    return request.app[TERMS].of(tenant) if tenant is not None else request[VISIT].ledger.plan


def endpoint_of(request: web.Request) -> str:
    """Return a request's endpoint: the method and the route's path, its ids left out."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else ''}"


def write_down(meter: Meter, request: web.Request, visit: Visit, status: int) -> None:
    """Write a request down, once; before its answer goes out."""
    if visit.is_written_down:
        return
    visit.is_written_down = True
    if status == REFUSED:
        meter.note_refusal(visit, endpoint=endpoint_of(request))
    else:
        meter.note_request(visit, route=request.match_info.route, status=status, endpoint=endpoint_of, of=request)


def begin(request: web.Request, response: web.StreamResponse) -> None:
    """Write a request down and give its answer the headers, before the answer begins; for those that are sent in pieces."""
    visit = request[VISIT]
    write_down(request.app[METER], request, visit, response.status)
    add_usage(response.headers, visit.ledger)


def add_usage(headers: MutableMapping[str, str], ledger: Ledger) -> None:
    """Put the usage headers to an answer's."""
    (
        headers[REQUESTS_REMAINING],
        headers[TOKENS_REMAINING],
        headers[REQUESTS_PERCENT],
        headers[TOKENS_PERCENT],
    ) = ledger.headers()
