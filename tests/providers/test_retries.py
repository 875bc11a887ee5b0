"""When a provider is tried again, and what the caller is told."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tenantai.providers.retries import Patience, ProviderFault, pause_before_retry, redacted, seconds_of_retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("1.2s", 2),
        (" 3 ", 3),
        ("-5", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_in_seconds(value: str | None, seconds: int | None) -> None:
    """Whole seconds, protobuf durations and nonsense."""
    assert seconds_of_retry_after(value) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    """The other form that HTTP allows; a date that has passed asks for no wait."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert seconds_of_retry_after(soon) in {59, 60}
    assert seconds_of_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(("status", "again"), [(429, True), (500, True), (503, True), (400, False), (401, False), (501, False)])
def test_only_passing_faults_are_worth_a_pause(status: int, *, again: bool) -> None:
    """What will not change is not tried again."""
    assert (pause_before_retry(ProviderFault("x", status=status), 1, Patience()) is not None) is again


def test_pause_varies_so_that_callers_do_not_come_back_at_once() -> None:
    """Each pause is within a quarter of what was meant."""
    pauses = [pause_before_retry(ProviderFault("x", status=503), 1, Patience()) or 0 for _ in range(20)]
    assert len(set(pauses)) > 1
    assert all(0.75 <= pause <= 1.25 for pause in pauses)


def test_key_is_struck_from_what_is_logged() -> None:
    """A provider may say the key back; a text without end is cut, a provider without a key has nothing to strike."""
    assert redacted("bad key abc!", "abc") == "bad key [key]!"
    assert len(redacted("x" * 10_000, "abc")) == 500
    assert redacted("x", "") == "x"
