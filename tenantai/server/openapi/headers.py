"""The headers that the description tells of: those that any request may carry, and those of answers.

What must stay true: a header is marked as required only where every answer of that kind carries it.
"""

from typing import Any

Headers = dict[str, dict[str, Any]]

REQUEST_ID: Headers = {
    "X-Request-Id": {
        "schema": {"type": "string"},
        "required": True,
        "description": "The request's own where it sent a sane one (1 to 100 of `A-Z a-z 0-9 . _ : -`), else one that is made.",
    }
}
GIVEN_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The id to answer and to log under; another one is made where it is not sane.",
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    "description": "Sent again with the same request within 24 hours, it gets the first answer again; with another request 409.",
}
IDEMPOTENCY_KEY_OF_STREAM = {
    **IDEMPOTENCY_KEY,
    "description": (
        "Sent again with the same request within 24 hours, it gets the first answer again, a stream event by event; with another "
        "request 409, and the form that is asked for (`Accept`, `x-tenantai-stream`) is part of the request. With a key the "
        "answer goes on to its end also where its client leaves."
    ),
}
REPLAYED: Headers = {"Idempotent-Replayed": {"schema": {"const": "true"}, "description": "The answer of an earlier request."}}

NAMED = {"type": "string", "minLength": 1}
CONVERSATION_ID: Headers = {
    "X-Conversation-Id": {"schema": NAMED, "required": True, "description": "The conversation that it is in, or that it begins."}
}
ESTIMATE_ID: Headers = {"X-Estimate-Id": {"schema": NAMED, "required": True, "description": "The estimate that this is."}}
ETAG: Headers = {"ETag": {"schema": NAMED, "required": True, "description": "The SHA-256 of the bytes, in quotation marks."}}
CONTENT_RANGE: Headers = {
    "Content-Range": {
        "schema": NAMED,
        "required": True,
        "description": "Which part it is, `bytes FIRST-LAST/SIZE`; of 416 `bytes */SIZE`.",
    }
}

COUNT = {"type": "integer", "minimum": 0}
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
USAGE: dict[str, tuple[dict[str, Any], str]] = {
    "X-Usage-Requests-Remaining": (COUNT, "Requests that are left of the billing month."),
    "X-Usage-Tokens-Remaining": (COUNT, "Tokens that are left of the billing month."),
    "X-Usage-Requests-Percent": (PERCENT, "Percent of the month's requests that are used, one decimal."),
    "X-Usage-Tokens-Percent": (PERCENT, "Percent of the month's tokens that are used, one decimal."),
}
ALWAYS_LATER = 429
MAYBE_LATER = frozenset({502, 503})
UNKNOWN_CALLER = 401
NO_SUCH_RANGE = 416


def usage(*, required: bool) -> Headers:
    """Return the usage headers; required where every answer is one to a known key."""
    return {name: {"schema": schema, "required": required, "description": sentence} for name, (schema, sentence) in USAGE.items()}


def file_name(*, required: bool) -> Headers:
    """Return the header that names a file; required where every answer is one."""
    description = "`attachment`, with the file's name."
    return {"Content-Disposition": {"schema": NAMED, "required": required, "description": description}}


def of_bytes() -> dict[int, Headers]:
    """Return the headers of a file's bytes by status: whole, a part of them, and none where the client has them."""
    whole = ETAG | file_name(required=True)
    return {200: whole, 206: whole | CONTENT_RANGE, 304: ETAG}


def of_error(status: int) -> Headers:
    """Return the headers of a failure; it is one description for routes with a key and without."""
    headers = {**REQUEST_ID, **(usage(required=False) if status != UNKNOWN_CALLER else {})}
    if status == ALWAYS_LATER or status in MAYBE_LATER:
        description = "Seconds to wait before the next try."
        later = {"schema": {"type": "integer", "minimum": 0}, "required": status == ALWAYS_LATER, "description": description}
        headers["Retry-After"] = later
    return headers | (CONTENT_RANGE if status == NO_SUCH_RANGE else {})
