"""Trying a provider again before its answer has begun, and turning its faults into our own sentences.

What must stay true: nothing that a provider said, and no key, reaches a public message; once an answer has begun,
nothing is tried again.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenantai.errors import ProviderFailed

Result = TypeVar("Result")

STATUSES_TRIED_AGAIN = frozenset({429, 500, 502, 503, 504})
SUMMARY_CHARACTERS_MAX = 500
UNREADABLE = 200
NOT_FOUND = 404
FIRST_SERVER_STATUS = 500
SENTENCES = {
    UNREADABLE: "The model provider sent an answer that can't be read. Try again.",
    429: "The model provider is at its limit. Try again later.",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a provider, and how often to try it; there is one try more than there are delays."""

    delays_seconds: tuple[float, ...] = (0.4, 1.2)
    first_event_seconds: float = 30
    check_seconds: float = 2
    retry_after_seconds_max: float = 8
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class ProviderFault(Exception):  # noqa: N818  reads as a sentence, like the errors of tenantai.errors
    """What went wrong, for the log and for the decision to try again.

    `status` is the answer's; None where none came or it broke off, UNREADABLE where it came whole and makes no sense.
    """

    def __init__(
        self,
        summary: str,
        *,
        status: int | None = None,
        retry_after_seconds: int | None = None,
        transient: bool = False,
        key_refused: bool = False,
    ) -> None:
        super().__init__(summary)
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.transient = transient or status in STATUSES_TRIED_AGAIN
        self.key_refused = key_refused or status in {401, 403}


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator must set, by name, when this provider refuses us."""

    key: str
    model: str
    address: str


async def with_retries(attempt: Callable[[], Awaitable[Result]], patience: Patience) -> Result:
    """Return what the first good attempt returns; all of them together have `first_event_seconds`. Raises ProviderFault."""
    try:
        async with asyncio.timeout(patience.first_event_seconds):
            for delay in patience.delays_seconds:
                try:
                    return await attempt()
                except ProviderFault as fault:
                    pause = pause_before_retry(fault, delay, patience)
                    if pause is None:
                        raise
                await patience.sleep(pause)
            return await attempt()
    except TimeoutError:
        raise ProviderFault(f"nothing came within {patience.first_event_seconds:g} s") from None


def pause_before_retry(fault: ProviderFault, delay: float, patience: Patience) -> float | None:
    """Return how long to wait before the next try, or None where it would be of no use."""
    asked = fault.retry_after_seconds or 0
    if not fault.transient or asked > patience.retry_after_seconds_max:
        return None
    return max(asked, delay * random.uniform(0.75, 1.25))  # noqa: S311  jitter, not a secret


def failure(fault: ProviderFault, settings: Settings) -> ProviderFailed:
    """Return the error to raise `from fault`: a sentence that says what can be done, and by whom."""
    return ProviderFailed(public_sentence(fault, settings), retry_after_seconds=fault.retry_after_seconds)


def public_sentence(fault: ProviderFault, settings: Settings) -> str:
    """Return our own sentence for a fault."""
    if fault.key_refused:
        return f"The model provider refused its key; the operator must set {settings.key}."
    if fault.status is None:
        return f"The model provider can't be reached or broke off. Try again; the operator may check {settings.address}."
    if fault.status >= FIRST_SERVER_STATUS:
        return "The model provider has a fault of its own. Try again in a moment."
    if fault.status == NOT_FOUND:
        return f"The model provider does not know the model that was asked for; the operator must set {settings.model}."
    return SENTENCES.get(fault.status, "The model provider refused the request; the server's log has its reason.")


def redacted(text: str, key: str) -> str:
    """Return text for the log without the key, cut to a bearable length."""
    shown = text.replace(key, "[key]") if key else text
    return shown[:SUMMARY_CHARACTERS_MAX]


def seconds_of_retry_after(value: str | None) -> int | None:
    """Return a Retry-After header (seconds or a date, RFC 9110 10.2.3) or a protobuf Duration ("1.5s") in whole seconds."""
    if not value:
        return None
    try:
        return max(0, math.ceil(float(value.strip().removesuffix("s"))))
    except (ValueError, OverflowError):
        return seconds_until(value)


def seconds_until(date: str) -> int | None:
    """Return the seconds from now to an HTTP date, or None where it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, math.ceil((moment - datetime.now(UTC)).total_seconds()))
