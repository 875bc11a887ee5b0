"""From findings to an estimate: sizes by the figures, each thing once, and totals of what is counted only."""

from dataclasses import replace

import pytest

from tenantai.estimating.items import Estimate, Finding, Item
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT

SOFA = Finding(0, "sofa 3 seat", "grey", room="living room", length_cm=210, width_cm=90, height_cm=85, confidence=0.9)


def item(finding: Finding, item_id: str = "a") -> Item:
    return item_of(finding, item_id=item_id)


def estimate(*findings: Finding) -> Estimate:
    return summarise(item(finding, str(at)) for at, finding in enumerate(findings))


def test_measured() -> None:
    """A volume is the box around the thing, three quarters full, within the range of its row."""
    found = item(SOFA)
    assert found.row_id == "sofa_3_seat"
    assert found.volume_m3.typical == pytest.approx(2.1 * 0.9 * 0.85 * 0.75)
    assert found.volume_m3.low == pytest.approx(40 * CUBIC_METERS_PER_CUBIC_FOOT)
    assert found.notes == ()


@pytest.mark.parametrize(("length", "edge"), [(10, "low_ft3"), (2000, "high_ft3")])
def test_clamped(length: float, edge: str) -> None:
    """A size outside the row's range is brought to its edge and marked."""
    found = item(replace(SOFA, length_cm=length))
    assert found.volume_m3.typical == pytest.approx(getattr(catalogue.items()["sofa_3_seat"], edge) * CUBIC_METERS_PER_CUBIC_FOOT)
    assert found.notes == ("size-clamped",)


def test_by_row_and_nearest() -> None:
    """Without sizes the row's value holds; a name that means no row is the nearest and marked, a strange one is not counted."""
    assert item(replace(SOFA, length_cm=None)).notes == ("sized-by-row",)
    nearest = item(Finding(0, "sofa"))
    assert nearest.notes[0] == "mapped-to-nearest"
    assert (nearest.row_id or "").startswith("sofa")
    strange = item(Finding(0, "suit of armour"))
    assert (strange.row_id, strange.status, strange.volume_m3.high) == (None, "needs-review", 0)


def test_seen_twice() -> None:
    """The same thing in two photos is counted once, whichever is first; two in one photo are two."""
    again = replace(SOFA, image=1, label="grey, by the window", length_cm=200)
    found = estimate(SOFA, again)
    assert [(one.appears_in, one.quantity) for one in found.items] == [((0, 1), 1)]
    assert "photos 1, 2" in found.items[0].reason
    assert estimate(again, SOFA).volume_m3 == found.volume_m3
    assert len(estimate(SOFA, replace(SOFA, box=(1, 1, 2, 2))).items) == 2
    assert len(estimate(SOFA, replace(again, room="study")).items) == 2


def test_totals() -> None:
    """Totals hold what is counted and the allowance, not what is built in or unknown; the range is in order."""
    found = estimate(
        SOFA,
        Finding(0, "dresser double", confidence=0.8),
        Finding(0, "radiator", built_in=True),
        Finding(0, "suit of armour", confidence=0.9),
        Finding(0, "floor lamp", confidence=0.1),
    )
    assert [one.name for one in found.items] == ["dresser double", "sofa 3 seat"]
    assert [one.name for one in found.excluded] == ["radiator"]
    assert {one.name for one in found.needs_review} == {"suit of armour", "floor lamp"}
    things = sum(one.volume_m3.typical for one in found.items)
    assert found.volume_m3.typical == pytest.approx(things + found.contents_m3.typical)
    assert found.volume_m3.low < found.volume_m3.typical < found.volume_m3.high
    assert found.boxes
    assert found.notes
    assert found.storage_unit.tight is not None
    assert found.truck.comfortable is not None


def test_nothing() -> None:
    """Nothing comes to nothing, and says so."""
    found = estimate()
    assert (found.volume_m3.high, found.weight_kg.high, found.boxes, found.storage_unit.tight) == (0, 0, (), None)
    assert found.storage_unit.reason
