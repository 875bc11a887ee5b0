"""From items to an estimate: the same thing seen twice counted once, totals as ranges, boxes, materials, and what holds it all.

What must stay true: the order of items changes nothing, another item never lowers a total, and nothing that is not
counted is in one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import fsum

from tenantai.estimating.boxing import boxes_for, contents_of, materials_for
from tenantai.estimating.items import Estimate, Holder, Holders, Item, Range
from tenantai.estimating.sameness import once
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

ALLOWANCE_NOTE = "Contents of cupboards, drawers and shelves are an allowance by their size; nobody looked inside."
BUILT_IN_NOTE = "What is built in is not counted, but what lies in it is within the allowance."


def summarise(items: Iterable[Item]) -> Estimate:
    """Return the estimate of items from any number of photos, each thing counted once."""
    return total(once(items))


def total(merged: Sequence[Item]) -> Estimate:
    """Return the estimate of items that are each a thing of its own."""
    counted = [item for item in merged if item.status == "counted"]
    contents = contents_of(merged)
    volume = _sum([item.volume_m3 for item in counted]) + contents
    weight = _weight(counted, contents)
    boxes = boxes_for(merged)
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
        materials=materials_for(counted, boxes),
        storage_unit=_holders(unit_for(fit_volume)) if volume.high else NO_HOLDERS,
        truck=_holders(truck_for(fit_volume)) if volume.high else NO_HOLDERS,
        figures_version=catalogue.VERSION,
        notes=_notes(merged, contents),
    )


def _notes(merged: Sequence[Item], contents: Range) -> tuple[str, ...]:
    if not contents.high:
        return ()
    is_in_built_in = contents_of(item for item in merged if item.status == "excluded").high
    return (ALLOWANCE_NOTE, BUILT_IN_NOTE) if is_in_built_in else (ALLOWANCE_NOTE,)


NO_HOLDERS = Holders(None, None, "There is nothing to hold.")


def _sum(figures: Sequence[Range]) -> Range:
    """Return the exact sum, which no order changes."""
    return Range(fsum(one.low for one in figures), fsum(one.typical for one in figures), fsum(one.high for one in figures))


def _weight(counted: Sequence[Item], contents: Range) -> Range:
    """Return the weight of things, each with its own range, and of the allowance for contents."""
    per_m3 = POUNDS_PER_CUBIC_FOOT * KILOGRAMS_PER_POUND / CUBIC_METERS_PER_CUBIC_FOOT
    return _sum([item.weights_kg for item in counted]) + contents.times(per_m3)


def _holders(fit: Fit) -> Holders:
    tight, comfortable = _holder(fit.tight), _holder(fit.comfortable)
    return Holders(tight, comfortable, _none_is_enough(tight, comfortable))


def _none_is_enough(tight: Holder, comfortable: Holder) -> str:
    if tight.count > 1:
        return f"No single one is large enough; {tight.count} of {tight.name} are."
    if comfortable.count > 1:
        return f"No single one is large enough for comfort; {comfortable.count} of {comfortable.name} are."
    return ""


def _holder(choice: Choice) -> Holder:
    return Holder(choice.holder.name, choice.count, choice.holder.usable_ft3 * CUBIC_METERS_PER_CUBIC_FOOT)
