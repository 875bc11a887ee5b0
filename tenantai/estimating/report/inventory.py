"""The tables of a report: what is moved, room by room, what is to be clarified, and what stays."""

import re
from collections.abc import Mapping, Sequence
from math import fsum

from tenantai.estimating.items import BY_ROW, CLAMPED, NEAREST, PACKED, Estimate, Item
from tenantai.estimating.report.page import Align, Page, cut
from tenantai.figures.fitting import words_in

NAMED_CHARACTERS_MAX = 120
NO_ROOM = "Other rooms"
BY_FIGURES = frozenset({BY_ROW, CLAMPED, NEAREST})
WIDTHS = (9, 68, 14, 30, 18, 17, 18)
ALIGNS: tuple[Align, ...] = ("R", "L", "R", "L", "R", "R", "C")
SHOWN = {
    "sofa_3_seat": "Sofa, 3 seats",
    "sofa_4_seat": "Sofa, 4 seats",
    "tv_under_50in": "TV under 50 in",
    "tv_55_65in": "TV, 55 to 65 in",
    "tv_over_65in": "TV over 65 in",
    "mattress_queen_full": "Mattress, queen or full",
    "mirror_or_picture_large": "Large mirror or picture",
    "mirror_or_picture_small": "Small mirror or picture",
    "crib_or_toddler_bed": "Crib or toddler bed",
}
ADJECTIVE_LAST = re.compile(r"^(bed|dresser|mattress|piano|fridge|desk|mirror|rug|plant|bicycle|safe|grill|bookcase) (\w+)$")


def by_room(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Return items by their rooms, as they come; those without one last."""
    rooms: dict[str, list[Item]] = {}
    for item in items:
        rooms.setdefault((item.room or NO_ROOM).strip().capitalize(), []).append(item)
    return dict(sorted(rooms.items(), key=lambda pair: pair[0] == NO_ROOM))


def show_inventory(page: Page, estimate: Estimate, rooms: Mapping[str, Sequence[Item]], numbers: Mapping[str, int]) -> None:
    """Draw a table for each room, and the sum of all."""
    for room, items in rooms.items():
        page.heading(room)
        rows = [_row(page, item, numbers[item.id]) for item in items]
        page.rows(_heads(page), [*rows, _sum(page, "Together", items)], widths=WIDTHS, aligns=ALIGNS, foot=1)
    if not estimate.items:
        return
    page.heading("All together")
    contents = estimate.weight_kg.typical - fsum(item.weight_kg for item in estimate.items)
    rows = [_sum(page, "Things in all rooms", estimate.items)]
    if estimate.contents_m3.high:
        allowance = ("", "Contents of cupboards, drawers and shelves (allowance)", "", "")
        rows.append((*allowance, page.volume(estimate.contents_m3.typical), page.weight(contents), ""))
    total = ("", "Total", "", "", page.volume(estimate.volume_m3.typical), page.weight(estimate.weight_kg.typical), "")
    page.rows(_heads(page), [*rows, total], widths=WIDTHS, aligns=ALIGNS, foot=1)


def show_others(page: Page, estimate: Estimate, numbers: Mapping[str, int]) -> None:
    """Draw what is not counted, and why."""
    for heading, items in (
        ("To be clarified: not in the totals", estimate.needs_review),
        ("Left out: not in the totals", estimate.excluded),
    ):
        if items:
            page.heading(heading)
            rows = [(str(numbers[item.id]), named(item), str(item.quantity), item.reason, _photos(item)) for item in items]
            page.rows(
                ("No.", "Item", "Pieces", "Why", "Photos"), rows, widths=(9, 58, 14, 77, 16), aligns=("R", "L", "R", "L", "C")
            )


def named(item: Item) -> str:
    """Return an item's name as a person reads it, with what tells it from others."""
    name = item.name.strip()
    if item.row_id is not None and words_in(name) == words_in(item.row_id):
        name = SHOWN.get(item.row_id, ADJECTIVE_LAST.sub(r"\2 \1", item.row_id.replace("_", " ")))
    name = re.sub(r"\btv\b", "TV", name)
    name = name[:1].upper() + name[1:]
    return cut(f"{name}: {item.label}" if item.label else name, NAMED_CHARACTERS_MAX)


def _heads(page: Page) -> tuple[str, ...]:
    volume, weight, length = page.units
    return ("No.", "Item", "Pieces", f"Size, {length}", volume, weight, "Photos")


def _row(page: Page, item: Item, number: int) -> tuple[str, ...]:
    marks = (("fragile", item.fragile), ("take apart", item.dismantle), ("in a box", PACKED in item.notes))
    handling = ", ".join(mark for mark, holds in marks if holds)
    sides = (item.length_cm, item.width_cm, item.height_cm)
    about = "≈ " if BY_FIGURES & set(item.notes) else ""
    return (
        str(number),
        f"{named(item)} ({handling})" if handling else named(item),
        str(item.quantity),
        " × ".join("?" if side is None else page.side(side) for side in sides) if any(sides) else "",
        about + page.volume(item.volume_m3.typical),
        page.weight(item.weight_kg),
        _photos(item),
    )


def _sum(page: Page, name: str, items: Sequence[Item]) -> tuple[str, ...]:
    pieces = sum(item.quantity for item in items)
    volume, weight = fsum(item.volume_m3.typical for item in items), fsum(item.weight_kg for item in items)
    return ("", name, str(pieces), "", page.volume(volume), page.weight(weight), "")


def _photos(item: Item) -> str:
    return ", ".join(str(photo + 1) for photo in item.appears_in)
