"""Calls that wait for a person's yes, and what became of them.

What must stay true: a call is decided once, whoever asks first, and only while it waits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled
from tenantai.storage.schema import messages
from tenantai.storage.schema import tool_approvals as table


@dataclass(frozen=True, slots=True)
class ToolApproval:
    """A call that waits: `state` is what the answer goes on from; `status` is pending, approved, denied or expired."""

    id: str
    conversation_id: str
    message_id: str
    tool_call_id: str
    tool_name: str
    arguments: dict[str, Any]
    state: dict[str, Any]
    status: str
    created_at: str
    expires_at: str
    decided_at: str | None = None


COLUMNS = tuple(table.c[name] for name in ToolApproval.__slots__)
INSERT = compiled(sa.insert(table))
OF_CONVERSATION = sa.and_(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.conversation_id == sa.bindparam("conversation"))
WAITING = compiled(sa.select(*COLUMNS).where(OF_CONVERSATION, table.c.message_id == sa.bindparam("message")).order_by(table.c.id))
GET = compiled(sa.select(*COLUMNS).where(OF_CONVERSATION, table.c.id == sa.bindparam("approval")))
LATEST_MESSAGE = (
    sa.select(messages.c.id)
    .where(messages.c.conversation_id == sa.bindparam("conversation"))
    .order_by(messages.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
PENDING = compiled(
    sa.select(*COLUMNS)
    .where(
        OF_CONVERSATION,
        table.c.message_id == LATEST_MESSAGE,
        table.c.status == "pending",
        table.c.expires_at > sa.bindparam("moment"),
    )
    .order_by(table.c.id)
)
DECIDE = compiled(
    sa.update(table)
    .where(OF_CONVERSATION, table.c.id == sa.bindparam("approval"), table.c.status == "pending")
    .values(status=sa.bindparam("new_status"), decided_at=sa.bindparam("moment"), state="{}")
    .returning(table.c.id)
)
FORGET = compiled(
    sa.delete(table).where(table.c.tenant_id == sa.bindparam("of_tenant"), table.c.expires_at < sa.bindparam("before"))
)


async def create(transaction: Transaction, tenant_id: str, *, approvals: Sequence[ToolApproval]) -> None:
    """Store calls that wait, in one trip."""
    rows = [{name: getattr(approval, name) for name in ToolApproval.__slots__} for approval in approvals]
    for row in rows:
        row |= {"tenant_id": tenant_id, "arguments": json.dumps(row["arguments"]), "state": json.dumps(row["state"])}
    await transaction.run_many(INSERT, rows)


async def get(reading: Reading, tenant_id: str, *, conversation_id: str, approval_id: str) -> ToolApproval | None:
    """Return a call of this conversation that waits or waited, None where there is none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, conversation=conversation_id, approval=approval_id)
    return None if row is None else _approval(row)


async def of_message(reading: Reading, tenant_id: str, *, conversation_id: str, message_id: str) -> list[ToolApproval]:
    """Return all calls that an answer asked a yes for, in their order."""
    rows = await reading.all(WAITING, of_tenant=tenant_id, conversation=conversation_id, message=message_id)
    return [_approval(row) for row in rows]


async def pending(reading: Reading, tenant_id: str, *, conversation_id: str, moment: str) -> list[ToolApproval]:
    """Return the calls of a conversation that can still be answered, in their order; those of its latest message only."""
    rows = await reading.all(PENDING, of_tenant=tenant_id, conversation=conversation_id, moment=moment)
    return [_approval(row) for row in rows]


async def decide(
    transaction: Transaction, tenant_id: str, *, conversation_id: str, approval_id: str, status: str, moment: str
) -> bool:
    """Decide a call, and forget what it would have gone on from; whether it still waited."""
    rows = await transaction.run(
        DECIDE, of_tenant=tenant_id, conversation=conversation_id, approval=approval_id, new_status=status, moment=moment
    )
    return bool(rows)


async def forget(transaction: Transaction, tenant_id: str, *, before: str) -> None:
    """Forget calls that could be answered until then."""
    await transaction.run(FORGET, of_tenant=tenant_id, before=before)


def _approval(row: Sequence[Any]) -> ToolApproval:
    values = list(row)
    values[5], values[6] = json.loads(values[5]), json.loads(values[6])
    return ToolApproval(*values)
