"""A conversation as the server keeps it, made into what is shown."""

from collections.abc import Sequence
from typing import Literal, cast

from tenantai.client import CitedQuote
from tenantai.tui.widgets.cited_markdown import CitedMarkdown
from tenantai.tui.widgets.said import WAITING, Answer, Asked, Said, about_of
from tenantai.tui.widgets.tool_call import CallState, ToolCall, text_of_output
from tenantai.wire.chat import MessageRecord, PendingApproval
from tenantai.wire.chat import ToolCall as KeptCall

NOTES = {
    "interrupted": "This answer was interrupted; this much of it was kept. R asks again.",
    "failed": "This answer failed. R asks again.",
    "streaming": "This answer is not finished yet; ctrl+r looks again.",
}
STATES: dict[str, CallState] = {
    "output-available": "answered",
    "output-error": "failed",
    "approval-requested": "passed",
    "interrupted": "interrupted",
}


def said_of(records: Sequence[MessageRecord], pending: Sequence[PendingApproval]) -> tuple[list[Said], dict[str, ToolCall]]:
    """Return the messages of a conversation as they are shown, and the calls in them by id; those that wait ask for a yes.

    A call that was answered in a later message than the one that asked for it is shown once, where it was asked for.
    """
    newest: dict[str, KeptCall] = {}
    for record in records:
        for call in (KeptCall.model_validate(kept) for kept in record.tool_calls):
            newest[call.tool_call_id] = call
    approvals = {waiting.tool_call_id: waiting.approval_id for waiting in pending}
    calls: dict[str, ToolCall] = {}
    said: list[Said] = [_said(record, newest, approvals, calls) for record in records]
    return said, calls


def _said(
    record: MessageRecord, newest: dict[str, KeptCall], approvals: dict[str, str], calls: dict[str, ToolCall]
) -> Asked | Answer:
    if record.role == "user":
        return Asked(record.content, at=record.created_at)
    ids = [cast("str", kept["toolCallId"]) for kept in record.tool_calls]
    fresh = {call_id: _call(newest[call_id], approvals.get(call_id)) for call_id in ids if call_id not in calls}
    calls |= fresh
    text = [CitedMarkdown(record.content)] if record.content else []
    about = about_of(record.model, record.input_tokens, record.output_tokens)
    answer = Answer([*fresh.values(), *text], at=record.created_at, about=about)
    answer.text = record.content
    answer.citations = tuple(CitedQuote.model_validate(cited) for cited in record.citations)
    waits = any(call.approval_id is not None for call in fresh.values())
    answer.note = WAITING if waits else NOTES.get(record.status, "")
    return answer


def _call(kept: KeptCall, approval_id: str | None) -> ToolCall:
    state: CallState | Literal["asked"] = "asked" if approval_id else STATES[kept.state]
    result = kept.error_text or text_of_output(kept.output)
    call = ToolCall(kept.tool_call_id, kept.tool_name, state=state, arguments=kept.input, result=result)
    call.approval_id = approval_id
    return call
