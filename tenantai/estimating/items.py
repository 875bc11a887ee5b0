"""What is found in photos, the items that it comes to, and the estimate of all of them; every volume is in cubic metres.

What must stay true: a range is low ≤ typical ≤ high, and an item that is not counted says why.
"""

from dataclasses import dataclass
from typing import Literal

Box = tuple[int, int, int, int]
Status = Literal["counted", "needs-review", "excluded"]
NEAREST, BY_ROW, CLAMPED, PACKED = "mapped-to-nearest", "sized-by-row", "size-clamped", "goes-in-a-box"
SEEN_AGAIN, MEASURED, BY_HAND = "seen-again", "measured-by-hand", "edited-by-hand"
NOTES = (NEAREST, BY_ROW, CLAMPED, PACKED, SEEN_AGAIN, MEASURED, BY_HAND)
"""Marks that an item may bear: how its row and size came about, and what a person did."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A thing in one photo (`image` counts from 0), as a model or a person tells it; what can't be told is None.

    `box` is (ymin, xmin, ymax, xmax), 0 to 1000; the sizes are those of one piece, and `is_measured` where a person told them.
    """

    image: int
    name: str
    label: str = ""
    category: str | None = None
    room: str | None = None
    quantity: int = 1
    length_cm: float | None = None
    width_cm: float | None = None
    height_cm: float | None = None
    confidence: float = 0.5
    box: Box | None = None
    fragile: bool | None = None
    built_in: bool = False
    is_measured: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A figure between its lowest and its highest."""

    low: float
    typical: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def times(self, factor: float) -> "Range":
        """Return so many times as much."""
        return Range(self.low * factor, self.typical * factor, self.high * factor)


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing is in a photo."""

    image: int
    box: Box | None


@dataclass(frozen=True, slots=True)
class Item:
    """A thing to be moved: volume and weight are of all its pieces; `row_id` names the figures' row that it is.

    `weight_kg` is the typical one; `weight_range_kg` is None in what an earlier version kept, so read `weights_kg`.
    `may_be` has all the rows that the name may mean, in the order of their names.
    `image` and `box` say where it was seen first, or best; `places` has all the photos.
    `notes` are the marks of NOTES, `reason` a sentence where it is not counted or was seen in further photos.
    """

    id: str
    name: str
    row_id: str | None
    label: str
    category: str
    room: str | None
    quantity: int
    length_cm: float | None
    width_cm: float | None
    height_cm: float | None
    volume_m3: Range
    weight_kg: float
    fragile: bool
    dismantle: bool
    confidence: float
    box: Box | None
    image: int
    appears_in: tuple[int, ...]
    status: Status
    notes: tuple[str, ...] = ()
    packing: tuple[str, ...] = ()
    reason: str = ""
    places: tuple[Place, ...] = ()
    weight_range_kg: Range | None = None
    may_be: tuple[str, ...] = ()

    @property
    def weights_kg(self) -> Range:
        """Return the lowest, typical and highest weight."""
        return self.weight_range_kg or in_proportion(self.weight_kg, self.volume_m3)


def in_proportion(weight_kg: float, volume_m3: Range) -> Range:
    """Return the range of a weight that goes with the range of its volume."""
    if not volume_m3.typical:
        return Range(weight_kg, weight_kg, weight_kg)
    per_m3 = weight_kg / volume_m3.typical
    return Range(min(weight_kg, volume_m3.low * per_m3), weight_kg, max(weight_kg, volume_m3.high * per_m3))


@dataclass(frozen=True, slots=True)
class Boxes:
    """So many boxes of a size, and what is for them."""

    name: str
    count: int
    use: str


@dataclass(frozen=True, slots=True)
class Material:
    """So much of what things are packed in."""

    name: str
    amount: int
    unit: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A storage unit or truck; more than one only where no single one is large enough."""

    name: str
    count: int
    usable_m3: float


@dataclass(frozen=True, slots=True)
class Holders:
    """What holds a volume, tightly and with room to spare; None for both, and why, where there is nothing to hold."""

    tight: Holder | None
    comfortable: Holder | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PackPlan:
    """Whether all pieces, boxes among them, really go into the tight unit, by their shapes.

    `left_over` names what does not, `fits_in` is the smallest unit that was found to hold all, `filled` the part of the unit that
    they take with the air within them, and `shapes_assumed` the pieces whose shape nobody told.
    """

    unit: str
    count: int
    fits: bool
    pieces: int
    left_over: tuple[str, ...]
    fits_in: str | None
    filled: float
    shapes_assumed: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """All items of some photos and what they come to; totals are of the counted items and the allowance for contents."""

    items: tuple[Item, ...]
    needs_review: tuple[Item, ...]
    excluded: tuple[Item, ...]
    contents_m3: Range
    volume_m3: Range
    weight_kg: Range
    boxes: tuple[Boxes, ...]
    materials: tuple[Material, ...]
    storage_unit: Holders
    truck: Holders
    figures_version: int
    notes: tuple[str, ...] = ()
    pack_plan: PackPlan | None = None
