"""One error tree: what services raise and the HTTP boundary turns into the one JSON shape.

    TenantaiError ........... 500 INTERNAL_ERROR
    ├── ValidationFailed .... 400 VALIDATION_ERROR
    ├── Unauthorized ........ 401 UNAUTHORIZED
    ├── Forbidden ........... 403 FORBIDDEN
    ├── NotFound ............ 404 NOT_FOUND
    ├── BodyTooSlow ......... 408 REQUEST_TIMEOUT
    ├── Conflict ............ 409 CONFLICT
    ├── PayloadTooLarge ..... 413 PAYLOAD_TOO_LARGE
    ├── UnsupportedMedia .... 415 UNSUPPORTED_MEDIA_TYPE
    ├── LimitExceeded ....... 429 (the limit's own code)
    ├── ProviderFailed ...... 502 PROVIDER_ERROR
    └── NotReady ............ 503 NOT_READY

A message is a public sentence: it tells the caller what to do and never holds a path, SQL, a secret or another tenant's data.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, TypedDict


class Problem(TypedDict):
    """One thing wrong with a request: the field's path and what is wrong with it."""

    field: str
    problem: str


def first_of(told: Sequence[str], *, most: int = 3, between: str = "; ") -> str:
    """Return the first of what is told as one text that says how many more there are."""
    more = [f"and {len(told) - most} more"] if len(told) > most else []
    return between.join([*told[:most], *more])


class TenantaiError(Exception):
    """An error with a code, an HTTP status and a sentence fit for the caller."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    sentence: ClassVar[str] = "Something went wrong on our side. Try again; if it stays, report the request id."

    def __init__(self, message: str | None = None, *, details: Any = None) -> None:
        self.message = message or self.sentence
        self.details = details
        super().__init__(self.message)

    @property
    def public_code(self) -> str:
        """The code that a client reads."""
        return self.code


class ValidationFailed(TenantaiError):  # noqa: N818  the tree reads as sentences; so do its siblings below
    """The request is not well formed; every problem is named at once."""

    code = "VALIDATION_ERROR"
    status = 400
    sentence = "The request is not valid; see details."

    def __init__(self, problems: Sequence[Problem], message: str | None = None) -> None:
        listed = first_of([f"{p['field']}: {p['problem']}" for p in problems])
        super().__init__(message or f"The request is not valid. {listed}", details=list(problems))


class Unauthorized(TenantaiError):  # noqa: N818
    """No key, or one that is unknown, revoked or expired: one sentence for all."""

    code = "UNAUTHORIZED"
    status = 401
    sentence = "Invalid or missing API key. Send a valid key in the x-api-key header."


class Forbidden(TenantaiError):  # noqa: N818
    """The key lacks the scope, the role forbids it, or the thing is another tenant's."""

    code = "FORBIDDEN"
    status = 403
    sentence = "This API key is not allowed to do that."


class NotFound(TenantaiError):  # noqa: N818
    """There is no such thing within this tenant."""

    code = "NOT_FOUND"
    status = 404
    sentence = "There is no such thing here. Check the id."


class BodyTooSlow(TenantaiError):  # noqa: N818
    """The body did not come in time."""

    code = "REQUEST_TIMEOUT"
    status = 408
    sentence = "The body did not arrive in time. Send it again, without pauses."


class Conflict(TenantaiError):  # noqa: N818
    """It exists already, or cannot be done in the present state."""

    code = "CONFLICT"
    status = 409
    sentence = "It exists already."


class PayloadTooLarge(TenantaiError):  # noqa: N818
    """A body or file is over its limit."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413
    sentence = "The body is too large."


class UnsupportedMedia(TenantaiError):  # noqa: N818
    """The content is not of a kind that is taken."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    sentence = "This kind of content is not taken here."


class RangeNotSatisfiable(TenantaiError):  # noqa: N818
    """A part of a file is asked for that is behind its end."""

    code = "RANGE_NOT_SATISFIABLE"
    status = 416
    sentence = "The file ends before the range that was asked for begins."

    def __init__(self, size: int = 0) -> None:
        super().__init__()
        self.size = size


class LimitExceeded(TenantaiError):  # noqa: N818
    """A limit is reached; `reason` names it for machines, and the caller may come back after `retry_after_seconds`."""

    status = 429

    def __init__(
        self, code: str, message: str, *, reason: str, limit: int, used: int, retry_after_seconds: int, reset_at: str
    ) -> None:
        super().__init__(message, details={"reason": reason, "limit": limit, "used": used, "resetAt": reset_at})
        self.limit_code = code
        self.retry_after_seconds = retry_after_seconds

    @property
    def public_code(self) -> str:
        """The code of the limit that was reached."""
        return self.limit_code


class ProviderFailed(TenantaiError):  # noqa: N818
    """The model provider failed; `retry_after_seconds` where it said when to come back."""

    code = "PROVIDER_ERROR"
    status = 502
    sentence = "The model provider failed. Try again in a moment."

    def __init__(self, message: str | None = None, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotReady(TenantaiError):  # noqa: N818
    """A dependency is down or the server is shutting down."""

    code = "NOT_READY"
    status = 503
    sentence = "The server is not ready. Try again shortly."
