"""Shapes of answers that no record has: what was deleted, how the server is, what is in a store."""

from typing import Literal

from tenantai.wire.audit import AuditRecord, StoreAuditRecord
from tenantai.wire.chat import ConversationRecord, MessageRecord, PendingApproval
from tenantai.wire.files import FileActionResult, FileRecord, Progress, SearchHit
from tenantai.wire.shapes import Computed
from tenantai.wire.store import StoreSettings


class Deleted(Computed):
    """What was deleted."""

    id: str
    deleted: Literal[True]


class Erased(Deleted):
    """What was deleted, and how many rows of each kind were erased with it."""

    erased: dict[str, int]


class Memory(Computed):
    """Memory that the process holds, in MiB; null where the platform does not tell."""

    rss_mb: float | None


class Health(Computed):
    """That the process is alive."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    uptime: float
    memory: Memory


class Check(Computed):
    """One dependency."""

    status: Literal["up", "down", "degraded", "rebuilding", "not_configured"]
    latency_ms: float
    critical: bool
    error: str | None = None


class Readiness(Computed):
    """Every dependency, asked now."""

    status: Literal["ready", "degraded", "not_ready"]
    checks: dict[str, Check]
    total_latency_ms: float


class Conversation(Computed):
    """A conversation with a page of its messages, in order, and the calls in it that wait for a person's yes."""

    conversation: ConversationRecord
    pending_approvals: list[PendingApproval]
    messages: list[MessageRecord]
    next_cursor: str | None


class Uploaded(Computed):
    """A file that was taken in, the operation that indexes it, and whether its bytes are new here."""

    file: FileRecord
    operation_id: str
    is_new: bool


class StoreBytes(Computed):
    """Bytes used, by the vault too, and what the plan grants; for a key bound to an account those of the files it sees."""

    used_bytes: int
    quota_bytes: int


class StoreCounts(Computed):
    """Files by state."""

    active: int
    excluded: int
    failed: int
    pending: int
    cancelled: int
    skipped: int


class Store(Computed):
    """The document store of a tenant with a page of its files."""

    storage: StoreBytes
    counts: StoreCounts
    settings: StoreSettings
    operation: Progress
    last_sync: Progress
    files: list[FileRecord]
    next_cursor: str | None


class Cancelled(Computed):
    """How many files were taken off the queue."""

    cancelled_files: int


class FileActionResults(Computed):
    """A result for each file."""

    results: list[FileActionResult]


class SearchResults(Computed):
    """Passages, best first."""

    results: list[SearchHit]


class StoreAuditPage(Computed):
    """Entries about the store, the newest first; `total` counts no further than a bound where it is not exact."""

    logs: list[StoreAuditRecord]
    total: int
    total_is_exact: bool
    next_cursor: str | None


class AuditPage(Computed):
    """Entries, the newest first, and from where a live tail goes on."""

    logs: list[AuditRecord]
    total: int
    total_is_exact: bool
    next_cursor: str | None
    last_event_id: str
