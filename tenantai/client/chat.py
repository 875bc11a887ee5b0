"""Questions and their answers, and a person's yes or no to a call that waits."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from tenantai.client.errors import broken_off
from tenantai.client.events import DONE, ChatEvent, ChatFinished, chat_event, frames
from tenantai.client.shaping import parsed, present
from tenantai.client.transport import EVENT_STREAM, JSON, Transport, keyed
from tenantai.wire.chat import Answer

CAN_ASK = "supported"


@dataclass(frozen=True, slots=True)
class ApprovalDecision:
    """A person's yes or no to a call, with their reason."""

    approval_id: str
    approved: bool
    reason: str | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """Return it as a request has it."""
        return present(approvalId=self.approval_id, approved=self.approved, reason=self.reason)


class Chat:
    """`/chat`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stream(
        self,
        tenant_id: str,
        message: str,
        *,
        account_id: str | None = None,
        conversation_id: str | None = None,
        files: Sequence[str] | None = None,
        prompt: str | None = None,
        can_ask: bool = False,
        idempotency_key: str | None = None,
    ) -> AsyncGenerator[ChatEvent]:
        """Yield the answer piece by piece; raises ClientError where the stream ends without its last event.

        With `can_ask` a call that needs a person's yes ends the stream with ChatApprovalAsked; without, it fails. With an
        `idempotency_key` the server goes on though this client leaves, and yields the same answer to the same question again.
        """
        body = _question(tenant_id, message, account_id, conversation_id, files, prompt)
        return self._events({**body, **({"approvals": CAN_ASK} if can_ask else {})}, idempotency_key)

    def decide(
        self,
        tenant_id: str,
        conversation_id: str,
        decisions: Sequence[ApprovalDecision],
        *,
        message: str | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncGenerator[ChatEvent]:
        """Answer every call of a conversation that waits, and yield the answer as it goes on."""
        approvals = [decision.sent for decision in decisions]
        body = present(tenantId=tenant_id, conversationId=conversation_id, approvals=approvals, message=message)
        return self._events(body, idempotency_key)

    async def answer(
        self,
        tenant_id: str,
        message: str,
        *,
        account_id: str | None = None,
        conversation_id: str | None = None,
        files: Sequence[str] | None = None,
        prompt: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Return the whole answer at once."""
        body = _question(tenant_id, message, account_id, conversation_id, files, prompt)
        return await self._transport.call("POST", "/chat", Answer, json=body, headers=keyed(JSON, idempotency_key))

    async def _events(self, body: dict[str, Any], idempotency_key: str | None) -> AsyncGenerator[ChatEvent]:
        headers = keyed(EVENT_STREAM, idempotency_key)
        async with self._transport.response("POST", "/chat", json=body, headers=headers) as response:
            async for data in frames(response):
                event = None if data == DONE else chat_event(parsed(data))
                if event is not None:
                    yield event
                if isinstance(event, ChatFinished):
                    return
        raise broken_off("The answer")


def _question(
    tenant_id: str,
    message: str,
    account_id: str | None,
    conversation_id: str | None,
    files: Sequence[str] | None,
    prompt: str | None,
) -> dict[str, Any]:
    return present(
        tenantId=tenant_id,
        message=message,
        accountId=account_id,
        conversationId=conversation_id,
        files=None if files is None else list(files),
        prompt=prompt,
    )
