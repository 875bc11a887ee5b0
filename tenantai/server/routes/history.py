"""Conversations that were."""

from contextlib import suppress

from aiohttp import web

from tenantai.errors import Forbidden, NotFound, ValidationFailed
from tenantai.identifiers import timestamp
from tenantai.server.binding import text_of
from tenantai.server.keys import DATABASE, IDEMPOTENCY
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, own_tenant, require
from tenantai.server.services.credentials import Principal
from tenantai.storage import across_tenants, audit, conversations, tool_approvals
from tenantai.storage.conversations import Conversation
from tenantai.storage.database import Transaction
from tenantai.storage.tool_approvals import ToolApproval
from tenantai.wire.chat import ConversationRecord, MessageRecord, PendingApproval

SOUGHT_CHARACTERS_MAX = 200
NO_CHAT = "There is no such conversation. Check the id."


async def conversations_page(request: web.Request) -> web.Response:
    """Return conversations, the latest first."""
    principal = require(request, "chat:read")
    tenant_id = _tenant(request, principal)
    account_id = own_account(principal, text_of(request, "accountId") or None)
    text = text_of(request, "q") or None
    if text and len(text) > SOUGHT_CHARACTERS_MAX:
        raise ValidationFailed([{"field": "q", "problem": f"must have at most {SOUGHT_CHARACTERS_MAX} characters"}])
    asked = page_of(request, "conversations", tenant_id, account_id, text, parts=2)
    database = request.app[DATABASE]
    found = await conversations.page(
        database.searching if text else database.reading,
        tenant_id,
        account_id=account_id,
        text=text,
        before=(asked.after[0], asked.after[1]) if asked.after else conversations.BEFORE_ALL,
        row_count=asked.row_count,
    )
    shown, following = asked.cut(found, lambda held: (held.updated_at, held.id))
    listed = [ConversationRecord.model_validate(held).json_ready() for held in shown]
    return success({"conversations": listed, "nextCursor": following})


async def conversation(request: web.Request) -> web.Response:
    """Return a conversation's messages in order."""
    principal = require(request, "chat:read")
    held, tenant_id = await _own_conversation(request, principal)
    asked = page_of(request, "messages", tenant_id, held.id)
    found = await conversations.messages_page(
        request.app[DATABASE].reading, tenant_id, conversation_id=held.id, after=asked.after_id, row_count=asked.row_count
    )
    waiting = await tool_approvals.pending(request.app[DATABASE].reading, tenant_id, conversation_id=held.id, moment=timestamp())
    shown, following = asked.cut(found, lambda message: (message.id,))
    return success(
        {
            "conversation": ConversationRecord.model_validate(held).json_ready(),
            "pendingApprovals": [_pending(approval) for approval in waiting],
            "messages": [MessageRecord.model_validate(message).json_ready() for message in shown],
            "nextCursor": following,
        }
    )


async def resume(request: web.Request) -> web.Response:
    """Say that there is no stream to take up again: an answer ends with the request that asked for it.

    The same where there is no such conversation: a client may ask about one that it has not begun. What had been said is among
    the conversation's messages.
    """
    principal = require(request, "chat:read")
    with suppress(NotFound):
        await _own_conversation(request, principal)
    return web.Response(status=204)


async def delete(request: web.Request) -> web.Response:
    """Delete a conversation with its messages, for good; an answer whose client has left is stopped first."""
    principal = require(request, "chat:delete")
    held, tenant_id = await _own_conversation(request, principal)
    await request.app[IDEMPOTENCY].stop(held.id)
    actor, before = acting(request), {"message_count": held.message_count, "created_at": held.created_at}

    async def unit(transaction: Transaction) -> bool:
        if not await conversations.delete(transaction, tenant_id, conversation_id=held.id):
            return False
        await audit.record(
            transaction,
            tenant_id,
            event_type="conversation.deleted",
            actor=actor,
            subject_id=held.id,
            account_id=held.account_id,
            before=before,
        )
        return True

    if not await request.app[DATABASE].write(unit):
        raise NotFound(NO_CHAT)
    return success({"id": held.id, "deleted": True})


def _pending(approval: ToolApproval) -> dict[str, object]:
    return PendingApproval(
        approval_id=approval.id,
        tool_call_id=approval.tool_call_id,
        tool_name=approval.tool_name,
        input=approval.arguments,
        created_at=approval.created_at,
        expires_at=approval.expires_at,
    ).json_ready()


def _tenant(request: web.Request, principal: Principal) -> str:
    tenant_id = text_of(request, "tenantId") or principal.tenant_id
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
