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
MEANINGS = [
    meaning
    for line in csv.DictReader((files("tenantai.figures") / "data" / "names.csv").read_text().splitlines())
    if (meaning := meaning_of(line["name"])) is not None
]
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


@pytest.mark.parametrize(
    ("name", "sides", "row"),
    [
        ("tv", (165, 8, 95), "tv_over_65in"),
        ("tv", (144, 25, 83), "tv_55_65in"),
        ("tv", (122, 8, 71), "tv_55_65in"),
        ("tv", (95, 57, 8), "tv_under_50in"),
        ("rug", (300, 200, 1), "rug_large"),
        ("rug", (200, 300, 3), "rug_large"),
        ("rug", (140, 70, 1), "rug_small"),
        ("fridge", (70, 70, 180), "fridge_standard"),
        ("fridge", (91, 75, 178), "fridge_side_by_side"),
        ("fridge", (50, 55, 85), "fridge_mini"),
        ("bed", (200, 160, 55), "bed_queen"),
        ("bed", (200, 180, 110), "bed_king"),
        ("bed", (200, 140, 50), "bed_full"),
        ("bed", (200, 90, 100), "bed_twin"),
        ("mattress", (190, 137, 25), "mattress_queen_full"),
        ("sofa", (210, 95, 85), "sofa_3_seat"),
        ("sofa", (150, 85, 80), "loveseat"),
        ("table", (180, 90, 75), "dining_table"),
        ("table", (45, 45, 55), "end_table"),
        ("lamp", (40, 40, 165), "floor_lamp"),
        ("mirror", (160, 50, 3), "mirror_or_picture_large"),
        ("cabinet", (120, 60, 180), "cabinet_large"),
        ("storage unit", (90, 40, 190), "shelving_unit"),
    ],
)
def test_sides_decide(name: str, sides: tuple[float, float, float], row: str) -> None:
    """Of several rows of a name the one with the nearest sides holds, whichever way they lie; the volume where a row has none."""
    meaning = meaning_of(name)
    assert meaning is not None
    feet = sides[0] * sides[1] * sides[2] * 0.75 / 28316.846592
    assert best_row(meaning, measured_ft3=feet, sides_cm=sides).name == row


def test_a_thing_of_a_rows_own_size_is_that_row() -> None:
    """Each line of the sizes names a row that shares a name with others, and things of that very size are it."""
    lines = list(csv.DictReader((files("tenantai.figures") / "data" / "sizes.csv").read_text().splitlines()))
    sizes = {line["item"]: (float(line["length_cm"]), float(line["width_cm"]), float(line["height_cm"])) for line in lines}
    assert len(sizes) == len(lines)
    for name, sides in sizes.items():
        shared = [meaning for meaning in MEANINGS if name in {row.name for row in meaning.rows} and len(meaning.rows) > 1]
        assert shared, name
        for meaning in shared:
            if {row.name for row in meaning.rows} <= set(sizes):
                assert best_row(meaning, measured_ft3=1, sides_cm=sides).name == name


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
