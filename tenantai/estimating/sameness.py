"""The same thing in several photos, counted once.

Alike is what is of one kind and differs in no look that is told: colour, material, shape. Of alike things there are
as many as the photo has that shows the most of them, and the largest of one photo is the largest of another.

What must stay true: the order of photos changes no total, and another item never lowers one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import fsum

from tenantai.estimating.items import NEAREST, SEEN_AGAIN, Item, Range
from tenantai.estimating.likeness import LOOKS, Key, Looks, kinds_of, looks_of


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece of an item, which may have several."""

    item: Item
    volume: Range
    weight_kg: Range


def once(items: Iterable[Item]) -> list[Item]:
    """Return items with those that are one thing in several photos made one; `places` has where it is in each."""
    ordered = sorted(items, key=_order)
    kinds = kinds_of(ordered)
    alike: dict[Key, list[Item]] = defaultdict(list)
    for item in ordered:
        alike[kinds[item.id]].append(item)
    return [kept for group in alike.values() for kept in _once_of_a_kind(group)]


def _order(item: Item) -> tuple[object, ...]:
    return (item.image, item.box or (), item.name, item.id)


def _once_of_a_kind(items: Sequence[Item]) -> list[Item]:
    counted = [item for item in items if item.status == "counted"]
    seen = [one for group in _by_looks(counted) for one in _seen_once(group)]
    unsure = _by_looks([item for item in items if item.status == "needs-review"])
    left_out = _by_looks([item for item in items if item.status == "excluded"])
    seen, unsure_items = _recognised(seen, counted, [one for group in unsure for one in _seen_once(group)])
    return [*seen, *unsure_items, *(one for group in left_out for one in _seen_once(group))]


def _by_looks(items: Sequence[Item]) -> list[list[Item]]:
    """Divide things by the looks in which any two of them differ; a look that only one value is told of divides nothing."""
    told = [looks_of(item) for item in items]
    differing = [at for at in range(len(LOOKS)) if len({looks[at] for looks in told if looks[at]}) > 1]
    groups: dict[Looks, list[Item]] = defaultdict(list)
    for item, looks in zip(items, told, strict=True):
        groups[tuple(looks[at] for at in differing)].append(item)
    return list(groups.values())


def _seen_once(items: Sequence[Item]) -> list[Item]:
    """Return alike things of several photos as the ones of the photo that shows the most."""
    photos: dict[int, list[_Piece]] = defaultdict(list)
    for item in items:
        photos[item.image] += _pieces(item)
    if len(photos) <= 1:
        return list(items)
    for pieces in photos.values():
        pieces.sort(key=lambda piece: piece.volume.typical, reverse=True)
    most = max(photos, key=lambda image: (*_worth_showing(photos[image]), -image))
    shown = list({piece.item.id: piece.item for piece in photos[most]}.values())
    largest, found, start = _largest(photos.values()), [], 0
    for item in shown:
        found.append(_merged(item, range(start, start + item.quantity), photos, largest))
        start += item.quantity
    return found


def _worth_showing(pieces: Sequence[_Piece]) -> tuple[object, ...]:
    """Return what makes a photo the one whose things are shown: the most, the largest, the surest; by no order of photos."""
    items = [piece.item for piece in pieces]
    return (
        len(pieces),
        fsum(piece.volume.typical for piece in pieces),
        sum(NEAREST not in item.notes for item in items),
        fsum(item.confidence for item in items),
        sorted((item.name, item.label, item.room or "", item.notes) for item in items),
    )


def _pieces(item: Item) -> list[_Piece]:
    one = _Piece(item, item.volume_m3.times(1 / item.quantity), item.weights_kg.times(1 / item.quantity))
    return [one] * item.quantity


def _merged(item: Item, ranks: range, photos: Mapping[int, Sequence[_Piece]], largest: Sequence[Sequence[float]]) -> Item:
    """Return an item whose pieces are the largest but so many in their photo, with what the others tell of these."""
    others = {
        image: {piece.item.id: piece.item for piece in pieces[ranks.start : ranks.stop]}
        for image, pieces in photos.items()
        if image != item.image and len(pieces) > ranks.start
    }
    again = [other for those in others.values() for other in those.values()]
    figures = [fsum(part[ranks.start : ranks.stop]) for part in largest]
    volume, weight = Range(*figures[:3]), Range(*figures[3:])
    together = replace(item, volume_m3=volume, weight_kg=weight.typical, weight_range_kg=weight)
    return _also_in(together, again) if again else together


def _largest(photos: Iterable[Sequence[_Piece]]) -> list[list[float]]:
    """Return volumes and weights (each low, typical, high) by rank, at each rank the largest of all photos."""
    figures = [
        [sorted(part, reverse=True) for part in zip(*(_figures(piece) for piece in pieces), strict=True)] for pieces in photos
    ]
    return [[max(values) for values in zip_longest(*parts, fillvalue=0.0)] for parts in zip(*figures, strict=True)]


def _figures(piece: _Piece) -> tuple[float, ...]:
    return tuple(figure for of in (piece.volume, piece.weight_kg) for figure in (of.low, of.typical, of.high))


def _also_in(item: Item, again: Sequence[Item]) -> Item:
    """Return an item that is in further photos too."""
    photos = tuple(sorted({*item.appears_in, *(image for other in again for image in other.appears_in)}))
    places = dict.fromkeys((*item.places, *(place for other in again for place in other.places)))
    return replace(
        item,
        appears_in=photos,
        places=tuple(sorted(places, key=lambda place: (place.image, place.box or ()))),
        confidence=max(item.confidence, *(other.confidence for other in again)),
        notes=tuple(dict.fromkeys((*item.notes, SEEN_AGAIN))),
        reason=item.reason if item.status != "counted" else _why(photos),
    )


def _why(photos: Sequence[int]) -> str:
    named = ", ".join(str(photo + 1) for photo in photos)
    return f"It is in photos {named} and counted once: the same kind and room, and nothing told of its looks differs."


def _recognised(seen: Sequence[Item], counted: Sequence[Item], unsure: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Return things with those added that a model was unsure of in one photo and sure of in another, and the other ones."""
    known, left = list(seen), []
    free = {image: sum(item.quantity for item in seen) for one in unsure for image in one.appears_in}
    for item in counted:
        if item.image in free:
            free[item.image] -= item.quantity
    for item in unsure:
        if known and all(free[image] >= item.quantity for image in item.appears_in):
            for image in item.appears_in:
                free[image] -= item.quantity
            known[0] = _also_in(known[0], [item])
        else:
            left.append(item)
    return known, left
