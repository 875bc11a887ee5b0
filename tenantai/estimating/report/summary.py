"""What an estimate comes to, at a glance: figures, what holds it all, boxes and materials, and how far to trust it."""

from tenantai.estimating.items import Estimate, Holder, Holders, PackPlan
from tenantai.estimating.report.page import GREY, INK, PALE, Page, between
from tenantai.figures import catalogue
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND

METRES_PER_FOOT = 0.3048
CARD_HEIGHT_MM, CARD_GAP_MM = 27, 3
LONG_FIGURE = 11
FROM_PHOTOS = (
    "This estimate was made from photos. The range beside each total says how far the true figure may lie from it; what the "
    "photos do not show is not counted."
)
BY_FIGURES = (
    "≈ marks what is reckoned by the trade's figures for its kind (version {version}): the photos tell no size, none that can be "
    "right, or not exactly what it is."
)
BOX_NAMES = {"tv": "TV", "mirror_picture": "Mirror or picture", "dish_pack": "Dish pack", "extra_large": "Extra large"}


def show_figures(page: Page, estimate: Estimate) -> None:
    """Draw the four figures that a customer looks for first, and whether all goes into the unit."""
    metric = page.document.is_metric
    volume_factor = 1 if metric else 1 / CUBIC_METERS_PER_CUBIC_FOOT
    weight_factor = 1 if metric else 1 / KILOGRAMS_PER_POUND
    volume, weight = estimate.volume_m3, estimate.weight_kg
    volume_unit, weight_unit, _ = page.units
    digits = 1 if metric else 0
    cards = (
        (
            "Volume",
            f"{volume.typical * volume_factor:,.{digits}f} {volume_unit}",
            f"{between(volume, volume_factor, digits=digits)} {volume_unit}",
        ),
        (
            "Weight",
            f"{weight.typical * weight_factor:,.0f} {weight_unit}",
            f"{between(weight, weight_factor, digits=0)} {weight_unit}",
        ),
        ("Storage unit", *_held(estimate.storage_unit, is_metric=metric)),
        ("Truck", *_held(estimate.truck, is_metric=metric)),
    )
    top, width = page.get_y(), (page.epw - CARD_GAP_MM * (len(cards) - 1)) / len(cards)
    for at, card in enumerate(cards):
        _card(page, page.l_margin + at * (width + CARD_GAP_MM), top, width, card)
    page.set_xy(page.l_margin, top + CARD_HEIGHT_MM + 3)
    if estimate.pack_plan is not None:
        page.text_block(_plan(estimate.pack_plan))
    for reason in dict.fromkeys((estimate.storage_unit.reason, estimate.truck.reason)):
        if reason:
            page.text_block(reason)


def show_boxes(page: Page, estimate: Estimate) -> None:
    """Draw the boxes and materials that packing takes."""
    if not (estimate.boxes or estimate.materials):
        return
    page.heading("Boxes and materials")
    rows = [(f"{_box_name(box.name)} box", str(box.count), f"For {box.use}") for box in estimate.boxes]
    rows += [(m.name.capitalize(), f"{m.amount} {m.unit}", "") for m in estimate.materials]
    page.rows(("What", "How much", ""), rows, widths=(50, 30, 94), aligns=("L", "R", "L"))


def show_notes(page: Page, estimate: Estimate) -> None:
    """Write what the figures are, and are not."""
    page.heading("About these figures", room_below_mm=70)
    lines = (
        FROM_PHOTOS,
        *estimate.notes,
        BY_FIGURES.format(version=estimate.figures_version),
    )
    for line in lines:
        page.text_block(line, colour=GREY, size=8)


def show_signatures(page: Page) -> None:
    """Draw the lines to sign on."""
    if page.will_page_break(24):
        page.add_page()
    page.ln(12)
    width, top = (page.epw - 12) / 2, page.get_y()
    for at, text in enumerate(("Date, customer", f"Date, {page.document.company}")):
        left = page.l_margin + at * (width + 12)
        page.set_draw_color(*GREY)
        page.line(left, top, left + width, top)
        page.set_xy(left, top + 1)
        page.caption(text, width=width)
    page.set_xy(page.l_margin, top + 8)


def _card(page: Page, left: float, top: float, width: float, card: tuple[str, str, str]) -> None:
    title, figure, more = card
    page.set_fill_color(*PALE)
    page.rect(left, top, width, CARD_HEIGHT_MM, style="F", round_corners=True, corner_radius=2)
    for y, text, height, colour, style, size in (
        (2.2, title, 4, GREY, "", 8),
        (7, figure, 7, INK, "B", 14 if len(figure) <= LONG_FIGURE else 10.5),
        (15, more, 3.6, GREY, "", 7.5),
    ):
        page.set_xy(left + 2, top + y)
        page.ink(colour, style=style, size=size)  # type: ignore[arg-type]
        page.multi_cell(width - 4, height, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _held(holders: Holders, *, is_metric: bool) -> tuple[str, str]:
    if holders.tight is None or holders.comfortable is None:
        return "–", holders.reason
    more = f"Tight. With room to spare: {_name(holders.comfortable)}"
    return _name(holders.tight), f"{_metres(holders.tight)}{more}" if is_metric else more


def _name(holder: Holder) -> str:
    name = holder.name.replace("_", " ").replace("x", " × ")
    name = f"{name} ft" if "×" in name else name.replace("ft", " ft").capitalize()
    return f"{holder.count} × ({name})" if holder.count > 1 else name


def _metres(holder: Holder) -> str:
    """Return a storage unit's floor in metres; nothing for a truck."""
    unit = next((unit for unit in catalogue.storage_units() if unit.name == holder.name), None)
    return "" if unit is None else f"{unit.width_ft * METRES_PER_FOOT:.1f} × {unit.depth_ft * METRES_PER_FOOT:.1f} m. "


def _plan(plan: PackPlan) -> str:
    unit = plan.unit.replace("x", " × ")
    if plan.fits:
        return f"Stowed piece by piece, all {plan.pieces} pieces and boxes go into the tight unit ({unit} ft)."
    left = ", ".join(plan.left_over)
    larger = f" A unit of {plan.fits_in.replace('x', ' × ')} ft holds it all." if plan.fits_in else ""
    return f"No way was found to stow all {plan.pieces} pieces and boxes in {unit} ft; left over: {left}.{larger}"


def _box_name(name: str) -> str:
    return BOX_NAMES.get(name, name.replace("_", " ").capitalize())
