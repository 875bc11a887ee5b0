"""Conversations: the history of chats."""

from collections.abc import AsyncGenerator

from tenantai.client.shaping import present, step
from tenantai.client.transport import Transport
from tenantai.wire.answers import Conversation
from tenantai.wire.chat import ConversationRecord, MessageRecord


class Conversations:
    """`/chat/history`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(
        self, tenant_id: str, *, account_id: str | None = None, text: str | None = None
    ) -> AsyncGenerator[ConversationRecord]:
        """Yield conversations, the latest first; `text` finds those that hold it."""
        query = present(tenantId=tenant_id, accountId=account_id, q=text)
        return self._transport.pages("/chat/history", "conversations", ConversationRecord, query=query)

    async def get(self, conversation_id: str) -> Conversation:
        """Return a conversation, what waits for a person's yes in it, and its first messages."""
        return await self._transport.call("GET", _path(conversation_id), Conversation, params={"limit": "200"})

    def messages(self, conversation_id: str) -> AsyncGenerator[MessageRecord]:
        """Yield a conversation's messages in order."""
        return self._transport.pages(_path(conversation_id), "messages", MessageRecord)

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation, for good."""
        await self._transport.do("DELETE", _path(conversation_id))


def _path(conversation_id: str) -> str:
    return f"/chat/history/{step(conversation_id)}"
