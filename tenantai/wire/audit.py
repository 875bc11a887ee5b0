"""The audit log: its vocabulary, what may be asked of it, and its entries as clients read them.

What must stay true: every entry's type is one of `EventType`, `docs/api.md` says what each means, and no meaning ever changes.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints

from tenantai.identifiers import timestamp
from tenantai.wire.shapes import Asked, Computed, Record

EventType = Literal[
    "tenant.created",
    "tenant.updated",
    "tenant.deleted",
    "tenant.erased",
    "key.created",
    "key.revoked",
    "key.rotated",
    "account.created",
    "account.updated",
    "account.deleted",
    "file.uploaded",
    "file.imported",
    "file.moved",
    "file.excluded",
    "file.included",
    "file.requeued",
    "file.deleted",
    "file.indexed",
    "file.failed",
    "file.skipped",
    "conversation.created",
    "conversation.continued",
    "conversation.deleted",
    "store.updated",
    "sync.started",
    "sync.completed",
    "sync.failed",
    "sync.cancelled",
    "tool.created",
    "tool.deleted",
    "tool.approved",
    "tool.denied",
    "asset.uploaded",
    "asset.deleted",
    "password.set",
    "password.changed",
    "session.opened",
    "session.refused",
    "estimate.created",
    "estimate.edited",
    "estimate.approved",
    "estimate.deleted",
    "usage.alert",
    "audit.archived",
    "data.restored",
    "access.refused",
    "access.unauthenticated",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
OF_THE_STORE = ("file", "store", "sync")
STORE_EVENTS: tuple[EventType, ...] = tuple(event for event in EVENT_TYPES if event.split(".")[0] in OF_THE_STORE)
STORE_NAMES: dict[str, str] = {
    **{event: event.replace(".", "_") for event in STORE_EVENTS},
    "file.imported": "sync_started",
    "file.indexed": "sync_completed",
    "file.failed": "sync_failed",
    **{event: event.replace("sync.", "operation_") for event in STORE_EVENTS if event.startswith("sync.")},
}
FROM_STORE_NAMES = {name: event for event, name in STORE_NAMES.items()}


def moment(text: str) -> str:
    """Return a time as entries have it; one without a zone is UTC, a date alone its beginning."""
    try:
        given = datetime.fromisoformat(text.strip().replace(" ", "+" if "T" in text else " "))
        return timestamp(given if given.tzinfo else given.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z") from error


def _store_event(text: str) -> str:
    """Return our type of an event that the store's audit log names."""
    if text not in FROM_STORE_NAMES:
        raise ValueError(f"must be one of {', '.join(sorted(FROM_STORE_NAMES))}")
    return FROM_STORE_NAMES[text]


def _anchor(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,18}:[0-9a-f]{64}", text):
        raise ValueError("must be the anchor of an earlier proof, SEQUENCE:HASH")
    return text


Moment = Annotated[str, AfterValidator(moment), Field(json_schema_extra={"anyOf": [{"format": "date-time"}, {"format": "date"}]})]
Identifier = Annotated[str, StringConstraints(max_length=200)]
StoreEvent = Annotated[str, AfterValidator(_store_event), Field(json_schema_extra={"enum": sorted(FROM_STORE_NAMES)})]
Anchor = Annotated[str, AfterValidator(_anchor), Field(json_schema_extra={"pattern": "^[0-9]{1,18}:[0-9a-f]{64}$"})]


class StoreAuditQuery(Asked):
    """GET /tenants/{tenantId}/store/audit."""

    asset_id: Identifier | None = None
    event_type: StoreEvent | None = None
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")


class AuditQuery(Asked):
    """GET /audit: which entries, and `format` for an export of them."""

    tenant_id: Identifier | None = None
    event_type: EventType | None = None
    actor: Identifier | None = None
    key_id: Identifier | None = None
    account_id: Identifier | None = None
    subject_id: Identifier | None = None
    asset_id: Identifier | None = None
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    format: Literal["csv", "jsonl", "parquet"] | None = None


class ProofQuery(Asked):
    """GET /audit/verify: `anchor` is a `SEQUENCE:HASH` that an earlier proof gave and that was kept elsewhere."""

    tenant_id: Identifier | None = None
    anchor: Anchor | None = None
    cursor: str | None = None


class AuditRecord(Record):
    """An entry; its hash covers all that stands before it here (`details` as JSON with sorted keys), as one JSON list."""

    id: str
    tenant_id: str
    sequence: int
    event_type: str
    actor: str
    key_id: str | None
    account_id: str | None
    address: str | None
    request_id: str | None
    subject_id: str | None
    asset_id: str | None
    details: dict[str, Any]
    created_at: str
    previous_hash: str
    hash: str


class StoreAuditRecord(Record):
    """An entry about the document store, named as the store's audit log names it."""

    id: str
    asset_id: str | None
    event_type: str
    actor: str
    details: dict[str, Any]
    created_at: str


class ProvedLink(Computed):
    """The last entry up to which a chain holds; `anchor` is both as one text, to be kept elsewhere."""

    sequence: int
    hash: str
    anchor: str


class BrokenLink(Computed):
    """The first entry that does not follow the one before it as it was written, and how it differs."""

    sequence: int
    id: str | None
    fault: str


class AuditProof(Computed):
    """What a proof came to; where it is not complete, the next request goes on from `next_cursor`."""

    is_valid: bool
    is_complete: bool
    checked: int
    proved: ProvedLink
    broken: BrokenLink | None
    next_cursor: str | None
