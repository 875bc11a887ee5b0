"""From findings to an estimate: sizes by the figures, each thing once, and totals of what is counted only."""

import csv
import io
import json
from dataclasses import replace

import pytest

from tenantai.estimating.editing import Edits, edited
from tenantai.estimating.items import Estimate, Finding, Item, Place
from tenantai.estimating.sizing import item_of
from tenantai.estimating.summing import summarise
from tenantai.estimating.table import as_csv
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT
from tenantai.server.services.estimate_telling import item_told, read, written

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


def test_too_long_is_shortened() -> None:
    """Of what is too large the longest sides are shortened until it fits the row; those of a flat thing stay."""
    most = 60 * CUBIC_METERS_PER_CUBIC_FOOT * 1_000_000 / 0.75
    for sides in ((2000, 90, 85), (90, 500, 85), (2000, 2000, 85), (2000, 1900, 1800)):
        found = item(replace(SOFA, length_cm=sides[0], width_cm=sides[1], height_cm=sides[2]))
        assert found.length_cm * found.width_cm * found.height_cm == pytest.approx(most)  # type: ignore[operator]
        assert found.height_cm == pytest.approx(min(sides[2], most ** (1 / 3)))
    assert item(replace(SOFA, length_cm=2000)).width_cm == 90
    mirror = item(Finding(0, "wall mirror", length_cm=120, width_cm=80, height_cm=2))
    assert (mirror.length_cm, mirror.width_cm, mirror.height_cm) == (120, 80, 2)
    assert "size-clamped" in mirror.notes


def test_how_sure_a_model_is_counts_for_nothing() -> None:
    """A model that is quite sure of a thing that no row is near, and tells its size, is not believed; a person is."""
    strange = Finding(0, "suit of armour", length_cm=60, width_cm=50, height_cm=180, confidence=1.0)
    assert item(strange).status == "needs-review"
    assert item(strange).volume_m3.high == 0
    assert item(replace(strange, is_measured=True)).volume_m3.typical == pytest.approx(0.6 * 0.5 * 1.8 * 0.75)


def test_what_a_person_measures_holds() -> None:
    """A person's size is not brought into the row's range; a change of the number leaves a model's size what it was."""
    before = estimate(replace(SOFA, length_cm=1000))
    larger = edited(before, Edits({"0": {"length_cm": 400.0}}), new_ids=[]).items[0]
    assert larger.volume_m3.typical == pytest.approx(4 * larger.width_cm * larger.height_cm / 10_000 * 0.75)  # type: ignore[operator]
    assert larger.notes == ("measured-by-hand", "edited-by-hand")
    two = edited(before, Edits({"0": {"quantity": 2}}), new_ids=[]).items[0]
    assert two.volume_m3.typical == pytest.approx(2 * before.items[0].volume_m3.typical)
    assert "size-clamped" in two.notes
    strange = estimate(Finding(0, "suit of armour", confidence=0.9))
    half = edited(strange, Edits({"0": {"length_cm": 60.0}}), new_ids=[])
    assert [one.status for one in half.needs_review] == ["needs-review"]
    whole = edited(half, Edits({"0": {"width_cm": 50.0, "height_cm": 180.0}}), new_ids=[])
    assert [one.volume_m3.typical for one in whole.items] == [pytest.approx(0.6 * 0.5 * 1.8 * 0.75)]
    added = edited(before, Edits({}, added=[Finding(0, "harp")]), new_ids=["b"]).items[-1]
    assert (added.appears_in, added.places) == ((), ())


def test_as_many_as_one_photo_shows() -> None:
    """Six chairs of which another photo shows four, one by one, are six; the places of all are told."""
    six = Finding(0, "dining chair", room="kitchen", quantity=6, confidence=0.9, box=(0, 0, 500, 500))
    four = [replace(six, image=1, quantity=1, box=(0, at, 9, at + 9)) for at in range(4)]
    found = estimate(*four, six)
    assert [(one.quantity, one.appears_in) for one in found.items] == [(6, (0, 1))]
    assert found.items[0].places == (Place(0, (0, 0, 500, 500)), *(Place(1, (0, at, 9, at + 9)) for at in range(4)))
    assert found.volume_m3.typical == pytest.approx(item(six).volume_m3.typical)


def test_different_looks_are_different_things() -> None:
    """A red sofa and a grey one are two; where only one of them has a colour told, they are one."""
    assert len(estimate(SOFA, replace(SOFA, image=1, label="red velvet")).items) == 2
    assert len(estimate(SOFA, replace(SOFA, image=1, label="")).items) == 1
    assert len(estimate(SOFA, replace(SOFA, image=1, label="charcoal, three seats", room="Lounge")).items) == 1
    glass, oak = Finding(0, "coffee table", "round, glass"), Finding(1, "coffee table", "rectangular, oak")
    assert len(estimate(glass, oak).items) == 2


def test_a_size_that_is_read_otherwise() -> None:
    """A thing whose size is read a little differently is one, though the sizes are those of two rows; another thing is two."""
    sofa = Finding(0, "sofa", "blue", room="living room", length_cm=210, width_cm=95, height_cm=85, confidence=0.9)
    again = replace(sofa, image=1, length_cm=180, width_cm=90, height_cm=75)
    assert [item(one).row_id for one in (sofa, again)] == ["sofa_3_seat", "loveseat"]
    for photos in (
        (sofa, again),
        (replace(again, image=0), replace(sofa, image=1)),
        (sofa, replace(again, name="couch", label="")),
    ):
        (found,) = estimate(*photos).items
        assert (found.appears_in, found.row_id) == ((0, 1), "sofa_3_seat")
    red = replace(sofa, label="red", length_cm=280)
    assert len(estimate(sofa, again, red).items) == 2
    assert len(estimate(sofa, replace(again, image=0)).items) == 2
    assert len(estimate(sofa, replace(again, label="red")).items) == 2
    assert len(estimate(sofa, replace(again, room="study")).items) == 2
    assert len(estimate(sofa, replace(again, length_cm=130)).items) == 2
    assert len(estimate(replace(sofa, name="sofa 3 seat"), replace(again, name="loveseat")).items) == 2


def test_the_better_name() -> None:
    """Of two names for one thing the one that is a row's own is shown, whichever photo it is in."""
    named, vague = Finding(0, "sofa 3 seat", confidence=0.5), Finding(1, "sofa", confidence=0.9)
    for photos in ((named, vague), (replace(named, image=1), replace(vague, image=0))):
        assert [one.name for one in estimate(*photos).items] == ["sofa 3 seat"]


def test_sure_in_one_photo() -> None:
    """What a model is unsure of in one photo and sure of in another is no question any more."""
    found = estimate(SOFA, replace(SOFA, image=1, confidence=0.1))
    assert [one.appears_in for one in found.items] == [(0, 1)]
    assert found.needs_review == ()
    assert len(estimate(SOFA, replace(SOFA, box=(1, 1, 2, 2), confidence=0.1)).needs_review) == 1


def test_built_in() -> None:
    """What is built in stays, but what lies in it is within the allowance, and said so."""
    found = estimate(SOFA, Finding(0, "kitchen cabinet", room="kitchen", built_in=True, confidence=0.9))
    assert [one.name for one in found.excluded] == ["kitchen cabinet"]
    assert found.contents_m3.typical == pytest.approx(0.4 * 20 * CUBIC_METERS_PER_CUBIC_FOOT)
    assert any("built in" in note for note in found.notes)
    assert "dish_pack" in {box.name for box in found.boxes}
    gone = edited(found, Edits({"1": {"status": "excluded"}}), new_ids=[])
    assert gone.contents_m3.high == 0


def test_small_things() -> None:
    """Cushions and cups take the room that they have within boxes, and boxes are counted for them."""
    found = estimate(Finding(0, "cushion", quantity=8), Finding(0, "vase", length_cm=15, width_cm=15, height_cm=30))
    cushions, vase = sorted(found.items, key=lambda one: one.name)
    assert cushions.volume_m3.typical == pytest.approx(8 * 0.25 * 3 * CUBIC_METERS_PER_CUBIC_FOOT)
    assert vase.volume_m3.typical == pytest.approx(0.15 * 0.15 * 0.3 * 0.75)
    assert [(box.name, box.count) for box in found.boxes] == [("small", 1), ("medium", 2)]
    assert vase.notes == ("mapped-to-nearest", "goes-in-a-box")
    assert "box" in vase.packing[0]


def test_boxes_of_their_own() -> None:
    """Televisions, mirrors and lamps have boxes of their own; books go into small ones."""
    found = estimate(
        Finding(0, "tv 55 65in"), Finding(0, "wall mirror", quantity=2), Finding(0, "table lamp"), Finding(0, "bookcase")
    )
    counts = {box.name: box.count for box in found.boxes}
    assert (counts["tv"], counts["mirror_picture"], counts["lamp"]) == (1, 2, 1)
    assert counts["small"] > counts["medium"]


def test_a_household_by_hand() -> None:
    """Two rooms reckoned by hand: volumes from sizes and rows, weights by item, the unit and the truck."""
    found = estimate(
        SOFA,
        Finding(0, "piano upright", room="living room", confidence=0.9),
        Finding(1, "bed queen", room="bedroom", confidence=0.9),
        Finding(1, "dining chair", room="kitchen", quantity=4, confidence=0.9),
    )
    feet = 2.1 * 0.9 * 0.85 * 0.75 / CUBIC_METERS_PER_CUBIC_FOOT + 60 + 65 + 4 * 7.5
    assert found.volume_m3.typical == pytest.approx(feet * CUBIC_METERS_PER_CUBIC_FOOT)
    assert found.volume_m3.low == pytest.approx((40 + 50 + 60 + 4 * 4) * CUBIC_METERS_PER_CUBIC_FOOT)
    assert found.volume_m3.high == pytest.approx((60 + 70 + 110 + 4 * 10) * CUBIC_METERS_PER_CUBIC_FOOT)
    assert found.weight_kg.typical == pytest.approx((110 + 551 + 455 + 4 * 52) * 0.45359237)
    assert found.storage_unit.tight is not None
    assert found.storage_unit.comfortable is not None
    assert (found.storage_unit.tight.name, found.storage_unit.comfortable.name) == ("5x10", "5x15")
    assert found.truck.tight is not None
    assert found.truck.tight.name == "cargo_van"


def test_a_shortened_thing_stays_what_it_is() -> None:
    """A bicycle whose sides were shortened to its row's range is not a smaller one once its number is changed."""
    before = estimate(Finding(0, "bicycle", length_cm=175, width_cm=60, height_cm=110))
    (two,) = edited(before, Edits({"0": {"quantity": 2}}), new_ids=[]).items
    assert (two.row_id, two.volume_m3) == ("bicycle_adult", before.items[0].volume_m3.times(2))
    (small,) = edited(before, Edits({"0": {"length_cm": 110, "width_cm": 45, "height_cm": 70}}), new_ids=[]).items
    assert small.row_id == "bicycle_child"


def test_weight_is_a_range() -> None:
    """A thing's weight spans what its volume does, and the total what all of them do; the typical one is the figures' own."""
    found = estimate(SOFA)
    (sofa,) = found.items
    typical = 110 * 0.45359237
    low, high = (typical * feet / (2.1 * 0.9 * 0.85 * 0.75 / CUBIC_METERS_PER_CUBIC_FOOT) for feet in (40, 60))
    assert (found.weight_kg.low, found.weight_kg.typical, found.weight_kg.high) == pytest.approx((low, typical, high))
    assert found.weight_kg == sofa.weights_kg
    told = item_told(sofa, unit="metric")
    assert (told.weight_range_kg.low, told.weight_kg, told.weight_range_lb.typical) == (round(low, 1), 49.9, 110)
    (row,) = csv.DictReader(io.StringIO(as_csv(found)))
    assert (row["weight_kg_low"], row["weight_kg"], row["weight_kg_high"]) == (f"{low:.1f}", "49.9", f"{high:.1f}")


def test_weights_of_what_was_kept_before() -> None:
    """An estimate that was kept without ranges of weights is read, and each weight spans what its volume does."""
    kept = json.loads(written(estimate(replace(SOFA, quantity=2))))
    assert kept["items"][0].pop("weight_range_kg")
    (sofa,) = read(json.dumps(kept)).items
    assert sofa.weight_range_kg is None
    assert sofa.weights_kg == estimate(replace(SOFA, quantity=2)).items[0].weights_kg


def test_none_is_large_enough() -> None:
    """Where no single unit or truck is large enough, that is said, with how many are."""
    found = estimate(Finding(0, "hot tub", quantity=6, confidence=0.9))
    assert found.storage_unit.tight is not None
    assert found.storage_unit.tight.count == 2
    assert found.storage_unit.reason == "No single one is large enough; 2 of 10x25 are."
    assert "large enough" in found.truck.reason
