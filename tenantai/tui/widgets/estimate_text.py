"""An estimate in words, metric or imperial: ranges, what holds it, what it is packed in."""

from tenantai.tui import shown
from tenantai.tui.widgets.columns import Tone
from tenantai.wire.estimator import HoldersTold, ItemTold, PackPlanTold, RangeTold, SummaryTold

CENTIMETRES_PER_INCH = 2.54
TONES: dict[str, Tone] = {"counted": "good", "needs-review": "warn", "excluded": "dim"}


def name_of(item: ItemTold) -> str:
    """Return what a thing is, and what tells it apart."""
    return f"{item.name}, {item.label}" if item.label else item.name


def size_of(item: ItemTold, *, imperial: bool) -> str:
    """Return length × width × height of one piece."""
    sides = (item.length_cm, item.width_cm, item.height_cm)
    if not any(sides):
        return "–"
    by = CENTIMETRES_PER_INCH if imperial else 1
    return "×".join("?" if side is None else f"{side / by:.0f}" for side in sides) + (" in" if imperial else " cm")


def volume_of(item: ItemTold, *, imperial: bool) -> str:
    """Return the typical volume of all pieces."""
    return f"{item.volume_ft3.typical:.1f} ft³" if imperial else f"{item.volume_m3.typical:.2f} m³"


def weight_of(item: ItemTold, *, imperial: bool) -> str:
    """Return the weight of all pieces."""
    return f"{item.weight_lb:.0f} lb" if imperial else f"{item.weight_kg:.0f} kg"


def item_details(item: ItemTold, *, imperial: bool) -> str:
    """Return what else is known of an item, as lines."""
    volume, weight = (item.volume_ft3, item.weight_range_lb) if imperial else (item.volume_m3, item.weight_range_kg)
    parts = [
        shown.line(name_of(item)),
        f"{item.quantity} × {size_of(item, imperial=imperial)}, {range_of(volume, digits=2)} {'ft³' if imperial else 'm³'}, {range_of(weight, digits=0)} {'lb' if imperial else 'kg'}",
        f"{shown.line(item.room or 'no room told')}; {shown.line(item.category)}{', fragile' if item.fragile else ''}{', to be taken apart' if item.dismantle else ''}",
        shown.line(item.reason),
        *(shown.line(note) for note in (*item.notes, *item.packing)),
    ]
    return "\n".join(part for part in parts if part)


def totals_of(summary: SummaryTold, *, imperial: bool) -> list[str]:
    """Return what an estimate comes to, as lines."""
    totals = summary.totals
    volume, weight = (totals.volume_ft3, totals.weight_lb) if imperial else (totals.volume_m3, totals.weight_kg)
    boxes = ", ".join(f"{box.count} {shown.line(box.name.replace('_', ' '))}" for box in summary.boxes)
    materials = ", ".join(f"{one.amount:g} {shown.line(one.unit)} {shown.line(one.name)}" for one in summary.materials)
    lines = [
        f"{totals.items} items, {totals.pieces} pieces, {len(summary.needs_review)} to be looked at",
        f"Volume {range_of(volume, digits=1)} {'ft³' if imperial else 'm³'}",
        f"Weight {range_of(weight, digits=0)} {'lb' if imperial else 'kg'}",
        f"Unit: {holders_of(summary.storage_unit)}",
        f"Truck: {holders_of(summary.truck)}",
        f"Boxes: {boxes or 'none'}",
        f"Materials: {materials or 'none'}",
    ]
    plan = [plan_of(summary.pack_plan)] if summary.pack_plan is not None else []
    return [*lines, *plan, *(shown.line(note) for note in summary.notes)]


def range_of(figure: RangeTold, *, digits: int) -> str:
    """Return a figure with its lowest and highest."""
    return f"{figure.typical:.{digits}f} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"


def holders_of(holders: HoldersTold) -> str:
    """Return what holds it tightly and comfortably, or why nothing is named."""
    named = [one for one in (holders.tight, holders.comfortable) if one is not None]
    if not named:
        return shown.line(holders.reason or "none")
    texts = [f"{one.count} × {one.name}" if one.count > 1 else one.name for one in named]
    return shown.line(" tight, ".join(texts) + (" with room" if len(texts) > 1 else ""))


def plan_of(plan: PackPlanTold) -> str:
    """Return whether everything goes into the unit."""
    unit = f"{plan.count} × {plan.unit}" if plan.count > 1 else plan.unit
    if plan.fits:
        return shown.line(f"All {plan.pieces} pieces and boxes go into {unit}.")
    better = f" {plan.fits_in} holds it." if plan.fits_in else ""
    return shown.line(f"No way was found to get all into {unit}; left over: {', '.join(plan.left_over)}.{better}")
