"""The figures themselves: items, boxes, storage units and trucks, as `data/SOURCES.md` says where they are from.

What must stay true: a figure is never changed in code, and what its source does not state is None, never a guess.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

VERSION = 3


@dataclass(frozen=True, slots=True)
class Item:
    """A thing in a household: cubic feet as sheets give them, lowest, typical and highest, and pounds where they are known."""

    name: str
    category: str
    low_ft3: float
    typical_ft3: float
    high_ft3: float
    weight_lb: float | None
    evidence: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A moving box: inches outside where they are stated, the cubic feet it is called by, and the pounds it may carry."""

    name: str
    outer_inches: tuple[float, float, float] | None
    nominal_ft3: float
    max_weight_lb: float
    use: str


@dataclass(frozen=True, slots=True)
class StorageUnit:
    """A storage unit: feet of its floor, cubic feet in all and beside an aisle."""

    name: str
    width_ft: float
    depth_ft: float
    gross_ft3: float
    usable_ft3: float
    holds: str


@dataclass(frozen=True, slots=True)
class Truck:
    """A truck: cubic feet by its maker and in practice, and the pounds it carries where they are stated."""

    name: str
    rated_ft3: float
    usable_ft3: float
    payload_lb: float | None


@cache
def items() -> dict[str, Item]:
    """Return the items by name."""
    return {
        row["item"]: Item(
            name=row["item"],
            category=row["category"],
            low_ft3=float(row["low_ft3"]),
            typical_ft3=float(row["typical_ft3"]),
            high_ft3=float(row["high_ft3"]),
            weight_lb=float(row["weight_lb"]) if row["weight_lb"] else None,
            evidence=_evidence(row["evidence"]),
        )
        for row in _rows("household_items.csv")
    }


@cache
def boxes() -> tuple[Box, ...]:
    """Return the boxes, as the trade lists them."""
    sides = ("outer_length_in", "outer_width_in", "outer_height_in")
    return tuple(
        Box(
            name=row["box"],
            outer_inches=(float(row[sides[0]]), float(row[sides[1]]), float(row[sides[2]])) if row[sides[0]] else None,
            nominal_ft3=float(row["nominal_ft3"]),
            max_weight_lb=float(row["max_weight_lb"]),
            use=row["use"],
        )
        for row in _rows("boxes.csv")
    )


@cache
def storage_units() -> tuple[StorageUnit, ...]:
    """Return the storage units, the smallest first."""
    found = [
        StorageUnit(
            name=row["unit"],
            width_ft=float(row["width_ft"]),
            depth_ft=float(row["depth_ft"]),
            gross_ft3=float(row["gross_ft3"]),
            usable_ft3=float(row["usable_ft3"]),
            holds=row["holds"],
        )
        for row in _rows("storage_units.csv")
    ]
    return tuple(sorted(found, key=lambda unit: unit.usable_ft3))


@cache
def trucks() -> tuple[Truck, ...]:
    """Return the trucks, the smallest first."""
    found = [
        Truck(
            name=row["truck"],
            rated_ft3=float(row["rated_ft3"]),
            usable_ft3=float(row["usable_ft3"]),
            payload_lb=float(row["payload_lb"]) if row["payload_lb"] else None,
        )
        for row in _rows("trucks.csv")
    ]
    return tuple(sorted(found, key=lambda truck: truck.usable_ft3))


def _rows(name: str) -> Iterator[dict[str, str]]:
    table = (files("tenantai.figures") / "data" / name).read_text(encoding="utf-8")
    yield from csv.DictReader(table.splitlines())


def _evidence(text: str) -> tuple[tuple[str, float], ...]:
    """Return each source with its figure, of `Peezy=50;C=45`."""
    pairs = [part.partition("=") for part in text.split(";") if "=" in part]
    return tuple((source, float(figure)) for source, _, figure in pairs)
