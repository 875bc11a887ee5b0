"""Questions and their answers."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from tenantai.client.errors import broken_off
from tenantai.client.events import DONE, ChatEvent, ChatFinished, chat_event, frames
from tenantai.client.shaping import parsed, present
from tenantai.client.transport import EVENT_STREAM, JSON, Transport
from tenantai.wire.chat import Answer


class Chat:
    """`/chat`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def stream(
        self,
        tenant_id: str,
        message: str,
        *,
        account_id: str | None = None,
        conversation_id: str | None = None,
        files: Sequence[str] | None = None,
    ) -> AsyncGenerator[ChatEvent]:
        """Yield the answer piece by piece; raises ClientError where the stream ends without its last event."""
        body = _question(tenant_id, message, account_id, conversation_id, files)
        async with self._transport.response("POST", "/chat", json=body, headers=EVENT_STREAM) as response:
            async for data in frames(response):
                event = None if data == DONE else chat_event(parsed(data))
                if event is not None:
                    yield event
                if isinstance(event, ChatFinished):
                    return
        raise broken_off("The answer")

    async def answer(
        self,
        tenant_id: str,
        message: str,
        *,
        account_id: str | None = None,
        conversation_id: str | None = None,
        files: Sequence[str] | None = None,
    ) -> Answer:
        """Return the whole answer at once."""
        body = _question(tenant_id, message, account_id, conversation_id, files)
        return await self._transport.call("POST", "/chat", Answer, json=body, headers=JSON)


def _question(
    tenant_id: str, message: str, account_id: str | None, conversation_id: str | None, files: Sequence[str] | None
) -> dict[str, Any]:
    return present(
        tenantId=tenant_id,
        message=message,
        accountId=account_id,
        conversationId=conversation_id,
        files=None if files is None else list(files),
    )
