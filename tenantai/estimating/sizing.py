"""From a finding to an item: which row of the figures it is, how large and how heavy.

What must stay true: a size that a model tells is brought within the row's range and marked, one that a person measured
holds; what has no row and was not measured is not counted.
"""

from dataclasses import dataclass

from tenantai.estimating.items import (
    BY_ROW,
    CLAMPED,
    MEASURED,
    NEAREST,
    NOTHING,
    PACKED,
    Finding,
    Item,
    Place,
    Range,
    Status,
    in_proportion,
)
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND, POUNDS_PER_CUBIC_FOOT
from tenantai.figures.naming import Meaning, Sides, best_row, meaning_of

FILL = 0.75
BY_EYE = 0.2
UNSURE_BELOW = 0.3
CUBIC_CENTIMETRES = 1_000_000
PACKED_SHARES = (0.1, 0.25, 1.0)
"""The part of its box that a small thing takes: least, without a size, and most."""
FRAGILE = frozenset(
    "tv_under tv_55 tv_over glass_cabinet mirror lamp china aquarium curio computer printer stereo dish_pack piano clock".split()
)
DISMANTLED = frozenset(
    "bed_ crib sectional wall_unit armoire dining_table treadmill elliptical trampoline pool piano_grand desk_executive".split()
)
"""Beginnings or parts of the names of rows."""
ADVICE = (
    ("rug_", "Roll it up and wrap it in foil."),
    ("plant_", "Carry it upright; it needs light, so it is not stored for long."),
    ("box_small_1", "It is packed already; mark its top."),
    ("box_medium_1", "It is packed already; mark its top."),
    ("box_large_1", "It is packed already; mark its top."),
    ("storage_tote", "Close it with tape and mark its top."),
)
WRAPPED = frozenset({"living", "bedroom", "kitchen_dining", "office"})


@dataclass(frozen=True, slots=True)
class _Size:
    """The size of one piece, its volume, and the marks of how it came about."""

    length_cm: float | None
    width_cm: float | None
    height_cm: float | None
    volume_m3: Range
    notes: tuple[str, ...] = ()


def item_of(finding: Finding, *, item_id: str, row_id: str | None = None) -> Item:
    """Return the item that a finding is, by itself; `row_id` is the row that it is known to be, where its name may mean that."""
    meaning = meaning_of(finding.name) or meaning_of(f"{finding.label} {finding.name}")
    row = _row(finding, meaning, known=row_id)
    size = _size(finding, row, meaning)
    fragile = finding.fragile if finding.fragile is not None else row is not None and _is_among(row.name, FRAGILE)
    status, reason = _status(finding, row, is_measured=MEASURED in size.notes)
    volume = size.volume_m3.times(finding.quantity)
    weight = _weight_lb(row, meaning, size.volume_m3.typical) * KILOGRAMS_PER_POUND * finding.quantity
    return Item(
        id=item_id,
        name=finding.name,
        row_id=row.name if row else None,
        label=finding.label,
        category=finding.category or (row.category if row else "other"),
        room=finding.room,
        quantity=finding.quantity,
        length_cm=size.length_cm,
        width_cm=size.width_cm,
        height_cm=size.height_cm,
        volume_m3=volume,
        weight_kg=weight,
        weight_range_kg=in_proportion(weight, volume),
        fragile=fragile,
        dismantle=row is not None and _is_among(row.name, DISMANTLED),
        confidence=finding.confidence,
        box=finding.box,
        image=finding.image,
        appears_in=(finding.image,),
        places=(Place(finding.image, finding.box),),
        status=status,
        notes=(*_marks(meaning), *size.notes),
        packing=() if finding.built_in else _packing(row, meaning, fragile=fragile),
        reason=reason,
        may_be=tuple(sorted(each.name for each in meaning.rows)) if meaning else (),
    )


def _row(finding: Finding, meaning: Meaning | None, *, known: str | None) -> catalogue.Item | None:
    if meaning is None:
        return None
    row = next((row for row in meaning.rows if row.name == known), None)
    return row or best_row(meaning, measured_ft3=_measured_ft3(finding), sides_cm=_sides_cm(finding))


def _marks(meaning: Meaning | None) -> tuple[str, ...]:
    if meaning is None or meaning.is_exact:
        return ()
    return (NEAREST, PACKED) if meaning.is_packed else (NEAREST,)


def _size(finding: Finding, row: catalogue.Item | None, meaning: Meaning | None) -> _Size:
    """Return the size of one piece: as it was measured, as a model tells it within the row's range, or the row's own.

    Of a thing that is too large the longest sides are shortened; short ones stay, for flat things take more room than they have.
    """
    length, width, height = finding.length_cm, finding.width_cm, finding.height_cm
    measured = _measured_m3(finding)
    if finding.is_measured and measured is not None:
        return _Size(length, width, height, Range(measured * (1 - BY_EYE), measured, measured * (1 + BY_EYE)), (MEASURED,))
    if row is None or meaning is None:
        return _Size(length, width, height, NOTHING)
    allowed = _range(row, meaning)
    if measured is None or length is None or width is None or height is None:
        return _Size(length, width, height, allowed, (BY_ROW,))
    kept = min(max(measured, allowed.low), allowed.high)
    if kept == measured:
        return _Size(length, width, height, Range(allowed.low, kept, allowed.high))
    length, width, height = _shortened((length, width, height), measured_max=kept)
    return _Size(length, width, height, Range(allowed.low, kept, allowed.high), (CLAMPED,))


def _shortened(sides: tuple[float, float, float], *, measured_max: float) -> tuple[float, float, float]:
    """Return sides cut off at one length, so that they come to no more than a volume."""
    room = measured_max / FILL * CUBIC_CENTIMETRES
    shortest, middle, longest = sorted(sides)
    if shortest * middle * longest <= room:
        return sides
    cut = next(
        cut
        for cut, below in ((room / (shortest * middle), middle), ((room / shortest) ** (1 / 2), shortest), (room ** (1 / 3), 0.0))
        if cut >= below
    )
    return (min(sides[0], cut), min(sides[1], cut), min(sides[2], cut))


def _range(row: catalogue.Item, meaning: Meaning) -> Range:
    """Return the volume that the figures give one piece, in cubic metres."""
    if meaning.is_packed:
        box = row.typical_ft3 * CUBIC_METERS_PER_CUBIC_FOOT
        return Range(*(box * share for share in PACKED_SHARES))
    return Range(*(feet * CUBIC_METERS_PER_CUBIC_FOOT for feet in (row.low_ft3, row.typical_ft3, row.high_ft3)))


def _measured_m3(finding: Finding) -> float | None:
    """Return the volume of a thing by its sizes, three quarters of the box around it; None where they tell of none."""
    sides = _sides_cm(finding)
    if sides is None:
        return None
    measured = sides[0] * sides[1] * sides[2] / CUBIC_CENTIMETRES * FILL
    return measured if measured > 1 / CUBIC_CENTIMETRES else None


def _sides_cm(finding: Finding) -> Sides | None:
    length, width, height = finding.length_cm, finding.width_cm, finding.height_cm
    return None if length is None or width is None or height is None else (length, width, height)


def _measured_ft3(finding: Finding) -> float | None:
    measured = _measured_m3(finding)
    return None if measured is None else measured / CUBIC_METERS_PER_CUBIC_FOOT


def _weight_lb(row: catalogue.Item | None, meaning: Meaning | None, typical_m3: float) -> float:
    """Return a piece's pounds: its row's where that has them, else by its volume."""
    if row is None or row.weight_lb is None or (meaning is not None and meaning.is_packed):
        return typical_m3 / CUBIC_METERS_PER_CUBIC_FOOT * POUNDS_PER_CUBIC_FOOT
    return row.weight_lb


def _status(finding: Finding, row: catalogue.Item | None, *, is_measured: bool) -> tuple[Status, str]:
    if finding.built_in:
        return "excluded", "It is built in and stays with the house."
    if row is None and not is_measured:
        return "needs-review", "No figure of the trade is near enough to it; give it a known name, or its size by hand."
    if finding.confidence < UNSURE_BELOW:
        return "needs-review", "The model is not sure what it is."
    return "counted", ""


def _packing(row: catalogue.Item | None, meaning: Meaning | None, *, fragile: bool) -> tuple[str, ...]:
    if row is None:
        return ()
    is_packed = meaning is not None and meaning.is_packed
    own = next((sentence for word, sentence in ADVICE if word in row.name), "")
    if own and not is_packed:
        return (own,)
    advice = []
    if is_packed:
        advice.append("Wrap it in paper and put it into a box with others." if fragile else "Put it into a box with others.")
    elif _is_among(row.name, DISMANTLED):
        advice.append("Take it apart; keep its screws in a bag taped to it.")
    if fragile and not is_packed:
        advice.append("Wrap it in bubble wrap and keep it upright.")
    if row.category in WRAPPED and not advice:
        advice.append("Wrap it in a furniture blanket.")
    if row.category == "appliance":
        advice.append("Empty, drain and dry it; fix its doors with tape.")
    return tuple(advice)


def _is_among(name: str, words: frozenset[str]) -> bool:
    return any(word in name for word in words)
