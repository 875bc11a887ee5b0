"""Rows sifted and sorted in slices: the same as at once, with turns for others in between."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tenantai.tui.widgets import arranging
from tenantai.tui.widgets.arranging import Arranging, Sieve
from tests.running import until
from tests.tui.test_record_table import Thing, listing


@dataclass(frozen=True)
class Row:
    """A record."""

    at: int
    group: int


ROWS = [Row(at, random.Random(at).randrange(7)) for at in range(2500)]


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn after each hundred rows."""
    monkeypatch.setattr(arranging, "SLICE", 100)
    monkeypatch.setattr(arranging, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(arranging, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(arranging, "RUN", 100)


def steps_of(kept: Arranging[Row], **given: Any) -> list[tuple[list[Row], bool]]:
    """Return all steps."""
    return list(kept.steps(ROWS, given.get("sieve"), given.get("order"), ordered_by=given.get("ordered_by")))


@pytest.mark.parametrize("descending", [False, True])
def test_sorted_in_runs(small_slices: None, descending: bool) -> None:
    """Sorting in runs gives what sorting at once gives, ties in the order of the records; a second time it is known."""
    kept = Arranging[Row](lambda row: str(row.at))
    given = {"order": (lambda row: row.group, descending), "ordered_by": (0, descending)}
    steps = steps_of(kept, **given)
    runs, joins, gathered = 25, 24, 25
    assert [whole for _, whole in steps] == [False] * (runs + joins + gathered) + [True]
    assert steps[-1][0] == sorted(ROWS, key=lambda row: row.group, reverse=descending)
    assert steps_of(kept, **given) == [steps[-1]]


@pytest.mark.parametrize("inverted", [False, True])
def test_sifted_in_slices(small_slices: None, inverted: bool) -> None:
    """What is shown meanwhile is the beginning of what passes; texts are made once, until they are forgotten."""
    asked: list[int] = []

    def text_of(row: Row) -> str:
        asked.append(row.at)
        return f"Row {row.at}"

    kept = Arranging[Row](text_of)
    steps = steps_of(kept, sieve=Sieve("ROW 1", inverted))
    passing = [row for row in ROWS if str(row.at).startswith("1") != inverted]
    assert len(steps) == 26
    assert steps[-1] == (passing, True)
    assert all(rows == passing[: len(rows)] and not whole for rows, whole in steps[:-1])
    steps_of(kept, sieve=Sieve("row 22", inverted))
    assert asked == list(range(2500))
    assert not list(kept.learn(ROWS))
    kept.forget()
    assert list(kept.learn(ROWS)) == [None] * 25
    assert len(asked) == 5000


def test_the_first_turn_comes_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key's own frame waits less for the first slice than later frames for theirs."""
    monkeypatch.setattr(arranging, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(arranging, "SLICE_SECONDS", 1000.0)
    kept = Arranging[Row](lambda row: str(row.at))
    assert [len(rows) for rows, _ in steps_of(kept, sieve=Sieve("", inverted=False))] == [arranging.SLICE, len(ROWS)]


async def test_the_cursor_waits_for_its_record(small_slices: None, tmp_path: Path) -> None:
    """While the rows of a filter are still coming the cursor's record is not given up; another filter ends the one before."""
    async with listing(tmp_path, 3000) as (records, pilot):
        records.table.cursor = 2900
        records._filter_by("thing 9", inverted=False)
        records._filter_by("thing 29", inverted=False)
        assert "Looking on…" in records.count_text()
        await until(lambda: "Looking on…" not in records.count_text())
        assert records.count_text() == "111 of 3,000 loaded things · with “thing 29”"
        assert records.current == Thing(2900, "thing 2900")
        await pilot.press("o")
        await until(lambda: "Looking on…" not in records.count_text())
        assert records.current == Thing(2900, "thing 2900")
