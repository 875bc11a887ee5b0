"""An estimate's items as rows of a spreadsheet.

What must stay true: no cell that a model or a person wrote is taken for a formula.
"""

import csv
import io

from tenantai.estimating.editing import all_items
from tenantai.estimating.items import Estimate, Item
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND

COLUMNS = (
    "id status name label row category room quantity length_cm width_cm height_cm volume_m3_low volume_m3 volume_m3_high "
    "volume_ft3 weight_kg_low weight_kg weight_kg_high weight_lb fragile dismantle confidence photos notes packing reason"
).split()
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(estimate: Estimate) -> str:
    """Return all items as CSV; photos count from 1."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(COLUMNS)
    for item in all_items(estimate):
        rows.writerow([_cell(value) for value in _row(item)])
    return written.getvalue()


def _row(item: Item) -> tuple[object, ...]:
    volume = item.volume_m3
    return (
        item.id,
        item.status,
        item.name,
        item.label,
        item.row_id,
        item.category,
        item.room,
        item.quantity,
        *(None if side is None else round(side, 1) for side in (item.length_cm, item.width_cm, item.height_cm)),
        round(volume.low, 3),
        round(volume.typical, 3),
        round(volume.high, 3),
        round(volume.typical / CUBIC_METERS_PER_CUBIC_FOOT, 1),
        round(item.weights_kg.low, 1),
        round(item.weight_kg, 1),
        round(item.weights_kg.high, 1),
        round(item.weight_kg / KILOGRAMS_PER_POUND, 1),
        "yes" if item.fragile else "no",
        "yes" if item.dismantle else "no",
        round(item.confidence, 2),
        " ".join(str(photo + 1) for photo in item.appears_in),
        " ".join(item.notes),
        " ".join(item.packing),
        item.reason,
    )


def _cell(value: object) -> object:
    """Return a cell; text that a spreadsheet would run gets an apostrophe before it."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
