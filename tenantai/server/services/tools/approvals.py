"""Calls that need a person's yes: kept until the next request brings it, across a restart, for an hour.

What must stay true: a yes counts once, in the conversation that asked for it, and only while nothing was said since; what is
then called is the very function, with the very arguments, that the person saw.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from tenantai.errors import Conflict, NotFound, ValidationFailed
from tenantai.identifiers import new_id, now, timestamp
from tenantai.providers.protocols import FunctionCall, FunctionResult, Turn
from tenantai.storage import audit, conversations, tool_approvals
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.storage.tool_approvals import ToolApproval
from tenantai.wire.chat import ApprovalAnswer

VALID_FOR = timedelta(hours=1)
KEPT_FOR = timedelta(days=1)
APPROVED, DENIED, EXPIRED = "approved", "denied", "expired"
NO_APPROVAL = "There is no such approval in this conversation. Check approvals and conversationId."
ANSWERED = "This was answered already: an approval works once."
WENT_ON = "The conversation went on without an answer, which is a no. Ask again."


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits for a yes, of the function that the person will see."""

    approval_id: str
    call: FunctionCall
    tool_id: str


@dataclass(frozen=True, slots=True)
class Pending:
    """What an answer goes on from: the question, and all that was said and called since, up to the calls that wait."""

    question_id: str
    question: str
    prompt: str | None
    files: list[str] | None
    rounds: int
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on a call."""

    call: FunctionCall
    tool_id: str
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Resumed(Pending):
    """An answer that goes on, with the decisions on its calls, in their order."""

    decisions: tuple[Decision, ...] = ()


class Approvals:
    """Keeps and decides the calls of all tenants that wait."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decide(self, tenant_id: str, *, conversation_id: str, answers: Sequence[ApprovalAnswer], actor: Actor) -> Resumed:
        """Decide the calls of an answer, all at once; raises NotFound, Conflict or ValidationFailed."""
        given = {answer.approval_id: answer for answer in answers}
        if len(given) < len(answers):
            raise ValidationFailed([{"field": "approvals", "problem": "holds an approvalId more than once"}])

        async def unit(transaction: Transaction) -> Resumed:
            waiting = await _waiting(transaction, tenant_id, conversation_id, answers[0].approval_id)
            _require_all(waiting, given)
            latest = await conversations.latest_messages(transaction, tenant_id, conversation_id=conversation_id, row_count=1)
            if [message.id for message in latest] != [waiting[0].message_id]:
                raise Conflict(WENT_ON)
            moment = now()
            decisions = [_decision(call, given[call.id], moment) for call in waiting]
            for call, decision in zip(waiting, decisions, strict=True):
                await _write(transaction, tenant_id, call, decision, moment=timestamp(moment), actor=actor)
            return Resumed(**_fields(waiting[0].state), decisions=tuple(decisions))

        return await self._database.write(unit)


async def hold(
    transaction: Transaction,
    tenant_id: str,
    *,
    conversation_id: str,
    message_id: str,
    pending: Pending,
    waiting: Iterable[Waiting],
) -> None:
    """Keep the calls of an answer that wait, and forget those that nobody can answer any more."""
    moment = now()
    await tool_approvals.forget(transaction, tenant_id, before=timestamp(moment - KEPT_FOR))
    state = _state(pending)
    approvals = [
        ToolApproval(
            id=call.approval_id,
            conversation_id=conversation_id,
            message_id=message_id,
            tool_call_id=call.call.id,
            tool_name=call.call.name,
            arguments=call.call.arguments or {},
            state={**state, "toolId": call.tool_id},
            status="pending",
            created_at=timestamp(moment),
            expires_at=timestamp(moment + VALID_FOR),
        )
        for call in waiting
    ]
    await tool_approvals.create(transaction, tenant_id, approvals=approvals)


def waiting_for(call: FunctionCall, *, tool_id: str) -> Waiting:
    """Return a call that waits, under a new id."""
    return Waiting(new_id(), call, tool_id)


async def _waiting(transaction: Transaction, tenant_id: str, conversation_id: str, approval_id: str) -> list[ToolApproval]:
    """Return all calls that wait with one; raises NotFound or Conflict."""
    named = await tool_approvals.get(transaction, tenant_id, conversation_id=conversation_id, approval_id=approval_id)
    if named is None:
        raise NotFound(NO_APPROVAL)
    if named.status != "pending":
        raise Conflict(ANSWERED)
    return await tool_approvals.of_message(transaction, tenant_id, conversation_id=conversation_id, message_id=named.message_id)


def _require_all(waiting: Sequence[ToolApproval], given: Mapping[str, ApprovalAnswer]) -> None:
    """Raise where answers are for other calls, or not for all that wait."""
    asked = {call.id for call in waiting}
    if given.keys() - asked:
        raise NotFound(NO_APPROVAL)
    if missing := sorted(asked - given.keys()):
        problem = f"must answer every call that waits; missing are {', '.join(missing)}"
        raise ValidationFailed([{"field": "approvals", "problem": problem}])


def _decision(waiting: ToolApproval, answer: ApprovalAnswer, moment: datetime) -> Decision:
    status = EXPIRED if waiting.expires_at <= timestamp(moment) else APPROVED if answer.approved else DENIED
    state_calls = {call.id: call for turn in _turns(waiting.state) for call in turn.calls}
    call = state_calls[waiting.tool_call_id]
    return Decision(call, str(waiting.state["toolId"]), status, answer.reason)


async def _write(
    transaction: Transaction, tenant_id: str, waiting: ToolApproval, decision: Decision, *, moment: str, actor: Actor
) -> None:
    decided = await tool_approvals.decide(
        transaction,
        tenant_id,
        conversation_id=waiting.conversation_id,
        approval_id=waiting.id,
        status=decision.status,
        moment=moment,
    )
    if not decided:
        raise Conflict(ANSWERED)
    about = {"name": waiting.tool_name, "conversation_id": waiting.conversation_id, "tool_call_id": waiting.tool_call_id}
    await audit.record(
        transaction,
        tenant_id,
        event_type="tool.approved" if decision.status == APPROVED else "tool.denied",
        actor=actor,
        subject_id=decision.tool_id,
        details={**about, "approval_id": waiting.id, "status": decision.status},
    )


def _state(pending: Pending) -> dict[str, Any]:
    return {
        "questionId": pending.question_id,
        "question": pending.question,
        "prompt": pending.prompt,
        "files": pending.files,
        "rounds": pending.rounds,
        "turns": [asdict(turn) for turn in pending.turns],
    }


def _fields(state: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "question_id": state["questionId"],
        "question": state["question"],
        "prompt": state["prompt"],
        "files": state["files"],
        "rounds": state["rounds"],
        "turns": _turns(state),
    }


def _turns(state: Mapping[str, Any]) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            role=turn["role"],
            text=turn["text"],
            calls=tuple(FunctionCall(**call) for call in turn["calls"]),
            results=tuple(
                FunctionResult(FunctionCall(**result["call"]), result["output"], is_error=result["is_error"])
                for result in turn["results"]
            ),
        )
        for turn in state["turns"]
    )
