"""The server's own log, for the operator: its last lines, and a live tail."""

from aiohttp import web

from tenantai.errors import NotReady, Unauthorized, ValidationFailed
from tenantai.server.binding import query_of
from tenantai.server.keys import AUDIT_STREAMS, LOG_TAIL, VISIT
from tenantai.server.log_ring import Wanted
from tenantai.server.middlewares import ask_again, success
from tenantai.server.principal import require
from tenantai.server.services.credentials import OPERATOR_SCOPE
from tenantai.server.sse import event_stream
from tenantai.storage.audit import OPERATOR_CHAIN
from tenantai.wire.logs import LogPage, LogQuery

ID_DIGITS_MAX = 18
ENDED = "The key may no longer read this. The stream has ended."


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
    """Send lines as they are written, from `Last-Event-ID` on, else from now."""
    tail = request.app[LOG_TAIL]
    after = _resumed(request, tail.last)
    with request.app[AUDIT_STREAMS].taken(OPERATOR_CHAIN, limit=request[VISIT].ledger.plan.streams):
        async with event_stream(request, headers={}) as (stream, response):
            try:
                async for lines in tail.lines(wanted, after=after):
                    await _refuse_unless_still_allowed(request)
                    for line in lines:
                        await stream.send(line.json_ready(), event_id=str(line.id))
            except Unauthorized:
                await stream.send({"type": "error", "errorText": ENDED})
            stream.end()
    return response


def _resumed(request: web.Request, last: int) -> int:
    """Return the line behind which a tail begins; one from before the server's last start means all that is kept."""
    given = request.headers.get("Last-Event-ID", "")
    if not given:
        return last
    if not (given.isascii() and given.isdigit() and len(given) <= ID_DIGITS_MAX):
        raise ValidationFailed([{"field": "Last-Event-ID", "problem": "is not the id of an event of this stream"}])
    return int(given) if int(given) <= last else 0


async def _refuse_unless_still_allowed(request: web.Request) -> None:
    """Raise Unauthorized where the key may not have this stream any more; a database that can't be asked ends none."""
    try:
        now = await ask_again(request)
    except NotReady:
        return
    if OPERATOR_SCOPE not in now.scopes:
        raise Unauthorized
