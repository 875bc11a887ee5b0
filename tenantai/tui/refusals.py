"""What a refusal of the server means to the person at the console: a heading, the sentence, and what to do about it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantai.client import ClientError
    from tenantai.wire.api_keys import WhoAmI

KEY_REFUSED = "The server does not accept this key."
KEY_ENDED = "The server accepts this key no more: it was revoked, or it has expired."
TAKE_ANOTHER = "ctrl+l takes another key."
KEY_ENDED_TITLE, KEY_ENDED_SENTENCE = "The key is not accepted", f"{KEY_ENDED} {TAKE_ANOTHER}"
HEADINGS = {
    "UNAUTHORIZED": KEY_ENDED_TITLE,
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
        return f"{KEY_REFUSED} {TAKE_ANOTHER}"
    if error.code == "FORBIDDEN":
        return f"{error.message} {TAKE_ANOTHER}"
    return f"{error.message} Try again in {error.retry_after} s." if error.retry_after else error.message


def rights_changed(was: "WhoAmI", now: "WhoAmI") -> str:
    """Return what a key may do no more, and what it may do now; empty where its scopes are the same."""
    lost, gained = sorted(set(was.scopes) - set(now.scopes)), sorted(set(now.scopes) - set(was.scopes))
    no_more = [f"It has {', '.join(lost)} no more; what needs that is grey. {TAKE_ANOTHER}"] if lost else []
    return " ".join([*no_more, *([f"It has {', '.join(gained)} now."] if gained else [])])
