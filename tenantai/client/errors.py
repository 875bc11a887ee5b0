"""What goes wrong between a client and a server, as one error with a sentence."""

import json
from typing import Any

import aiohttp

REDIRECT_BELOW = 400


class ClientError(Exception):
    """A request that came to nothing: the server's own code and sentence, or ours where no server spoke.

    `details` are the server's: for VALIDATION_ERROR a list of `field` and `problem`, for a limit its numbers.
    """

    def __init__(
        self, code: str, message: str, *, request_id: str | None = None, retry_after: int | None = None, details: Any = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after
        self.details = details


async def refusal(response: aiohttp.ClientResponse) -> ClientError:
    """Return the error that a server answered with, also where it is not one of ours."""
    if response.status < REDIRECT_BELOW:
        to = response.headers.get("Location", "elsewhere")
        return ClientError("REDIRECTED", f"The server sends us to {to}. Name that address instead; a key is not sent on.")
    try:
        error = json.loads(await response.text(errors="replace"))["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        reason = f"The server answered {response.status} without saying why. Is there a tenantai server at this address?"
        return ClientError("NOT_OURS", reason, request_id=response.headers.get("X-Request-Id"))
    after = response.headers.get("Retry-After", "")
    retry_after = int(after) if after.isascii() and after.isdigit() else None
    return ClientError(code, message, request_id=error.get("requestId"), retry_after=retry_after, details=error.get("details"))


def unreachable(url: str) -> ClientError:
    """Return the error for an address where nothing listens."""
    return ClientError("UNREACHABLE", f"No tenantai server answers at {url}. Start one, or check the address.")


def not_ours() -> ClientError:
    """Return the error for an answer that no tenantai server gives."""
    return ClientError("NOT_OURS", "The answer is not one of a tenantai server that this client knows. Check the address.")


def broken_off(what: str) -> ClientError:
    """Return the error for a stream without its last event."""
    return ClientError("STREAM_INCOMPLETE", f"{what} broke off before its end, so it is not whole. Try again.")
