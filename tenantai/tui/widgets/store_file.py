"""A file of the store in words: how it stands, why it failed, and all else that is known of it."""

from tenantai.tui import shown
from tenantai.tui.widgets.columns import Tone
from tenantai.wire.files import FileRecord

TONES: dict[str, Tone] = {"ready": "good", "failed": "bad", "pending": "warn", "indexing": "accent", "cancelled": "warn"}


def state_of(file: FileRecord) -> str:
    """Return how a file stands: its exclusion hides its state."""
    return "excluded" if file.excluded else file.state


def tone_of(file: FileRecord) -> Tone:
    """Return the colour of how it stands."""
    return TONES.get(state_of(file), "dim")


def reason_of(file: FileRecord) -> str:
    """Return why a file failed or was skipped, empty where it was not."""
    return file.error_message or file.error_code or ""


def details_of(file: FileRecord, account: str | None) -> str:
    """Return all that is known of a file, as lines."""
    state = f"{file.state}, excluded from answers" if file.excluded else file.state
    rows = {
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
