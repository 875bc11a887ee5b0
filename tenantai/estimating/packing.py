"""Whether things fit into the storage unit that their volume calls for: packed piece by piece, as boxes are.

What must stay true: the same things give the same plan, for the search is bounded by counted work and not by a clock; a shape
that nobody told is assumed and counted as such. Runs in the child process: it is seconds of work for hundreds of pieces.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from packvium import Container, Dimensions, EffortBudget, Packer, PackingConfig, PackingResult
from packvium import Item as Cuboid

from tenantai.estimating.items import PACKED, Estimate, Item, PackPlan
from tenantai.estimating.sizing import FILL
from tenantai.figures import catalogue
from tenantai.figures.catalogue import StorageUnit
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT

PIECES_MAX, SHAPES_MAX = 250, 100
HARD_TRIED_PIECES_MAX, HARD_TRIED_SHAPES_MAX = 120, 40
UNITS_TRIED = 3
WORK_MAX = 20_000
SUPPORT_MIN = 0.6
FUSE_MILLISECONDS = 60_000
CENTIMETRES_PER_FOOT, CENTIMETRES_PER_INCH = 30.48, 2.54
CUBIC_CENTIMETRES = 1_000_000
UPRIGHT = ("fridge", "freezer", "washer", "dryer", "dishwasher", "stove", "piano", "aquarium", "clock")
LEFT_TOLD = 20


@dataclass(frozen=True, slots=True)
class _Piece:
    """So many pieces of one shape."""

    name: str
    sides_cm: tuple[float, float, float]
    quantity: int
    is_assumed: bool = False
    is_upright: bool = False
    bears_nothing: bool = False


def plan_of(estimate: Estimate) -> PackPlan | None:
    """Return how the things of an estimate fit into its tight unit, or None where there is none, or too much for one plan."""
    proposed, pieces = estimate.storage_unit.tight, list(_pieces(estimate))
    total = sum(piece.quantity for piece in pieces)
    if proposed is None or not pieces or total > PIECES_MAX or len(pieces) > SHAPES_MAX:
        return None
    units = [unit for unit in catalogue.storage_units() if unit.usable_ft3 >= _named(proposed.name).usable_ft3][:UNITS_TRIED]
    packed = [_packed(units[0], proposed.count, pieces)]
    if packed[0].unpacked and total <= HARD_TRIED_PIECES_MAX and len(pieces) <= HARD_TRIED_SHAPES_MAX:
        packed = [_packed(units[0], proposed.count, pieces, profile=PackingConfig.balanced)]
    while packed[-1].unpacked and len(packed) < len(units):
        packed.append(_packed(units[len(packed)], proposed.count, pieces))
    left = packed[0].unpacked
    return PackPlan(
        unit=proposed.name,
        count=proposed.count,
        fits=not left,
        pieces=total,
        left_over=tuple(dict.fromkeys(pieces[int(one.instance.item.id)].name for one in left))[:LEFT_TOLD],
        fits_in=None if packed[-1].unpacked else units[len(packed) - 1].name,
        filled=round(min(1.0, _volume(pieces) / (_room(units[0]) * proposed.count)), 3),
        shapes_assumed=sum(piece.quantity for piece in pieces if piece.is_assumed),
    )


def _pieces(estimate: Estimate) -> Iterable[_Piece]:
    """Yield what is to be stowed: things by their sizes, and the boxes that small things and contents are in."""
    for item in estimate.items:
        if PACKED not in item.notes and item.volume_m3.typical > 0:
            yield _piece(item)
    known = {box.name: box for box in catalogue.boxes()}
    own = {"tv", "mirror_picture", "lamp"}
    for boxes in estimate.boxes:
        if boxes.name not in own:
            box = known[boxes.name]
            outer = box.outer_inches
            sides = _sides(*outer) if outer else _cube(box.nominal_ft3 * CUBIC_METERS_PER_CUBIC_FOOT)
            yield _Piece(f"{boxes.name} box".replace("_", " "), sides, boxes.count)


def _piece(item: Item) -> _Piece:
    row = item.row_id or ""
    length, width, height = item.length_cm, item.width_cm, item.height_cm
    is_told = length is not None and width is not None and height is not None
    told = (length or 0.0, width or 0.0, height or 0.0)
    return _Piece(
        item.name,
        told if is_told else _cube(item.volume_m3.typical / item.quantity / FILL),
        item.quantity,
        is_assumed=not is_told,
        is_upright=is_told and any(word in row for word in UPRIGHT),
        bears_nothing=item.fragile,
    )


def _sides(length: float, width: float, height: float) -> tuple[float, float, float]:
    return (length * CENTIMETRES_PER_INCH, width * CENTIMETRES_PER_INCH, height * CENTIMETRES_PER_INCH)


def _cube(volume_m3: float) -> tuple[float, float, float]:
    side = (volume_m3 * CUBIC_CENTIMETRES) ** (1 / 3)
    return (side, side, side)


def _packed(
    unit: StorageUnit, count: int, pieces: Sequence[_Piece], *, profile: Callable[..., PackingConfig] = PackingConfig.fast
) -> PackingResult:
    """Return how pieces lie in so many of a unit."""
    height_ft = unit.gross_ft3 / (unit.width_ft * unit.depth_ft)
    sides = (unit.depth_ft * CENTIMETRES_PER_FOOT, unit.width_ft * CENTIMETRES_PER_FOOT, height_ft * CENTIMETRES_PER_FOOT)
    cuboids = [
        Cuboid.create(
            str(at),
            _dimensions(piece.sides_cm),
            quantity=piece.quantity,
            keep_upright=piece.is_upright,
            stackable=not piece.bears_nothing,
        )
        for at, piece in enumerate(pieces)
    ]
    containers = [Container.create(unit.name, _dimensions(sides), quantity=count)]
    config = profile(
        time_limit_ms=FUSE_MILLISECONDS,
        minimum_support_ratio=SUPPORT_MIN,
        effort_budget=EffortBudget(max_candidates_evaluated=WORK_MAX),
    )
    return Packer(config).pack(items=cuboids, containers=containers)


def _dimensions(sides_cm: Sequence[float]) -> Dimensions:
    length, width, height = (str(max(1, round(side * 10))) for side in sides_cm)
    return Dimensions.mm(length, width, height)


def _volume(pieces: Iterable[_Piece]) -> float:
    return sum(piece.sides_cm[0] * piece.sides_cm[1] * piece.sides_cm[2] * piece.quantity for piece in pieces)


def _room(unit: StorageUnit) -> float:
    return unit.gross_ft3 * CENTIMETRES_PER_FOOT**3


def _named(name: str) -> StorageUnit:
    return next(unit for unit in catalogue.storage_units() if unit.name == name)
