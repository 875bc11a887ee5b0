"""What a refusal of the server means to the person at the console: a heading, the sentence, and what to do about it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantai.client import ClientError

KEY_REFUSED = "The server does not accept this key."
HEADINGS = {
    "UNAUTHORIZED": "The key is not accepted",
    "FORBIDDEN": "Not allowed",
    "RATE_LIMIT_EXCEEDED": "Too many requests",
    "DAILY_LIMIT_EXCEEDED": "The day's requests are used up",
    "TOO_MANY_STREAMS": "Too many streams at once",
}
USED_UP = {
    "requests_per_month": "The month's requests are used up",
    "tokens_per_month": "The month's tokens are used up",
    "storage_bytes": "The storage is full",
}


def heading(error: "ClientError") -> str:
    """Return what it is about; of a quota, which one."""
    if error.code == "QUOTA_EXCEEDED":
        reason = error.details.get("reason") if isinstance(error.details, dict) else None
        return USED_UP.get(f"{reason}", "A quota is used up")
    return HEADINGS.get(error.code, "That did not work")


def sentence(error: "ClientError") -> str:
    """Return what the server said, and what to do."""
    if error.code == "UNAUTHORIZED":
        return f"{KEY_REFUSED} ctrl+l takes another key."
    if error.code == "FORBIDDEN":
        return f"{error.message} ctrl+l takes another key."
    return f"{error.message} Try again in {error.retry_after} s." if error.retry_after else error.message
