"""Pack plans: pieces really go into the unit by their shapes, or are named; and the same things always have the same plan."""

from dataclasses import replace

import pytest

from tenantai.estimating.items import Estimate, Finding, Holder, Holders
from tenantai.estimating.packing import PIECES_MAX, plan_of
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise, total

SOFA = Finding(0, "sofa 3 seat", length_cm=210, width_cm=90, height_cm=85)
WARDROBE = Finding(0, "wardrobe", length_cm=150, width_cm=60, height_cm=210)
FRIDGE = Finding(0, "fridge standard", length_cm=70, width_cm=70, height_cm=180)
CHAIRS = Finding(0, "dining chair", quantity=6, length_cm=45, width_cm=45, height_cm=90)


def estimate(*findings: Finding) -> Estimate:
    return summarise(item_of(finding, item_id=str(at)) for at, finding in enumerate(findings))


def test_fits() -> None:
    """A room's things and the boxes of what is in them fit the unit of their volume; nobody told the bed's shape."""
    found = plan_of(estimate(SOFA, WARDROBE, CHAIRS, Finding(1, "bed queen")))
    assert found is not None
    assert (found.fits, found.left_over, found.fits_in, found.shapes_assumed) == (True, (), found.unit, 1)
    assert found.pieces > 10
    assert 0.3 < found.filled < 0.9


def test_too_long() -> None:
    """A thing whose volume has room, but not its shape, is named with the unit that holds it."""
    kayak = Finding(0, "kayak canoe", length_cm=430, width_cm=60, height_cm=40, is_measured=True)
    measured = total([item_of(kayak, item_id="a"), item_of(CHAIRS, item_id="b")])
    found = plan_of(measured)
    assert found is not None
    assert (found.unit, found.fits, found.left_over, found.fits_in) == ("5x5", False, ("kayak canoe",), "5x15")


def test_upright() -> None:
    """A fridge is not laid down: a higher one than the unit does not fit, where a wardrobe does."""
    tall = replace(FRIDGE, length_cm=60, width_cm=60, height_cm=260, is_measured=True)
    assert plan_of(total([item_of(tall, item_id="a")])).fits is False  # type: ignore[union-attr]
    lying = replace(WARDROBE, length_cm=120, width_cm=60, height_cm=260, is_measured=True)
    unit = Holders(Holder("10x10", 1, 14.0), Holder("10x10", 1, 14.0))
    found = plan_of(replace(total([item_of(lying, item_id="a")]), storage_unit=unit))
    assert found is not None
    assert found.fits


@pytest.mark.parametrize("findings", [(), (Finding(0, "suit of armour"),), (replace(CHAIRS, quantity=PIECES_MAX + 1),)])
def test_none(findings: tuple[Finding, ...]) -> None:
    """There is no plan for nothing, nor for more than one is made for."""
    assert plan_of(estimate(*findings)) is None


def test_the_same_again() -> None:
    """The same things have the same plan, however busy the machine is."""
    household = estimate(SOFA, WARDROBE, FRIDGE, CHAIRS, Finding(1, "bookcase", quantity=3))
    assert plan_of(household) == plan_of(household)
