"""From items to an estimate: the same thing seen twice counted once, totals as ranges, boxes, materials, and what holds it all.

What must stay true: the order of items changes nothing, another item never lowers a total, and nothing that is not
counted is in one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from math import ceil

from tenantai.estimating.items import NOTHING, Boxes, Estimate, Holder, Holders, Item, Material, Range
from tenantai.figures import catalogue
from tenantai.figures.fitting import (
    CUBIC_METERS_PER_CUBIC_FOOT,
    KILOGRAMS_PER_POUND,
    POUNDS_PER_CUBIC_FOOT,
    Choice,
    Fit,
    Volume,
    truck_for,
    unit_for,
)

ALIKE = 0.6
SIZE_DIFFERENCE_MAX = 0.25
HOLDS_THINGS = (
    "dresser",
    "chest_of_drawers",
    "armoire",
    "cabinet",
    "bookcase",
    "nightstand",
    "buffet",
    "credenza",
    "desk",
    "shelving",
)
CONTENTS = Range(0.2, 0.4, 0.6)
BOX_SHARES = (("small", 0.3), ("medium", 0.5), ("large", 0.2))
ALLOWANCE_NOTE = "Contents of cupboards, drawers and shelves are an allowance by their size; nobody looked inside."


def summarise(items: Iterable[Item]) -> Estimate:
    """Return the estimate of items from any number of photos, each thing counted once."""
    return total(_once(sorted(items, key=_order)))


def total(merged: Sequence[Item]) -> Estimate:
    """Return the estimate of items that are each a thing of its own."""
    counted = [item for item in merged if item.status == "counted"]
    contents = _allowance(_sum(item.volume_m3 for item in counted if _holds_things(item)))
    things = _sum(item.volume_m3 for item in counted)
    volume = things + contents
    weight = _weight(counted, contents)
    boxes = _boxes(contents)
    fit_volume = Volume(*(cubic / CUBIC_METERS_PER_CUBIC_FOOT for cubic in (volume.low, volume.typical, volume.high)))
    fit_volume = replace(fit_volume, weight_lb=weight.typical / KILOGRAMS_PER_POUND)
    return Estimate(
        items=tuple(counted),
        needs_review=tuple(item for item in merged if item.status == "needs-review"),
        excluded=tuple(item for item in merged if item.status == "excluded"),
        contents_m3=contents,
        volume_m3=volume,
        weight_kg=weight,
        boxes=boxes,
        materials=_materials(counted, boxes),
        storage_unit=_holders(unit_for(fit_volume)) if counted else NO_HOLDERS,
        truck=_holders(truck_for(fit_volume)) if counted else NO_HOLDERS,
        figures_version=catalogue.VERSION,
        notes=(ALLOWANCE_NOTE,) if contents.high else (),
    )


NO_HOLDERS = Holders(None, None, "There is nothing to hold.")


def _order(item: Item) -> tuple[object, ...]:
    return (item.image, item.box or (), item.name, item.id)


def _once(items: Sequence[Item]) -> list[Item]:
    """Return items with those that are the same thing in another photo merged into the first."""
    kept: list[Item] = []
    for item in items:
        at = next((at for at, other in enumerate(kept) if _is_same(other, item)), None)
        if at is None:
            kept.append(item)
        else:
            kept[at] = _seen_again(kept[at], item)
    return kept


def _is_same(one: Item, other: Item) -> bool:
    """Whether two items are one thing in two photos, never in one: of one row, room and number, alike in words and size."""
    if other.image in one.appears_in or (one.row_id, one.status, one.quantity) != (other.row_id, other.status, other.quantity):
        return False
    if one.room and other.room and one.room.casefold() != other.room.casefold():
        return False
    words = SequenceMatcher(None, f"{one.name} {one.label}".casefold(), f"{other.name} {other.label}".casefold()).ratio()
    sizes = ((one.length_cm, other.length_cm), (one.width_cm, other.width_cm), (one.height_cm, other.height_cm))
    return words >= ALIKE and all(_is_near(a, b) for a, b in sizes)


def _is_near(one: float | None, other: float | None) -> bool:
    return one is None or other is None or abs(one - other) <= SIZE_DIFFERENCE_MAX * max(one, other)


def _seen_again(first: Item, again: Item) -> Item:
    photos = tuple(sorted({*first.appears_in, *again.appears_in}))
    named = ", ".join(str(photo + 1) for photo in photos)
    reason = f"It is in photos {named} and counted once: the same kind, room and number, alike in words and size."
    larger = max((first.volume_m3, again.volume_m3), key=lambda volume: volume.typical)
    notes = tuple(dict.fromkeys((*first.notes, "seen-again")))
    return replace(
        first,
        volume_m3=larger,
        weight_kg=max(first.weight_kg, again.weight_kg),
        appears_in=photos,
        confidence=max(first.confidence, again.confidence),
        notes=notes,
        reason=first.reason if first.status != "counted" else reason,
    )


def _holds_things(item: Item) -> bool:
    return any(word in (item.row_id or "") for word in HOLDS_THINGS)


def _allowance(furniture: Range) -> Range:
    """Return the room that the contents of furniture take, once in boxes."""
    return Range(furniture.low * CONTENTS.low, furniture.typical * CONTENTS.typical, furniture.high * CONTENTS.high)


def _sum(volumes: Iterable[Range]) -> Range:
    total = NOTHING
    for volume in volumes:
        total += volume
    return total


def _weight(counted: Sequence[Item], contents: Range) -> Range:
    things = sum(item.weight_kg for item in counted)
    per_m3 = POUNDS_PER_CUBIC_FOOT * KILOGRAMS_PER_POUND / CUBIC_METERS_PER_CUBIC_FOOT
    return Range(things + contents.low * per_m3, things + contents.typical * per_m3, things + contents.high * per_m3)


def _boxes(contents: Range) -> tuple[Boxes, ...]:
    known = {box.name: box for box in catalogue.boxes()}
    found = []
    for name, share in BOX_SHARES:
        box = known[name]
        count = ceil(contents.typical * share / (box.nominal_ft3 * CUBIC_METERS_PER_CUBIC_FOOT))
        if count:
            found.append(Boxes(name, count, box.use))
    return tuple(found)


def _materials(counted: Sequence[Item], boxes: Sequence[Boxes]) -> tuple[Material, ...]:
    box_count = sum(box.count for box in boxes)
    fragile = sum(item.quantity for item in counted if item.fragile)
    covers = sum(item.quantity for item in counted if "mattress" in (item.row_id or "") or (item.row_id or "").startswith("bed_"))
    wanted = (
        Material("packing tape", ceil(box_count / 10), "rolls"),
        Material("packing paper", ceil(box_count / 8), "kg"),
        Material("bubble wrap", fragile * 3, "m"),
        Material("mattress cover", covers, "pieces"),
        Material("furniture blanket", sum(item.quantity for item in counted if item.volume_m3.typical >= 1), "pieces"),
    )
    return tuple(material for material in wanted if material.amount)


def _holders(fit: Fit) -> Holders:
    tight, comfortable = _holder(fit.tight), _holder(fit.comfortable)
    reason = f"No single one is large enough; {comfortable.count} of the largest fitting are." if comfortable.count > 1 else ""
    return Holders(tight, comfortable, reason)


def _holder(choice: Choice) -> Holder:
    return Holder(choice.holder.name, choice.count, choice.holder.usable_ft3 * CUBIC_METERS_PER_CUBIC_FOOT)
