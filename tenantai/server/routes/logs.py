"""The server's own log, for the operator: its last lines, and a live tail."""

from functools import partial

from aiohttp import web

from tenantai.errors import NotReady, Unauthorized
from tenantai.server.binding import query_of
from tenantai.server.keys import LOG_TAIL
from tenantai.server.log_ring import Wanted
from tenantai.server.middlewares import ask_again, success
from tenantai.server.principal import require
from tenantai.server.services.credentials import OPERATOR_SCOPE
from tenantai.server.tails import last_event_id, send_tail
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.wire.logs import LogPage, LogQuery


async def show(request: web.Request) -> web.StreamResponse:
    """Return the last lines, the newest first; live where the client accepts an event stream."""
    require(request, OPERATOR_SCOPE)
    query = query_of(request, LogQuery)
    wanted = Wanted(query.level, query.q or None, query.tenant_id or None)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _tail(request, wanted)
    tail = request.app[LOG_TAIL]
    last = tail.last
    lines = await tail.newest(wanted, count=query.limit)
    return success(LogPage(lines=lines, last_event_id=str(max(last, lines[0].id if lines else 0))).json_ready())


async def _tail(request: web.Request, wanted: Wanted) -> web.StreamResponse:
    """Send lines as they are written, from `Last-Event-ID` on, else from now.

    One from before the server's last start means all that is kept.
    """
    tail, given = request.app[LOG_TAIL], last_event_id(request)
    after = tail.last if given is None else given if given <= tail.last else 0
    return await send_tail(
        request,
        tail.lines(wanted, after=after),
        of=OPERATOR_CHAIN,
        still_allowed=partial(_refuse_unless_still_allowed, request),
        event=lambda line: (line.id, line.json_ready()),
    )


async def _refuse_unless_still_allowed(request: web.Request) -> None:
    """Raise Unauthorized where the key may not have this stream any more; a database that can't be asked ends none."""
    try:
        now = await ask_again(request)
    except NotReady:
        return
    if OPERATOR_SCOPE not in now.scopes:
        raise Unauthorized
