"""What things are packed in: the allowance for what lies in cupboards and drawers, boxes by size, and materials.

What must stay true: nobody looked inside, so contents are an allowance by the furniture's size and said to be one; heavy contents
go into small boxes; another thing never lowers a count.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil, fsum

from tenantai.estimating.items import BY_HAND, PACKED, Boxes, Item, Material, Range
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT

CONTENTS = Range(0.2, 0.4, 0.6)
"""The part of its furniture's volume that contents take, once in boxes."""
Shares = tuple[tuple[str, float], ...]
USUAL: Shares = (("small", 0.2), ("medium", 0.5), ("large", 0.3))
CONTENTS_OF: tuple[tuple[str, Shares], ...] = (
    ("bookcase", (("small", 0.7), ("medium", 0.3))),
    ("armoire", (("wardrobe", 0.7), ("large", 0.3))),
    ("china_cabinet", (("dish_pack", 0.7), ("small", 0.3))),
    ("glass_cabinet", (("dish_pack", 0.7), ("small", 0.3))),
    ("buffet", (("dish_pack", 0.5), ("medium", 0.5))),
    ("kitchen_island", (("dish_pack", 0.5), ("medium", 0.5))),
    ("file_cabinet", (("small", 1.0),)),
    ("desk", (("small", 0.5), ("medium", 0.5))),
    *(
        (word, USUAL)
        for word in "dresser chest_of_drawers cabinet nightstand credenza shelving vanity tv_stand entertainment".split()
    ),
)
"""What holds things, by a part of its row's name, and the boxes that those go into; the first that fits."""
IN_A_KITCHEN: Shares = (("dish_pack", 0.4), ("medium", 0.4), ("small", 0.2))
BOX_OF: tuple[tuple[str, str, float], ...] = (
    ("tv_under", "tv", 1),
    ("tv_55", "tv", 1),
    ("tv_over", "tv", 1),
    ("mirror_or_picture_large", "mirror_picture", 1),
    ("mirror_or_picture_small", "mirror_picture", 0.5),
    ("table_lamp", "lamp", 1),
    ("box_lamp", "lamp", 1),
)
"""Things that have a box of their own kind, and how many of it a piece takes."""
BLANKET_FROM_M3 = 0.3
TAPE_BOXES, PAPER_BOXES = 10, 8
BUBBLE_WRAP_M = 3


def contents_of(items: Iterable[Item]) -> Range:
    """Return the room that contents take, in boxes: also those of what is built in, for it stays but they do not."""
    held = [item.volume_m3 for item in items if _shares(item)]
    return Range(
        fsum(volume.low for volume in held) * CONTENTS.low,
        fsum(volume.typical for volume in held) * CONTENTS.typical,
        fsum(volume.high for volume in held) * CONTENTS.high,
    )


def boxes_for(items: Iterable[Item]) -> tuple[Boxes, ...]:
    """Return the boxes that contents and small things go into, as the trade lists them."""
    parts: dict[str, list[float]] = defaultdict(list)
    sizes = {box.name: box.nominal_ft3 * CUBIC_METERS_PER_CUBIC_FOOT for box in catalogue.boxes()}
    for item in items:
        for name, share in _shares(item):
            parts[name].append(item.volume_m3.typical * CONTENTS.typical * share / sizes[name])
        if item.status == "counted":
            for name, count in _own_boxes(item, sizes):
                parts[name].append(count)
    counts = {name: ceil(fsum(sorted(amounts)) - 1e-9) for name, amounts in parts.items()}
    return tuple(Boxes(box.name, counts[box.name], box.use) for box in catalogue.boxes() if counts.get(box.name))


def materials_for(counted: Sequence[Item], boxes: Sequence[Boxes]) -> tuple[Material, ...]:
    """Return what things and boxes are wrapped and closed with."""
    box_count = sum(box.count for box in boxes)
    loose = [item for item in counted if PACKED not in item.notes]
    fragile = sum(item.quantity for item in loose if item.fragile)
    beds = sum(item.quantity for item in loose if (item.row_id or "").startswith(("bed_", "mattress_")))
    blankets = sum(item.quantity for item in loose if item.volume_m3.typical >= BLANKET_FROM_M3 * item.quantity)
    wanted = (
        Material("packing tape", ceil(box_count / TAPE_BOXES), "rolls"),
        Material("packing paper", ceil(box_count / PAPER_BOXES), "kg"),
        Material("bubble wrap", fragile * BUBBLE_WRAP_M, "m"),
        Material("mattress cover", beds, "pieces"),
        Material("furniture blanket", blankets, "pieces"),
    )
    return tuple(material for material in wanted if material.amount)


def packed_as(row_id: str | None) -> tuple[object, ...]:
    """Return what tells how things of a row are packed: the boxes of their contents, and their own."""
    return (_contents(row_id), next((own[1:] for own in BOX_OF if (row_id or "").startswith(own[0])), ()))


def _contents(row_id: str | None) -> Shares:
    return next((shares for word, shares in CONTENTS_OF if word in (row_id or "")), ())


def _shares(item: Item) -> Shares:
    """Return the boxes that the contents of a thing go into; none where it holds nothing, or a person took it out."""
    is_there = item.status == "counted" or (item.status == "excluded" and BY_HAND not in item.notes)
    shares = _contents(item.row_id)
    if not is_there or not shares:
        return ()
    return IN_A_KITCHEN if shares is USUAL and "kitchen" in (item.room or item.name).casefold() else shares


def _own_boxes(item: Item, sizes: dict[str, float]) -> Iterable[tuple[str, float]]:
    row = item.row_id or ""
    if PACKED in item.notes:
        name = next((name for name in sizes if row.removeprefix("box_").startswith(name)), "medium")
        return [(name, item.volume_m3.typical / sizes[name])]
    return [(name, each * item.quantity) for start, name, each in BOX_OF if row.startswith(start)]
