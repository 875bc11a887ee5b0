"""What is loaded is kept out of the collector's way, and looked through when nobody presses anything."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantai.tui import garbage
from tenantai.tui.garbage import Garbage
from tests.tui.test_record_table import listing


class Knot:
    """Something that only the collector lets go."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    """Leave the collector as it was to the tests that follow."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


class Clock:
    """A time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Such a time."""
    return Clock()


def knotted() -> "weakref.ref[Knot]":
    """Make garbage, and return what tells whether it is still there."""
    return weakref.ref(Knot())


def test_what_was_set_apart_is_let_go_in_the_next_quiet_round(clock: Clock) -> None:
    """The collector does not look at what is set apart; a round does, once nobody has pressed anything for a while."""
    kept = Garbage(clock)
    knot = knotted()
    kept.begin()
    gc.collect()
    assert knot() is not None
    kept.touch()
    clock.now += garbage.QUIET_SECONDS - 1
    kept.go_round()
    assert knot() is not None
    clock.now += 1
    kept.go_round()
    assert knot() is None


def test_who_never_rests_has_a_round_too(clock: Clock) -> None:
    """After some minutes garbage is looked for whatever is pressed; then not for as long again."""
    kept = Garbage(clock)
    kept.begin()
    knots = [knotted()]
    kept.count_rows(garbage.ROWS_MIN)
    for _ in range(2):
        clock.now += garbage.LATEST_SECONDS
        kept.touch()
        kept.go_round()
        assert knots[-1]() is None
        knots.append(knotted())
        kept.count_rows(garbage.ROWS_MIN)
        kept.touch()
        kept.go_round()
        assert knots[-1]() is not None


def test_nothing_is_looked_through_twice(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that is left alone has one round, and none before it is begun."""
    rounds: list[None] = []
    monkeypatch.setattr(gc, "collect", lambda: rounds.append(None))
    kept = Garbage(clock)
    kept.touch()
    clock.now += 1000
    kept.go_round()
    assert not rounds
    kept.begin()
    for _ in range(3):
        clock.now += 1000
        kept.go_round()
    assert len(rounds) == 1


@pytest.mark.parametrize(("count", "is_apart"), [(garbage.ROWS_MIN // 2 - 1, False), (garbage.ROWS_MIN, True)])
async def test_many_rows_are_set_apart(tmp_path: Path, count: int, is_apart: bool) -> None:
    """A long list's rows are set apart once all are there, a short one's are not; a test's console sets nothing apart."""
    async with listing(tmp_path, garbage.ROWS_MIN) as (records, _):
        assert not gc.get_freeze_count()
        records.operating.garbage.begin()
        gc.unfreeze()
        records.show(records.records[:count])
        assert bool(gc.get_freeze_count()) is is_apart


async def test_keys_are_noticed(tmp_path: Path, clock: Clock) -> None:
    """A key that is pressed puts the next round off."""
    async with listing(tmp_path, 3) as (records, pilot):
        records.operating.garbage = kept = Garbage(clock)
        kept.begin()
        knot = knotted()
        kept.count_rows(garbage.ROWS_MIN)
        clock.now += garbage.QUIET_SECONDS
        await pilot.press("j")
        kept.go_round()
        assert knot() is not None
