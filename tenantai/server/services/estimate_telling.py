"""Estimates as clients read them, and as they are kept.

What must stay true: figures are rounded here and nowhere else, so that what is summed is exact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from pydantic import TypeAdapter

from tenantai.estimating.items import Estimate, Holder, Holders, Item, PackPlan, Range
from tenantai.estimating.summing import summarise
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND
from tenantai.storage.estimates import KeptEstimate
from tenantai.wire.estimator import (
    AmountTold,
    BoxesTold,
    EstimateRecord,
    HoldersTold,
    HolderTold,
    ItemTold,
    MaterialTold,
    PictureTold,
    PlaceTold,
    RangeTold,
    SizeTold,
    SummaryTold,
    TotalsTold,
    Unit,
)

CENTIMETRES_PER_INCH, METRES_PER_FOOT = 2.54, 0.3048
VOLUME_DIGITS, WEIGHT_DIGITS, SIZE_DIGITS = 3, 1, 1

_estimates: TypeAdapter[Estimate] = TypeAdapter(Estimate)
_plans: TypeAdapter[PackPlan | None] = TypeAdapter(PackPlan | None)


def item_told(item: Item, *, unit: Unit) -> ItemTold:
    """Return an item as a client reads it."""
    return ItemTold(
        id=item.id,
        image=item.image,
        name=item.name,
        label=item.label,
        row_id=item.row_id,
        category=item.category,
        room=item.room,
        quantity=item.quantity,
        length_cm=_side(item.length_cm),
        width_cm=_side(item.width_cm),
        height_cm=_side(item.height_cm),
        size=_size(item, unit),
        volume_m3=_range(item.volume_m3, VOLUME_DIGITS),
        volume_ft3=_feet(item.volume_m3),
        weight_kg=round(item.weight_kg, WEIGHT_DIGITS),
        weight_lb=round(item.weight_kg / KILOGRAMS_PER_POUND, WEIGHT_DIGITS),
        weight_range_kg=_range(item.weights_kg, WEIGHT_DIGITS),
        weight_range_lb=_range(item.weights_kg.times(1 / KILOGRAMS_PER_POUND), WEIGHT_DIGITS),
        fragile=item.fragile,
        dismantle=item.dismantle,
        confidence=round(item.confidence, 3),
        box=item.box,
        appears_in=list(item.appears_in),
        places=[PlaceTold(image=place.image, box=place.box) for place in item.places],
        status=item.status,
        notes=list(item.notes),
        packing=list(item.packing),
        reason=item.reason,
    )


def summary_told(
    estimate: Estimate, *, estimate_id: str, status: str, unit: Unit, pictures: Sequence[PictureTold]
) -> SummaryTold:
    """Return an estimate as a client reads it."""
    return SummaryTold.model_validate(
        {
            "estimate_id": estimate_id,
            "status": status,
            "unit": unit,
            "items": _items(estimate.items, unit),
            "needs_review": _items(estimate.needs_review, unit),
            "excluded": _items(estimate.excluded, unit),
            "contents": AmountTold(volume_m3=_range(estimate.contents_m3, VOLUME_DIGITS), volume_ft3=_feet(estimate.contents_m3)),
            "totals": _totals(estimate),
            "boxes": [BoxesTold(name=box.name, count=box.count, use=box.use) for box in estimate.boxes],
            "materials": [MaterialTold(name=m.name, amount=m.amount, unit=m.unit) for m in estimate.materials],
            "storage_unit": _holders(estimate.storage_unit),
            "truck": _holders(estimate.truck),
            "pack_plan": None if estimate.pack_plan is None else asdict(estimate.pack_plan),
            "notes": list(estimate.notes),
            "figures_version": estimate.figures_version,
            "images": list(pictures),
        }
    )


def record_of(kept: KeptEstimate) -> dict[str, object]:
    """Return a kept estimate without its items."""
    return EstimateRecord.model_validate(kept).json_ready()


def written(estimate: Estimate) -> str:
    """Return an estimate as it is kept."""
    return _estimates.dump_json(estimate).decode()


def read(report: str) -> Estimate:
    """Return an estimate that was kept; nothing found where it was cut off before its end."""
    return _estimates.validate_json(report) if report else summarise(())


def plan_read(told: str) -> PackPlan | None:
    """Return a pack plan that was written as JSON."""
    return _plans.validate_json(told)


def _items(items: Iterable[Item], unit: Unit) -> list[ItemTold]:
    return [item_told(item, unit=unit) for item in items]


def _totals(estimate: Estimate) -> TotalsTold:
    pounds = estimate.weight_kg.times(1 / KILOGRAMS_PER_POUND)
    return TotalsTold(
        items=len(estimate.items),
        pieces=sum(item.quantity for item in estimate.items),
        volume_m3=_range(estimate.volume_m3, VOLUME_DIGITS),
        volume_ft3=_feet(estimate.volume_m3),
        weight_kg=_range(estimate.weight_kg, WEIGHT_DIGITS),
        weight_lb=_range(pounds, WEIGHT_DIGITS),
    )


def _holders(holders: Holders) -> HoldersTold:
    return HoldersTold(tight=_holder(holders.tight), comfortable=_holder(holders.comfortable), reason=holders.reason)


def _holder(holder: Holder | None) -> HolderTold | None:
    if holder is None:
        return None
    feet = holder.usable_m3 / CUBIC_METERS_PER_CUBIC_FOOT
    floor = next(((unit.width_ft, unit.depth_ft) for unit in catalogue.storage_units() if unit.name == holder.name), None)
    return HolderTold(
        name=holder.name,
        count=holder.count,
        usable_m3=round(holder.usable_m3, VOLUME_DIGITS),
        usable_ft3=round(feet, WEIGHT_DIGITS),
        floor_m=None if floor is None else (round(floor[0] * METRES_PER_FOOT, 2), round(floor[1] * METRES_PER_FOOT, 2)),
        floor_ft=floor,
    )


def _range(figure: Range, digits: int) -> RangeTold:
    return RangeTold(low=round(figure.low, digits), typical=round(figure.typical, digits), high=round(figure.high, digits))


def _feet(cubic_metres: Range) -> RangeTold:
    return _range(cubic_metres.times(1 / CUBIC_METERS_PER_CUBIC_FOOT), WEIGHT_DIGITS)


def _side(centimetres: float | None) -> float | None:
    return None if centimetres is None else round(centimetres, SIZE_DIGITS)


def _size(item: Item, unit: Unit) -> SizeTold:
    per_unit = 1.0 if unit == "metric" else CENTIMETRES_PER_INCH
    sides = {"length": item.length_cm, "width": item.width_cm, "height": item.height_cm}
    told = {name: None if side is None else round(side / per_unit, SIZE_DIGITS) for name, side in sides.items()}
    return SizeTold(**told, unit="cm" if unit == "metric" else "in")
