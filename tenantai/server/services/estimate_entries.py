"""What happens to a kept estimate, in the audit log."""

from collections.abc import Mapping

from tenantai.storage import audit
from tenantai.storage.audit import Actor
from tenantai.storage.database import Transaction
from tenantai.storage.estimates import KeptEstimate
from tenantai.wire.audit import EventType


async def record(
    transaction: Transaction,
    kept: KeptEstimate,
    event_type: EventType,
    actor: Actor,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Write an entry about an estimate, in the transaction of its change."""
    await audit.record(
        transaction,
        kept.tenant_id,
        event_type=event_type,
        actor=actor,
        subject_id=kept.id,
        account_id=kept.account_id,
        before=before,
        after=after,
        details=details,
    )
