"""What holds for every estimate, whatever models and people tell: found out with things of every sort, in any order."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantai.estimating.editing import Edits, all_items, edited
from tenantai.estimating.items import CLAMPED, Estimate, Finding, Item
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND
from tenantai.server.services.estimate_telling import item_told

PHOTOS = 4
NAMES = ("sofa 3 seat", "sofa", "dining chair", "dresser double", "vase", "bookcase", "kitchen cabinet", "box", "suit of armour")
sides = st.one_of(st.none(), st.floats(0.001, 2_000))
findings = st.builds(
    Finding,
    image=st.integers(0, PHOTOS - 1),
    name=st.sampled_from(NAMES),
    label=st.sampled_from(["", "grey", "red fabric", "oak", "round, glass"]),
    room=st.sampled_from([None, "living room", "Lounge", "kitchen"]),
    quantity=st.integers(1, 6),
    length_cm=sides,
    width_cm=sides,
    height_cm=sides,
    confidence=st.sampled_from([0.1, 0.6, 1.0]),
    built_in=st.sampled_from([False, False, False, True]),
)
some = st.lists(findings, max_size=14)
ones = settings(max_examples=150, deadline=None)


def items_of(found: list[Finding]) -> list[Item]:
    return [item_of(finding, item_id=str(at)) for at, finding in enumerate(found)]


def totals(estimate: Estimate) -> dict[str, float]:
    volume, contents, weight = estimate.volume_m3, estimate.contents_m3, estimate.weight_kg
    figures = {"pieces": float(sum(item.quantity for item in estimate.items))}
    for name, figure in (("volume", volume), ("contents", contents), ("weight", weight)):
        figures |= {f"{name} low": figure.low, f"{name} typical": figure.typical, f"{name} high": figure.high}
    return figures | {f"boxes {box.name}": float(box.count) for box in estimate.boxes}


@ones
@given(some, findings)
def test_another_item_lowers_no_total(found: list[Finding], more: Finding) -> None:
    """Whatever is added, and to whichever photo, no total becomes smaller, neither a volume nor a weight nor a count of boxes."""
    before, after = totals(summarise(items_of(found))), totals(summarise(items_of([*found, more])))
    for name, figure in before.items():
        assert after.get(name, 0.0) >= figure * (1 - 1e-9), name


near_ones = st.builds(
    Finding,
    image=st.integers(0, PHOTOS - 1),
    name=st.sampled_from(
        ["sofa", "sofa", "couch", "sofa 3 seat", "loveseat", "chest", "lamp", "shelf", "mirror", "display cabinet"]
    ),
    label=st.sampled_from(["", "blue", "blue", "navy fabric", "red", "glass", "red glass", "blue wood"]),
    room=st.just("living room"),
    quantity=st.sampled_from([1, 1, 2]),
    length_cm=st.sampled_from([None, 60.0, 150.0, 175.0, 190.0, 210.0, 235.0, 250.0]),
    width_cm=st.sampled_from([20.0, 45.0, 90.0]),
    height_cm=st.sampled_from([45.0, 80.0, 90.0]),
    confidence=st.sampled_from([0.1, 0.9, 0.9]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(near_ones, max_size=7), near_ones, st.randoms())
def test_things_that_are_nearly_alike(found: list[Finding], more: Finding, random: object) -> None:
    """Where names, looks and sizes are nearly the same, another thing lowers no total, and no order of them changes one."""
    before, after = totals(summarise(items_of(found))), totals(summarise(items_of([*found, more])))
    for name, figure in before.items():
        assert after.get(name, 0.0) >= figure * (1 - 1e-9), name
    moved = [replace(finding, image=PHOTOS - 1 - finding.image) for finding in found]
    random.shuffle(moved)  # type: ignore[attr-defined]
    assert totals(summarise(items_of(moved))) == pytest.approx(before, rel=1e-12)


@ones
@given(some, st.permutations(range(PHOTOS)), st.randoms())
def test_the_order_of_photos_changes_nothing(found: list[Finding], order: list[int], random: object) -> None:
    """Photos in another order, and items told in another order, come to the same."""
    moved = [replace(finding, image=order[finding.image]) for finding in found]
    random.shuffle(moved)  # type: ignore[attr-defined]
    before, after = summarise(items_of(found)), summarise(items_of(moved))
    assert totals(after) == pytest.approx(totals(before), rel=1e-12)
    assert sorted((item.name, item.quantity) for item in after.items) == sorted(
        (item.name, item.quantity) for item in before.items
    )
    assert (after.storage_unit, after.truck, after.materials) == (before.storage_unit, before.truck, before.materials)


@ones
@given(findings)
def test_clamping_twice_is_clamping_once(finding: Finding) -> None:
    """A size that was brought into range is in range: telling it once more changes nothing."""
    once = item_of(finding, item_id="a")
    sizes = {"length_cm": once.length_cm, "width_cm": once.width_cm, "height_cm": once.height_cm}
    name = (once.row_id or finding.name).replace("_", " ")
    if "goes-in-a-box" in once.notes:
        name = finding.name
    twice = item_of(replace(finding, name=name, **sizes), item_id="a")  # type: ignore[arg-type]
    assert twice.volume_m3.typical == pytest.approx(once.volume_m3.typical)
    assert (twice.length_cm, twice.width_cm, twice.height_cm) == pytest.approx((once.length_cm, once.width_cm, once.height_cm))


@ones
@given(findings)
def test_a_model_is_never_believed_beyond_its_row(finding: Finding) -> None:
    """Whatever sizes and however sure, a volume is within the row's range, and marked where it was not."""
    item = item_of(finding, item_id="a")
    assert item.volume_m3.low <= item.volume_m3.typical <= item.volume_m3.high
    if item.row_id is None:
        assert item.status != "counted"
        assert item.volume_m3.high == 0
    else:
        row = catalogue.items()[item.row_id]
        highest = row.high_ft3 * CUBIC_METERS_PER_CUBIC_FOOT * item.quantity
        assert item.volume_m3.typical <= highest * (1 + 1e-9)
        on_edge = item.volume_m3.typical in {item.volume_m3.low, item.volume_m3.high}
        assert on_edge or CLAMPED not in item.notes


@ones
@given(some)
def test_ranges_are_in_order_and_hold_what_is_counted(found: list[Finding]) -> None:
    """Totals are those of the counted items and the contents, and no item is in two places or lost."""
    estimate = summarise(items_of(found))
    volume = estimate.volume_m3
    assert volume.low <= volume.typical <= volume.high
    things = sum(item.volume_m3.typical for item in estimate.items)
    assert volume.typical == pytest.approx(things + estimate.contents_m3.typical)
    for weight in (estimate.weight_kg, *(item.weights_kg for item in all_items(estimate))):
        assert weight.low <= weight.typical <= weight.high
    assert len({item.id for item in all_items(estimate)}) == len(all_items(estimate)) <= len(found)
    assert {photo for item in all_items(estimate) for photo in item.appears_in} == {finding.image for finding in found}


@ones
@given(some, findings)
def test_a_person_adds_and_takes_out(found: list[Finding], more: Finding) -> None:
    """A thing that a person adds lowers no total, and taken out again leaves all as it was."""
    before = summarise(items_of(found))
    added = edited(before, Edits({}, added=[more]), new_ids=["new"])
    for name, figure in totals(before).items():
        assert totals(added).get(name, 0.0) >= figure * (1 - 1e-9), name
    again = edited(added, Edits({}, removed={"new"}), new_ids=[])
    assert totals(again) == pytest.approx(totals(before))


@given(findings)
def test_units_convert_back(finding: Finding) -> None:
    """Cubic feet, pounds and inches are the same as cubic metres, kilograms and centimetres, to the digits that are told."""
    item = item_of(finding, item_id="a")
    metric, imperial = item_told(item, unit="metric"), item_told(item, unit="imperial")
    for part in ("low", "typical", "high"):
        metres, feet = getattr(metric.volume_m3, part), getattr(metric.volume_ft3, part)
        assert feet * CUBIC_METERS_PER_CUBIC_FOOT == pytest.approx(metres, abs=0.002 + metres * 1e-9)
    assert metric.weight_lb * KILOGRAMS_PER_POUND == pytest.approx(metric.weight_kg, abs=0.1)
    for side in ("length", "width", "height"):
        centimetres, inches = getattr(metric.size, side), getattr(imperial.size, side)
        assert (centimetres is None) == (inches is None)
        if centimetres is not None:
            assert inches * 2.54 == pytest.approx(centimetres, abs=0.2)
    assert metric.model_dump(exclude={"size"}) == imperial.model_dump(exclude={"size"})
