"""Conversations that were."""

from aiohttp import web

from tenantai.errors import Forbidden, NotFound, ValidationFailed
from tenantai.server.binding import page_of
from tenantai.server.keys import DATABASE
from tenantai.server.middlewares import success
from tenantai.server.principal import own_account, own_tenant, require
from tenantai.server.services.credentials import Principal
from tenantai.storage import across_tenants, conversations
from tenantai.storage.conversations import Conversation
from tenantai.storage.database import Transaction
from tenantai.wire.chat import ConversationRecord, MessageRecord

NO_CHAT = "There is no such conversation. Check the id."


async def conversations_page(request: web.Request) -> web.Response:
    """Return conversations, the latest first."""
    principal = require(request, "chat:read")
    tenant_id = _tenant(request, principal)
    account_id = own_account(principal, request.query.get("accountId"))
    limit, cursor = page_of(request)
    updated_at, _, last_id = cursor.partition("~")
    found = await conversations.page(
        request.app[DATABASE].reading,
        tenant_id,
        account_id=account_id,
        text=request.query.get("q"),
        before=(updated_at, last_id) if cursor else ("~", "~"),
        row_count=limit + 1,
    )
    last = found[limit - 1] if len(found) > limit else None
    return success(
        {
            "conversations": [ConversationRecord.model_validate(c).json_ready() for c in found[:limit]],
            "nextCursor": f"{last.updated_at}~{last.id}" if last else None,
        }
    )


async def conversation(request: web.Request) -> web.Response:
    """Return a conversation's messages in order."""
    principal = require(request, "chat:read")
    held, tenant_id = await _own_conversation(request, principal)
    limit, cursor = page_of(request)
    found = await conversations.messages_page(
        request.app[DATABASE].reading, tenant_id, conversation_id=held.id, after=cursor, row_count=limit + 1
    )
    return success(
        {
            "conversation": ConversationRecord.model_validate(held).json_ready(),
            "messages": [MessageRecord.model_validate(m).json_ready() for m in found[:limit]],
            "nextCursor": found[limit - 1].id if len(found) > limit else None,
        }
    )


async def delete(request: web.Request) -> web.Response:
    """Delete a conversation with its messages, for good."""
    principal = require(request, "chat:delete")
    held, tenant_id = await _own_conversation(request, principal)

    async def unit(transaction: Transaction) -> bool:
        return await conversations.delete(transaction, tenant_id, conversation_id=held.id)

    if not await request.app[DATABASE].write(unit):
        raise NotFound(NO_CHAT)
    return success({"id": held.id, "deleted": True})


def _tenant(request: web.Request, principal: Principal) -> str:
    tenant_id = request.query.get("tenantId") or principal.tenant_id
    if tenant_id is None:
        raise ValidationFailed([{"field": "tenantId", "problem": "is required with the operator's key"}])
    return own_tenant(principal, tenant_id)


async def _own_conversation(request: web.Request, principal: Principal) -> tuple[Conversation, str]:
    """Return the conversation of the path and its tenant: 404 where none exists, 403 where it is another's."""
    chat_id, reading = request.match_info["chat_id"], request.app[DATABASE].reading
    tenant_id = await across_tenants.tenant_of_conversation(reading, conversation_id=chat_id)
    if tenant_id is None:
        raise NotFound(NO_CHAT)
    held = await conversations.get(reading, own_tenant(principal, tenant_id), conversation_id=chat_id)
    if held is None:
        raise NotFound(NO_CHAT)
    if principal.account_id is not None and held.account_id != principal.account_id:
        raise Forbidden("This API key is bound to another account than the conversation.")
    return held, tenant_id
