"""Which things of several photos may be one: of one row and room, or of one name there where only sizes are read otherwise.

What must stay true: another thing never makes two kinds one, only one kind several.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from tenantai.estimating.boxing import packed_as
from tenantai.estimating.items import Item
from tenantai.figures.fitting import words_in

Key = tuple[object, ...]
Looks = tuple[str, ...]

SIDES = 3
ALIKE_RATIO, ALIKE_CM = 1.3, 10.0
"""How many times as long, or by how much longer, one side may be read than another that it is."""
ROOMS = dict(
    pair.split("=")
    for pair in (
        "lounge=living sitting=living family=living front=living sofa=living master=main primary=main study=office "
        "home=office hallway=hall corridor=hall entry=hall entrance=hall foyer=hall lobby=hall bath=bathroom "
        "dine=dining kid=child nursery=child"
    ).split()
)
NOT_A_ROOM = frozenset({"room", "area", "space", "corner", "open", "plan"})
LOOKS: tuple[Mapping[str, str], ...] = (
    dict(
        pair.split("=")
        for pair in (
            "black=black anthracite=grey charcoal=grey grey=grey gray=grey silver=grey white=white cream=white "
            "ivory=white beige=beige tan=beige sand=beige brown=brown chocolate=brown red=red burgundy=red maroon=red "
            "blue=blue navy=blue turquoise=blue teal=blue green=green olive=green yellow=yellow mustard=yellow "
            "orange=orange pink=pink purple=purple violet=purple gold=gold golden=gold brass=gold"
        ).split()
    ),
    dict(
        pair.split("=")
        for pair in (
            "wood=wood wooden=wood oak=wood walnut=wood pine=wood teak=wood birch=wood mahogany=wood glass=glass "
            "metal=metal steel=metal iron=metal chrome=metal marble=stone stone=stone plastic=plastic leather=leather "
            "fabric=fabric velvet=fabric linen=fabric cotton=fabric wicker=wicker rattan=wicker bamboo=wicker"
        ).split()
    ),
    dict(
        pair.split("=")
        for pair in "round=round circular=round oval=oval square=square rectangular=rectangular rectangle=rectangular".split()
    ),
)
"""Words of colour, material and shape, and the one that stands for each."""


def kinds_of(items: Sequence[Item]) -> Mapping[str, Key]:
    """Return what things must have in common to be one, by their ids.

    It is the row, or the name where there is none, and the room. Things whose names may mean the same rows are of one kind
    whichever of these their sizes make them, where neither sizes nor looks tell them apart and nothing else there may be one.
    """
    by_row = {item.id: _row_and_room(item) for item in items}
    looks = {item.id: looks_of(item) for item in items}
    in_row: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        in_row[by_row[item.id]].append(item)
    found: dict[str, Key] = {}
    for name in (_name_and_room, _name_room_and_colour):
        for key, lot in _lots((item for item in items if item.id not in found), name).items():
            ids = {item.id for item in lot}
            near = {other.id for row in {by_row[one] for one in ids} for other in in_row[row]} - ids
            if _are_alike(lot, [looks[one] for one in ids]) and _are_apart(
                {looks[one] for one in ids}, {looks[one] for one in near}
            ):
                found |= dict.fromkeys(ids, key)
    return by_row | found


def looks_of(item: Item) -> Looks:
    """Return the colour, the material and the shape that are told of a thing, each empty where it is not."""
    words = words_in(f"{item.label} {item.name}")
    return tuple(next((look[word] for word in words if word in look), "") for look in LOOKS)


def _row_and_room(item: Item) -> Key:
    return (item.row_id or " ".join(sorted(words_in(item.name))), _room(item))


def _name_and_room(item: Item) -> Key | None:
    """Return the rows that a name may mean, and the room; None where it means one row, whatever the size.

    Rows that are packed otherwise are apart, so that a thing read as the larger of them takes no box from the total.
    """
    return (item.may_be, packed_as(item.row_id), _room(item)) if len(item.may_be) > 1 and item.row_id else None


def _name_room_and_colour(item: Item) -> Key | None:
    named, colour = _name_and_room(item), looks_of(item)[0]
    return (*named, colour) if named and colour else None


def _lots(items: Iterable[Item], name: Callable[[Item], Key | None]) -> Mapping[Key, list[Item]]:
    lots: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        key = name(item)
        if key is not None:
            lots[key].append(item)
    return lots


def _are_alike(items: Iterable[Item], looks: Iterable[Looks]) -> bool:
    """Tell whether no look that is told of things differs, and no side by more than it may be misread."""
    sizes = [[side for side in (item.length_cm, item.width_cm, item.height_cm) if side is not None] for item in items]
    sides = zip(*(sorted(size) for size in sizes if len(size) == SIDES), strict=True)
    is_size_alike = all(max(side) <= max(min(side) * ALIKE_RATIO, min(side) + ALIKE_CM) for side in sides)
    return is_size_alike and all(len({*look} - {""}) <= 1 for look in zip(*looks, strict=True))


def _are_apart(some: Collection[Looks], others: Collection[Looks]) -> bool:
    """Tell whether each of some things differs in a look that is told from each of others."""
    return all(any(a and b and a != b for a, b in zip(one, other, strict=True)) for one in some for other in others)


def _room(item: Item) -> str:
    words = [ROOMS.get(word, word) for word in words_in(item.room or "") if word not in NOT_A_ROOM]
    return " ".join(sorted(set(words)))
