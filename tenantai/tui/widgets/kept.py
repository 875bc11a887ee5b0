"""A conversation as the server keeps it, made into what is shown.

What must stay true: text that a person saw does not go because the server lost it.
"""

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


def with_what_was_drawn(kept: list[Said], drawn: Sequence[Said]) -> list[Said]:
    """Return what the server kept of a conversation; where it lost some of a last answer that broke off, that as it was drawn."""
    last = drawn[-1] if drawn else None
    was_asked = drawn[-2].text if len(drawn) > 1 else ""
    found = kept[-1] if kept and isinstance(kept[-1], Answer) else None
    before = kept[:-1] if found is not None else kept
    if not isinstance(last, Answer) or not before or before[-1].text != was_asked:
        return kept
    if found is not None and (found.note not in NOTES.values() or not _begins(last.text, found.text)):
        return kept
    return [*before, _again(last, found.calls if found is not None else ())]


def _begins(whole: str, start: str) -> bool:
    """Tell whether a longer text begins with a shorter one, however they are spaced."""
    whole, start = "".join(whole.split()), "".join(start.split())
    return len(start) < len(whole) and whole.startswith(start)


def _again(drawn: Answer, calls: Sequence[ToolCall]) -> Answer:
    """Return an answer as it was drawn; its calls as they were kept, where they were."""
    kept = {call.call_id: call for call in calls}
    lost = [
        ToolCall(
            call.call_id,
            call.tool_name,
            state="passed" if call.state == "asked" else call.state,
            arguments=call.arguments,
            result=call.result,
        )
        for call in drawn.calls
        if call.call_id not in kept
    ]
    answer = Answer([*calls, *lost, *([CitedMarkdown(drawn.text)] if drawn.text else [])])
    answer.text, answer.citations, answer.note = drawn.text, drawn.citations, drawn.note
    return answer


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
