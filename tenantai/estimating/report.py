"""An estimate as a PDF: what it comes to, every item, and each photo with its items marked by their numbers.

What must stay true: a photo is drawn on as it is kept, and a number on it is the one of the item's row. Runs in the
child process.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from fpdf import FPDF
from fpdf.fonts import FontFace
from PIL import Image, ImageDraw, ImageFont

from tenantai.estimating.items import Estimate, Holders, Item, Range
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND

FONT = "helvetica"
COLUMNS = {"No.": 9, "Item": 56, "Room": 30, "Pieces": 14, "Volume m³ (ft³)": 34, "Weight kg (lb)": 30, "Photos": 15}
COLOURS = ("#c1121f", "#0353a4", "#2d6a4f", "#9d4edd", "#b35c00")
BOX_SCALE = 1000
JPEG_QUALITY = 80


def as_pdf(estimate: Estimate, *, title: str, lines: Sequence[str], photos: Mapping[int, Path]) -> bytes:
    """Return the report; `lines` stand below its title, photos are JPEG files by their index."""
    page = FPDF(format="A4")
    page.set_title(title)
    page.set_creator("tenantai")
    page.add_page()
    _heading(page, title, size=16)
    page.set_font(FONT, size=9)
    for line in (*lines, *_totals(estimate)):
        page.multi_cell(0, 5, _latin(line), new_x="LMARGIN", new_y="NEXT")
    numbered = dict(enumerate((*estimate.items, *estimate.needs_review, *estimate.excluded), start=1))
    for heading, items in (
        ("Items", estimate.items),
        ("To be looked at: not counted", estimate.needs_review),
        ("Left out", estimate.excluded),
    ):
        _table(page, heading, {number: item for number, item in numbered.items() if item in items})
    for index, path in sorted(photos.items()):
        _photo(page, index, path, numbered)
    return bytes(page.output())


def _heading(page: FPDF, text: str, *, size: int = 12) -> None:
    page.ln(3)
    page.set_font(FONT, "B", size)
    page.multi_cell(0, size / 1.8, _latin(text), new_x="LMARGIN", new_y="NEXT")
    page.ln(1)


def _totals(estimate: Estimate) -> list[str]:
    volume, weight, contents = estimate.volume_m3, estimate.weight_kg, estimate.contents_m3
    boxes = ", ".join(f"{box.count} {box.name.replace('_', ' ')}" for box in estimate.boxes)
    materials = ", ".join(f"{m.name} {m.amount:g} {m.unit}" for m in estimate.materials)
    feet = _range(volume.times(1 / CUBIC_METERS_PER_CUBIC_FOOT), digits=0)
    return [
        f"Volume {_range(volume)} m³ ({feet} ft³), of that contents of cupboards and drawers {_range(contents)} m³",
        f"Weight {_range(weight, digits=0)} kg ({_range(weight.times(1 / KILOGRAMS_PER_POUND), digits=0)} lb)",
        f"Storage unit: {_holders(estimate.storage_unit)}",
        f"Truck: {_holders(estimate.truck)}",
        f"Boxes: {boxes or 'none'}",
        f"Materials: {materials or 'none'}",
        *estimate.notes,
        f"Figures of the trade, version {estimate.figures_version}.",
    ]


def _range(figure: Range, *, digits: int = 1) -> str:
    return f"{figure.typical:.{digits}f} [{figure.low:.{digits}f} to {figure.high:.{digits}f}]"


def _holders(holders: Holders) -> str:
    if holders.tight is None or holders.comfortable is None:
        return holders.reason or "none"
    tight, comfortable = (
        f"{h.count} × {h.name}" if h.count > 1 else h.name.replace("_", " ") for h in (holders.tight, holders.comfortable)
    )
    return f"{tight} (tight), {comfortable} (comfortable). {holders.reason}".strip()


def _table(page: FPDF, heading: str, items: Mapping[int, Item]) -> None:
    if not items:
        return
    _heading(page, heading)
    page.set_font(FONT, size=8)
    widths = tuple(COLUMNS.values())
    with page.table(col_widths=widths, line_height=4.5, headings_style=FontFace(emphasis="BOLD")) as table:
        table.row([_latin(name) for name in COLUMNS])
        for number, item in items.items():
            table.row([_latin(cell) for cell in _cells(number, item)])


def _cells(number: int, item: Item) -> tuple[str, ...]:
    name = f"{item.name}, {item.label}" if item.label else item.name
    marks = [mark for mark, holds in (("fragile", item.fragile), ("take apart", item.dismantle)) if holds]
    volume = item.volume_m3.typical
    return (
        str(number),
        f"{name} ({', '.join(marks)})" if marks else name,
        item.room or "",
        str(item.quantity),
        f"{volume:.2f} ({volume / CUBIC_METERS_PER_CUBIC_FOOT:.0f})",
        f"{item.weight_kg:.0f} ({item.weight_kg / KILOGRAMS_PER_POUND:.0f})",
        ", ".join(str(photo + 1) for photo in item.appears_in),
    )


def _photo(page: FPDF, index: int, path: Path, numbered: Mapping[int, Item]) -> None:
    shown = {number: item for number, item in numbered.items() if item.image == index and item.box is not None}
    with Image.open(path, formats=("JPEG",)) as opened:
        image = opened.convert("RGB")
    for number, item in shown.items():
        _mark(image, number, item)
    page.add_page()
    _heading(page, f"Photo {index + 1}")
    written = BytesIO()
    image.save(written, "JPEG", quality=JPEG_QUALITY)
    page.image(written, w=page.epw, h=page.eph - 20, keep_aspect_ratio=True)


def _mark(image: Image.Image, number: int, item: Item) -> None:
    if item.box is None:
        return
    top, left, bottom, right = item.box
    width, height = image.width / BOX_SCALE, image.height / BOX_SCALE
    edges = (left * width, top * height, right * width, bottom * height)
    colour, line = COLOURS[number % len(COLOURS)], max(2, image.width // 300)
    draw = ImageDraw.Draw(image)
    draw.rectangle(edges, outline=colour, width=line)
    font = ImageFont.load_default(size=max(12, image.width // 40))
    place = (edges[0] + line, edges[1] + line)
    draw.rectangle(draw.textbbox(place, f" {number} ", font=font), fill=colour)
    draw.text(place, f" {number} ", fill="white", font=font)


def _latin(text: str) -> str:
    """Return text in the characters that the PDF's own fonts have; others become question marks."""
    return text.encode("cp1252", "replace").decode("cp1252")
