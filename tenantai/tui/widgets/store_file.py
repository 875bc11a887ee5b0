"""A file of the store in words: how it stands, why it failed, and all else that is known of it."""

from tenantai.tui import shown
from tenantai.tui.widgets.columns import Tone
from tenantai.wire.files import FileEnded, FileRecord

TONES: dict[str, Tone] = {"ready": "good", "failed": "bad", "waiting": "warn", "indexing": "accent", "cancelled": "warn"}


OPEN = frozenset({"pending", "indexing"})


def state_of(file: FileRecord) -> str:
    """Return how a file stands: its exclusion hides its state, and one that is in the queue waits."""
    return "excluded" if file.excluded else "waiting" if file.state == "pending" else file.state


def tone_of(file: FileRecord) -> Tone:
    """Return the colour of how it stands."""
    return TONES.get(state_of(file), "dim")


def reason_of(file: FileRecord) -> str:
    """Return why a file failed or was skipped, empty where it was not."""
    return file.error_message or file.error_code or ""


def begun(file: FileRecord) -> FileRecord:
    """Return a file as it is once a worker has it."""
    if file.state == "indexing":
        return file
    return file.model_copy(update={"state": "indexing", "error_code": None, "error_message": None})


def newer_of(file: FileRecord, known: FileRecord | None) -> FileRecord:
    """Return a file as it was last of what is known of it."""
    return file if known is None or known.updated_at < file.updated_at else known


def with_end(file: FileRecord, ended: FileEnded) -> FileRecord:
    """Return a file with what became of it, or as it is where it was changed since."""
    if file.updated_at > ended.updated_at or file.state == ended.state:
        return file
    return file.model_copy(update=ended.model_dump(exclude={"id"}))


def details_of(file: FileRecord, account: str | None, *, now: str = "") -> str:
    """Return all that is known of a file, as lines; `now` is how far it is where it is under way."""
    state = f"{file.state}, excluded from answers" if file.excluded else file.state
    rows = {
        "now": now,
        "state": state,
        "why": reason_of(file),
        "account": account or file.account_id or "shared by all",
        "size": f"{shown.size(file.bytes)} ({shown.number(file.bytes)} bytes)",
        "pages": file.page_count or "",
        "chunks": shown.number(file.chunk_count),
        "type": file.media_type or "",
        "in the vault": file.asset_path or "",
        "added": shown.when(file.created_at),
        "changed": shown.when(file.updated_at),
        "sha-256": file.sha256,
        "id": file.id,
    }
    told = [f"{name}: {shown.line(value)}" for name, value in rows.items() if value != ""]
    return "\n".join([shown.line(file.name), *told])
