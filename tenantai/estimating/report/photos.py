"""The photos of a report, each with its items framed and numbered, and their names below.

What must stay true: a photo is drawn on as it is kept; an item of several photos has its number in each of them.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tenantai.estimating.items import Box, Item
from tenantai.estimating.report.inventory import named
from tenantai.estimating.report.page import GREY, Page, cut

COLOURS = ("#c1121f", "#0353a4", "#2d6a4f", "#7b2cbf", "#b35c00", "#00737a")
BOX_SCALE = 1000
JPEG_QUALITY = 82
SIDE_PIXELS_MAX = 1400
HEIGHT_SHARE = 0.36
LEGEND_MM = 18
IN_LEGEND = 50


def show_photos(page: Page, items: Sequence[Item], numbers: Mapping[str, int], photos: Mapping[int, Path]) -> None:
    """Draw the photos, two on a page."""
    if not photos:
        return
    page.add_page()
    page.heading("Photos")
    for index, path in sorted(photos.items()):
        marks = [(numbers[item.id], place.box) for item in items for place in item.places if place.image == index and place.box]
        shown = sorted((numbers[item.id], named(item)) for item in items if index in item.appears_in)
        _photo(
            page,
            f"Photo {index + 1}",
            marked(path, marks),
            legend="   ".join(f"{number} {cut(name, IN_LEGEND)}" for number, name in shown),
        )


def marked(path: Path, marks: Sequence[tuple[int, Box]]) -> Image.Image:
    """Return a photo with numbered frames, the largest first so that small ones lie upon them."""
    with Image.open(path, formats=("JPEG",)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((SIDE_PIXELS_MAX, SIDE_PIXELS_MAX))
    for number, box in sorted(marks, key=lambda mark: -_area(mark[1])):
        _frame(image, number, box)
    for number, box in marks:
        _number(image, number, box)
    return image


def _photo(page: Page, title: str, image: Image.Image, *, legend: str) -> None:
    height = min(page.eph * HEIGHT_SHARE, page.epw * image.height / image.width)
    if page.will_page_break(height + LEGEND_MM):
        page.add_page()
    written = BytesIO()
    image.save(written, "JPEG", quality=JPEG_QUALITY)
    page.caption(title)
    width = height * image.width / image.height
    page.image(written, x=page.l_margin + (page.epw - width) / 2, w=width, h=height, alt_text=title)
    page.ln(1)
    page.text_block(legend, colour=GREY, size=7.5)
    page.ln(3)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _edges(image: Image.Image, box: Box) -> tuple[float, float, float, float]:
    top, left, bottom, right = box
    width, height = image.width / BOX_SCALE, image.height / BOX_SCALE
    return (left * width, top * height, right * width, bottom * height)


def _frame(image: Image.Image, number: int, box: Box) -> None:
    colour, line = COLOURS[number % len(COLOURS)], max(3, image.width // 260)
    ImageDraw.Draw(image).rectangle(_edges(image, box), outline=colour, width=line)


def _number(image: Image.Image, number: int, box: Box) -> None:
    draw, size = ImageDraw.Draw(image), max(14, max(image.size) // 42)
    left, top, _, _ = _edges(image, box)
    font = ImageFont.load_default(size=size)
    x0, y0, x1, y1 = draw.textbbox((0, 0), str(number), font=font)
    pad = size // 4
    left, top = min(left, image.width - (x1 - x0) - 2 * pad), min(top, image.height - (y1 - y0) - 2 * pad)
    draw.rectangle((left, top, left + x1 - x0 + 2 * pad, top + y1 - y0 + 2 * pad), fill=COLOURS[number % len(COLOURS)])
    draw.text((left + pad - x0, top + pad - y0), str(number), fill="white", font=font)
