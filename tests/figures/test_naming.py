"""Names of things: words that people and models use mean a row, or the nearest one, never one that is merely spelt alike."""

import csv
from importlib.resources import files

import pytest

from tenantai.figures.catalogue import items
from tenantai.figures.naming import best_row, meaning_of

SAME = {
    "sofa_3_seat": "sofa_3_seat",
    "3-seat sofa": "sofa_3_seat",
    "Office chair": "office_chair",
    "swivel chair": "office_chair",
    "washing machine": "washer",
    "tumble dryer": "dryer",
    "wardrobe": "armoire_wardrobe",
    "bedside table": "nightstand",
    "large black leather office chair": "office_chair",
    "lamp table": "end_table",
    "table lamp": "table_lamp",
    "king size bed": "bed_king",
    "bookshelves": "bookcase",
    "garden table": "patio_table",
}
NEAR = {
    "couch": "sofa_3_seat",
    "television": "tv_55_65in",
    "refrigerator": "fridge_standard",
    "framed picture": "mirror_or_picture_small",
    "a pair of brass lamps": "table_lamp",
    "bowl of fruit": "box_small_16x12x12",
    "painting of a ship": "mirror_or_picture_small",
    "mirror with gold frame": "mirror_or_picture_large",
    "cardboard boxes": "box_medium_18x18x16",
    "filing cabinet": "file_cabinet_2_drawer",
    "wall clock": "box_small_16x12x12",
    "vase": "box_small_16x12x12",
    "blue ceramic vase": "box_small_16x12x12",
    "dog bed": "box_extra_large",
    "sofa cushion": "box_medium_18x18x16",
    "piano bench": "dining_chair",
    "kids bicycle": "bicycle_adult",
    "dining chair 2": "dining_chair",
    "dinning table": "dining_table",
    "tredmill": "treadmill",
}
NOTHING = ["suit of armour", "radiator", "toilet", "bathtub", "sink", "space shuttle", "", "?!", "and the of", "x" * 80]


@pytest.mark.parametrize("name", SAME)
def test_same(name: str) -> None:
    """A row's own name and the words for it mean that row alone, whatever it looks like."""
    meaning = meaning_of(name)
    assert meaning is not None
    assert (meaning.rows[0].name, meaning.is_exact) == (SAME[name], True)


@pytest.mark.parametrize("name", NEAR)
def test_near(name: str) -> None:
    """Another name is the row that is nearest by its meaning, and is known as no more than that."""
    meaning = meaning_of(name)
    assert meaning is not None
    assert (meaning.rows[0].name, meaning.is_exact) == (NEAR[name], False)


@pytest.mark.parametrize("name", NOTHING)
def test_nothing(name: str) -> None:
    """What is near no row is none, however alike the letters are."""
    assert meaning_of(name) is None


@pytest.mark.parametrize(
    ("name", "feet", "row"),
    [
        ("sofa", None, "sofa_3_seat"),
        ("sofa", 33, "loveseat"),
        ("sofa", 140, "sectional_4_piece"),
        ("tv", 6, "tv_under_50in"),
        ("bed", 35, "bed_twin"),
        ("fridge", 8, "fridge_mini"),
        ("rug", 1, "rug_small"),
        ("bed", 0, "bed_queen"),
    ],
)
def test_size_decides(name: str, feet: float | None, row: str) -> None:
    """Of several rows of a name the size decides, and the first holds without one."""
    meaning = meaning_of(name)
    assert meaning is not None
    assert best_row(meaning, measured_ft3=feet).name == row


def test_packed() -> None:
    """Small things that go into boxes with others are known as such; a box is none of them."""
    found = {name: meaning_of(name) for name in ("vase", "mugs", "moving box", "monitor")}
    assert [meaning is not None and meaning.is_packed for meaning in found.values()] == [True, True, False, False]


def test_table() -> None:
    """Every line of the table names rows that there are, once, and says how near they are; each row's own name is that row."""
    table = files("tenantai.figures") / "data" / "names.csv"
    lines = list(csv.DictReader(table.read_text().splitlines()))
    assert len({line["name"] for line in lines}) == len(lines)
    for line in lines:
        assert set(line["rows"].split()) <= set(items())
        assert line["means"] in {"same", "near", "several", "packed"}
        assert (line["means"] == "several") <= (len(line["rows"].split()) > 1)
    for name, row in items().items():
        meaning = meaning_of(name)
        assert meaning is not None
        assert (meaning.rows, meaning.is_exact) == ((row,), True)
