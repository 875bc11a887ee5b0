"""How much room a list of things takes, and the storage unit and the truck that hold it, tightly and comfortably.

What must stay true: the figures are the catalogue's; a name that means no one item is handed back, never counted as another.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TypeVar

from tenantai.figures.catalogue import Item, StorageUnit, Truck, items, storage_units, trucks

CUBIC_METERS_PER_CUBIC_FOOT = 0.028316846592
KILOGRAMS_PER_POUND = 0.45359237
WIGGLE = 1.15
POUNDS_PER_CUBIC_FOOT = 7
SUGGESTIONS = 4
NEAR = 0.6
FOLDED = dict(
    pair.split("=")
    for pair in (
        "couch=sofa settee=sofa seater=seat refrigerator=fridge television=tv painting=picture cupboard=cabinet sideboard=buffet "
        "carton=box bike=bicycle double=full single=twin cooker=stove oven=stove carpet=rug lounger=lounge bedside=nightstand "
        "barbecue=grill bbq=grill bookshelf=bookcase shelve=shelf boxe=box couche=sofa benche=bench mattresse=mattress "
        "dishe=dish glasse=glass bookshelve=bookcase"
    ).split()
)
LITTLE = frozenset({"a", "an", "the", "of", "with", "or", "in", "and"})

Holder = TypeVar("Holder", StorageUnit, Truck)


@dataclass(frozen=True, slots=True)
class Counted:
    """An item and how many of it there are."""

    item: Item
    quantity: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that means no one item, with those that are most like it."""

    name: str
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """Cubic feet, lowest, typical and highest, and pounds."""

    low_ft3: float
    typical_ft3: float
    high_ft3: float
    weight_lb: float = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """How many of the smallest holder that there must be; more than one only where no single one is large enough."""

    holder: StorageUnit | Truck
    count: int


@dataclass(frozen=True, slots=True)
class Fit:
    """The tight choice holds the typical volume, the comfortable one the highest, and 15 % more than the typical."""

    tight: Choice
    comfortable: Choice


def counted(wanted: Iterable[tuple[str, int]]) -> tuple[list[Counted], list[Unknown]]:
    """Return what named things are, and the names that mean nothing here."""
    known: list[Counted] = []
    unknown: list[Unknown] = []
    for name, quantity in wanted:
        item, nearest = meant(name)
        if item is None:
            unknown.append(Unknown(name, nearest))
        else:
            known.append(Counted(item, quantity))
    return known, unknown


def meant(name: str) -> tuple[Item | None, tuple[str, ...]]:
    """Return the one item that a name means, or None with the names of those that are most like it."""
    asked, known = _words(name), _items_by_words()
    within = [item for words, those in known.items() if asked and asked <= words for item in those]
    found = known.get(asked) or within
    if len(found) == 1:
        return found[0], ()
    alike = [item.name for item in within] or [item.name for words, those in known.items() if asked & words for item in those]
    close = get_close_matches("_".join(name.lower().split()), list(items()), n=SUGGESTIONS, cutoff=NEAR)
    return None, tuple(dict.fromkeys((*close, *alike)))[:SUGGESTIONS]


def volume_of(things: Iterable[Counted]) -> Volume:
    """Return the room that things take together."""
    held = list(things)
    return Volume(
        low_ft3=sum(thing.item.low_ft3 * thing.quantity for thing in held),
        typical_ft3=sum(thing.item.typical_ft3 * thing.quantity for thing in held),
        high_ft3=sum(thing.item.high_ft3 * thing.quantity for thing in held),
        weight_lb=sum(_weight_lb(thing.item) * thing.quantity for thing in held),
    )


def _weight_lb(item: Item) -> float:
    return item.typical_ft3 * POUNDS_PER_CUBIC_FOOT if item.weight_lb is None else item.weight_lb


def unit_for(volume: Volume) -> Fit:
    """Return the storage unit that holds a volume."""
    return _fit(storage_units(), volume)


def truck_for(volume: Volume) -> Fit:
    """Return the truck that holds a volume and, where its payload is known, carries its weight."""
    return _fit(trucks(), volume)


def _fit(holders: Sequence[Holder], volume: Volume) -> Fit:
    comfortable = max(volume.high_ft3, volume.typical_ft3 * WIGGLE)
    return Fit(_smallest(holders, volume.typical_ft3, volume.weight_lb), _smallest(holders, comfortable, volume.weight_lb))


def _smallest(holders: Sequence[Holder], volume_ft3: float, weight_lb: float) -> Choice:
    count = 1
    while True:
        for holder in holders:
            if _holds(holder, volume_ft3 / count, weight_lb / count):
                return Choice(holder, count)
        largest = holders[-1]
        count = max(count + 1, int(-(-volume_ft3 // largest.usable_ft3)))


def _holds(holder: StorageUnit | Truck, volume_ft3: float, weight_lb: float) -> bool:
    payload = holder.payload_lb if isinstance(holder, Truck) else None
    return volume_ft3 <= holder.usable_ft3 and (payload is None or weight_lb <= payload)


@cache
def _items_by_words() -> dict[frozenset[str], list[Item]]:
    """Return the items by the words of their names."""
    found: dict[frozenset[str], list[Item]] = {}
    for item in items().values():
        found.setdefault(_words(item.name), []).append(item)
    return found


def words_in(name: str) -> list[str]:
    """Return the words of a name as the catalogue has them: singular, in lower case, one for those that mean the same."""
    found = re.findall(r"[a-z]+|\d+", name.lower())
    singular = [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]  # noqa: PLR2004
    return [FOLDED.get(word, word) for word in singular if word not in LITTLE]


def _words(name: str) -> frozenset[str]:
    return frozenset(words_in(name))
