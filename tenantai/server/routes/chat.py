"""Chat: a question in, a cited answer out, piece by piece or whole."""

from functools import partial

from aiohttp import web

from tenantai.errors import NotFound, Unauthorized
from tenantai.server.binding import body_of
from tenantai.server.idempotency import idempotent_in_form
from tenantai.server.key_watch import watched
from tenantai.server.keys import CHAT_MODEL, CHAT_TURNS, CONVERSATION_ID_HEADER, DATABASE, METER, REQUEST_ID, STREAM_SLOTS, VISIT
from tenantai.server.metering import endpoint_of
from tenantai.server.middlewares import success
from tenantai.server.principal import acting, own_account, own_tenant, require
from tenantai.server.routes.estimator import of_assets
from tenantai.server.services.answering import ChatTurn, usage_of
from tenantai.server.sse import UI_MESSAGE_STREAM, event_stream
from tenantai.storage import tenants
from tenantai.wire.chat import Answer, ChatMessage
from tenantai.wire.events import Event

KEY_GONE = "The API key may not chat any more: it was revoked, has expired or lost its scope. The answer was stopped."


def _wants_whole(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/event-stream" not in accepted


@idempotent_in_form(_wants_whole)
async def chat(request: web.Request) -> web.StreamResponse:
    """Answer a message out of the tenant's documents."""
    principal = require(request, "chat:create")
    body = await body_of(request, ChatMessage)
    tenant_id = own_tenant(principal, body.tenant_id)
    account_id = own_account(principal, body.account_id)
    tenant = await tenants.get(request.app[DATABASE].reading, tenant_id) if principal.is_operator else None
    if principal.is_operator and tenant is None:
        raise NotFound("There is no such tenant. Check tenantId.")
    meter, ledger = request.app[METER], request[VISIT].ledger
    if tenant is not None:
        ledger = await meter.ledger(tenant)
    plan = ledger.plan
    ledger.require_tokens(meter.now())
    with request.app[STREAM_SLOTS].taken(tenant_id, limit=plan.streams):
        turn = await request.app[CHAT_TURNS].prepare(
            body,
            account_id=account_id,
            request_id=request[REQUEST_ID],
            stream_seconds=plan.stream_seconds,
            actor=acting(request),
        )
        model, endpoint = request.app[CHAT_MODEL].model, endpoint_of(request)
        charge = meter.open_charge(ledger, principal, endpoint=endpoint, model=model, counted=lambda: turn.counted)
        turn.charge = charge.settle
        turn.estimate = of_assets(request, principal, ledger, account_id)
        turn.is_compatible = request.headers.get("x-tenantai-stream") == "compat"
        end = partial(turn.end, Unauthorized(KEY_GONE))
        with watched(request, principal, scope="chat:create", on_refused=end):
            if _wants_whole(request):
                return await _whole(request, turn)
            return await _streamed(request, turn)


async def _streamed(request: web.Request, turn: ChatTurn) -> web.StreamResponse:
    headers = {**UI_MESSAGE_STREAM, CONVERSATION_ID_HEADER: turn.conversation_id}
    async with event_stream(request, headers=headers) as (stream, response):
        await request.app[CHAT_TURNS].run(turn, stream.send)
        stream.end()
    return response


async def _whole(request: web.Request, turn: ChatTurn) -> web.Response:
    await request.app[CHAT_TURNS].run(turn, _unsent)
    if turn.error is not None:
        raise turn.error
    answer = Answer(
        conversation_id=turn.conversation_id,
        message_id=turn.message_id,
        text=turn.text,
        citations=turn.cited,
        tool_calls=turn.tool_calls,
        finish_reason=turn.finish_reason,
        model=request.app[CHAT_MODEL].model,
        usage=usage_of(turn.usage),
    )
    response = success(answer.json_ready())
    response.headers[CONVERSATION_ID_HEADER] = turn.conversation_id
    return response


async def _unsent(_event: Event) -> None:
    """Take an event that nobody reads: the whole answer is in the turn."""
