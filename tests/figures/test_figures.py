"""The figures of the trade: every row is read as it stands, and what holds a volume really holds it."""

import csv
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantai.figures.catalogue import VERSION, Truck, boxes, items, storage_units, trucks
from tenantai.figures.fitting import Choice, Counted, Volume, counted, meant, truck_for, unit_for, volume_of


def test_catalogue_is_whole() -> None:
    """Every row of every table is read, ranges are in order, and the version is the one of the page of sources."""
    data = files("tenantai.figures") / "data"
    for name, read in (
        ("household_items", items()),
        ("boxes", boxes()),
        ("storage_units", storage_units()),
        ("trucks", trucks()),
    ):
        rows = list(csv.DictReader((data / f"{name}.csv").read_text().splitlines()))
        assert len(read) == len(rows)
    assert all(item.low_ft3 <= item.typical_ft3 <= item.high_ft3 and item.evidence for item in items().values())
    assert f"version {VERSION}" in (data / "SOURCES.md").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("sofa_3_seat", "sofa_3_seat"),
        ("3-seat sofa", "sofa_3_seat"),
        ("3 seater couch", "sofa_3_seat"),
        ("Queen bed", "bed_queen"),
        ("dining chairs", "dining_chair"),
        ("Upright piano", "piano_upright"),
        ("washer", "washer"),
        ("adult bike", "bicycle_adult"),
    ],
)
def test_names(name: str, item: str) -> None:
    """A thing is known by the words that people use for it."""
    found, _ = meant(name)
    assert found is not None
    assert found.name == item


@pytest.mark.parametrize(("name", "among"), [("sofa", "sofa_3_seat"), ("bed", "bed_queen"), ("sofa bed 9000", "sofa_3_seat")])
def test_names_of_several(name: str, among: str) -> None:
    """A name that fits several items is none of them: they are named instead."""
    found, nearest = meant(name)
    assert found is None
    assert any(word in nearest for word in (among, "sofa_sleeper", "bed_king"))


def test_names_of_nothing() -> None:
    """What the catalogue does not have is handed back and not counted."""
    known, unknown = counted([("sofa_3_seat", 2), ("space shuttle", 1)])
    assert [(thing.item.name, thing.quantity) for thing in known] == [("sofa_3_seat", 2)]
    assert [name.name for name in unknown] == ["space shuttle"]
    assert volume_of(known) == Volume(80, 100, 120, 220)


def test_unit_and_truck() -> None:
    """A flat's things fit a unit and a truck, tightly and comfortably."""
    volume = volume_of(
        [Counted(items()["sofa_3_seat"], 2), Counted(items()["bed_queen"], 1), Counted(items()["dining_chair"], 6)]
    )
    unit, truck = unit_for(volume), truck_for(volume)
    assert unit.tight.count == truck.tight.count == 1
    assert unit.tight.holder.usable_ft3 >= volume.typical_ft3
    assert unit.comfortable.holder.usable_ft3 >= volume.high_ft3


@given(st.floats(0, 50_000), st.floats(1, 2), st.floats(0, 200_000))
def test_what_holds_a_volume_holds_it(typical: float, more: float, weight: float) -> None:
    """Whatever the volume and the weight, the choice is large and strong enough, and the comfortable one no smaller."""
    volume = Volume(typical, typical, typical * more, weight)
    for fit in (unit_for(volume), truck_for(volume)):
        for choice, room in ((fit.tight, typical), (fit.comfortable, volume.high_ft3)):
            assert _room(choice) >= room * (1 - 1e-9)
            if isinstance(choice.holder, Truck) and choice.holder.payload_lb is not None:
                assert choice.holder.payload_lb * choice.count >= weight * (1 - 1e-9)
        assert _room(fit.comfortable) >= _room(fit.tight) * (1 - 1e-9)


def _room(choice: Choice) -> float:
    return choice.holder.usable_ft3 * choice.count
