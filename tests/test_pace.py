"""At what pace a count rises, and when it will be through."""

import pytest

from tenantai.pace import Pace


def test_too_little_is_known() -> None:
    """One note, or two at once, tell no pace."""
    pace = Pace()
    assert (pace.rate(0.0), pace.seconds_left(100, 0.0)) == (None, None)
    pace.note(0, 0.0)
    assert pace.rate(5.0) is None
    pace.note(10, 0.01)
    assert pace.rate(0.02) is None


def test_pace_and_what_is_left() -> None:
    """It goes by what was noted, and the time left runs down between two notes."""
    pace = Pace()
    for second in range(5):
        pace.note(second * 10, float(second))
    assert pace.rate(4.5) == pytest.approx(10)
    assert pace.seconds_left(100, 4.0) == pytest.approx(6)
    assert pace.seconds_left(100, 5.0) == pytest.approx(5)
    assert pace.seconds_left(40, 4.0) == 0


def test_what_stalls_slows_down() -> None:
    """A count that rises no more is told as ever slower, not as fast as it was."""
    pace = Pace()
    pace.note(0, 0.0)
    pace.note(100, 10.0)
    assert pace.rate(15.0) == pytest.approx(10)
    assert pace.rate(100.0) == pytest.approx(1)


def test_only_of_late() -> None:
    """What is long ago counts no more, and a thousand notes a second are bounded."""
    pace = Pace()
    for tenth in range(1_000):
        pace.note(tenth, tenth / 10)
    for thousandth in range(1_000):
        pace.note(1_000 + thousandth, 100 + thousandth / 1000)
    assert pace.rate(101.0) == pytest.approx(1000, rel=0.9)
    fast = Pace()
    for second in range(60):
        fast.note(0 if second < 30 else 100 * (second - 30), float(second))
    assert fast.rate(59.0) == pytest.approx(100)
