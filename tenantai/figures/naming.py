"""What a name that a model or a person uses for a thing means in the figures: its row, or the nearest one, by what words mean.

What must stay true: a row is chosen by words that mean it, never by letters that happen to be alike; only a slip of a letter
or two is forgiven.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import fsum, log

from tenantai.figures import catalogue
from tenantai.figures.fitting import words_in

Sides = tuple[float, float, float]

TYPO = 0.86
LOOKS = frozenset(
    "small large big little medium tall short low high long wide narrow old new vintage antique modern rustic classic round "
    "square rectangular oval white black grey gray brown beige cream red blue green yellow orange pink purple gold silver brass "
    "dark ceramic "
    "wood wooden oak walnut pine teak bamboo rattan wicker metal steel iron chrome glass marble stone plastic leather fabric "
    "velvet linen cotton upholstered tufted padded open closed empty full modular decorative electric portable".split()
)
"""Words that say how a thing looks, not what it is."""
SEVERAL = re.compile(r"^\W*(?:an?\s+)?(?:set|pair|stack|pile|row|group|collection|bunch|piece)s?\s+of\s+", re.IGNORECASE)
"""Words before the thing itself: `a pair of lamps`."""
CLAUSE = re.compile(r"\b(?:of|with|without|in|on|for|from|by|under|near|holding|containing)\b|[,;(/]", re.IGNORECASE)
"""Where a name stops saying what the thing is: `mirror with a gold frame`."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The rows that a name may mean, the likeliest first; `is_exact` where it is the one row's own name or a word for it.

    `is_packed` where the row is only the box that such a thing goes into, with others.
    """

    rows: tuple[catalogue.Item, ...]
    is_exact: bool
    is_packed: bool = False


def meaning_of(name: str) -> Meaning | None:
    """Return what a name means, or None where no row is near."""
    name = SEVERAL.sub("", name)
    thing = CLAUSE.split(name, maxsplit=1)[0]
    return _known(words_in(name)) or _known(words_in(thing)) or _misspelt(thing) or _contained(words_in(thing))


def best_row(meaning: Meaning, *, measured_ft3: float | None, sides_cm: Sides | None = None) -> catalogue.Item:
    """Return the row that a thing of a size is: by its sides, by its volume where a row has none, the first without a size."""
    if measured_ft3 is None or measured_ft3 <= 0:
        return meaning.rows[0]
    sizes = [_sizes().get(row.name) for row in meaning.rows]
    apart = [_apart(size, sides_cm) for size in sizes if size is not None and sides_cm is not None and min(sides_cm) > 0]
    if len(apart) == len(sizes):
        return meaning.rows[apart.index(min(apart))]
    return min(meaning.rows, key=lambda row: (not row.low_ft3 <= measured_ft3 <= row.high_ft3, _distance(row, measured_ft3)))


def _apart(one: Sides, other: Sides) -> float:
    """Return how far two shapes are apart, whichever way they lie: each side by its part, not by its centimetres."""
    return fsum(log(ours / theirs) ** 2 for ours, theirs in zip(sorted(one), sorted(other), strict=True))


def _distance(row: catalogue.Item, measured_ft3: float) -> float:
    return abs(log(measured_ft3 / row.typical_ft3))


def _known(said: Sequence[str]) -> Meaning | None:
    """Return what words mean that are a row's or a name's, all of them or all but those of looks."""
    plain = [word for word in said if word not in LOOKS]
    for these in (said, plain):
        found = _spellings().get(" ".join(these)) or _meanings().get(frozenset(these))
        if found is not None:
            return found
    return None


def _contained(said: Sequence[str]) -> Meaning | None:
    """Return what the most of the words mean that are together with the last one, which says what the thing is."""
    plain = [word for word in said if word not in LOOKS and not word.isdigit()]
    if not plain:
        return None
    known = [(words, meaning) for words, meaning in _meanings().items() if plain[-1] in words and words <= set(said)]
    if known:
        return replace(max(known, key=lambda pair: (len(pair[0]), sorted(pair[0])))[1], is_exact=False)
    whole = [row for row in catalogue.items().values() if set(plain) <= set(words_in(row.name))]
    return Meaning((whole[0],), is_exact=False) if len(whole) == 1 else None


def _misspelt(name: str) -> Meaning | None:
    spelt = _spellings()
    close = get_close_matches(" ".join(words_in(name)), list(spelt), n=1, cutoff=TYPO)
    return replace(spelt[close[0]], is_exact=False) if close else None


@cache
def _meanings() -> Mapping[frozenset[str], Meaning]:
    """Return the meanings of rows' own names and of the names in the table, by their words."""
    return {frozenset(words_in(name)): meaning for name, meaning in _named().items()}


@cache
def _spellings() -> Mapping[str, Meaning]:
    return {" ".join(words_in(name)): meaning for name, meaning in _named().items()}


@cache
def _sizes() -> Mapping[str, Sides]:
    """Return how large things of a row commonly are, of the rows that share a name and that a volume doesn't tell apart."""
    table = (files("tenantai.figures") / "data" / "sizes.csv").read_text(encoding="utf-8")
    return {
        line["item"]: (float(line["length_cm"]), float(line["width_cm"]), float(line["height_cm"]))
        for line in csv.DictReader(table.splitlines())
    }


@cache
def _named() -> Mapping[str, Meaning]:
    rows = catalogue.items()
    table = (files("tenantai.figures") / "data" / "names.csv").read_text(encoding="utf-8")
    named = {
        line["name"]: Meaning(
            tuple(rows[row] for row in line["rows"].split()),
            is_exact=line["means"] == "same",
            is_packed=line["means"] == "packed",
        )
        for line in csv.DictReader(table.splitlines())
    }
    own = {name: Meaning((row,), is_exact=True) for name, row in rows.items()}
    return {**named, **own}
