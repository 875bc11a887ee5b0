"""A page of the report: its letterhead, its footer, its headings, and text in the letters that its font has.

What must stay true: what a model or a person wrote is drawn as text and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace, TTFFont

from tenantai.estimating.items import Range
from tenantai.figures.fitting import CUBIC_METERS_PER_CUBIC_FOOT, KILOGRAMS_PER_POUND

FONT = "OpenSans"
INK, GREY, PALE, WHITE = (33, 37, 41), (108, 117, 125), (243, 245, 247), (255, 255, 255)
ACCENT = (3, 83, 164)
MARGIN_MM, FOOT_MM = 18, 16
CENTIMETRES_PER_INCH = 2.54
REPLACEMENT = "?"
PAGES = "{nb}"
"""What fpdf2 puts the number of pages in place of."""
IN_HEAD, IN_FOOT = 120, 50
Align = Literal["L", "C", "R"]


@dataclass(frozen=True, slots=True)
class Document:
    """What the report says of itself: who made it, its number, its day and state, and the unit of its figures."""

    company: str
    reference: str
    day: str
    state: str
    unit: str = "metric"

    @property
    def is_metric(self) -> bool:
        """Whether figures are in metres and kilograms."""
        return self.unit != "imperial"


class Page(FPDF):
    """A4 with our letterhead."""

    def __init__(self, document: Document) -> None:
        super().__init__(format="A4")
        self.document = document
        for style, name in (("", "OpenSans-Regular.ttf"), ("B", "OpenSans-Bold.ttf")):
            self.add_font(FONT, style, str(_fonts() / name))
        self._letters = frozenset(cast("TTFFont", self.fonts[FONT.lower()]).cmap)
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=FOOT_MM + 6)
        self.set_title(f"Moving estimate {document.reference}")
        self.set_author(self.plain(document.company))
        self.set_creator("tenantai")
        self.set_lang("en")

    def footer(self) -> None:
        """Draw the line at the foot of each page."""
        self.set_y(-FOOT_MM)
        self.ink(GREY, size=7.5)
        self.set_draw_color(*GREY)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(1.5)
        self.cell(self.epw / 2, 4, self.plain(f"{cut(self.document.company, IN_FOOT)} · Estimate {self.document.reference}"))
        self.cell(self.epw / 2, 4, f"Page {self.page_no()} of {PAGES}", align="R")

    def show_head(self) -> None:
        """Draw who it is from, and what it is."""
        self.set_fill_color(*ACCENT)
        self.rect(0, 0, self.w, 4, style="F")
        top = self.get_y()
        self.ink(ACCENT, style="B", size=17)
        self.multi_cell(
            self.epw * 0.6, 8, self.plain(cut(self.document.company, IN_HEAD)), new_x="LMARGIN", new_y="NEXT", align="L"
        )
        below = self.get_y()
        self.set_xy(self.l_margin + self.epw * 0.6, top)
        self.ink(INK, style="B", size=13)
        self.multi_cell(self.epw * 0.4, 7, "Moving estimate", align="R", new_x="LMARGIN", new_y="NEXT")
        for line in (f"No. {self.document.reference}", self.document.day, self.document.state):
            self.set_x(self.l_margin + self.epw * 0.6)
            self.ink(GREY, size=9)
            self.multi_cell(self.epw * 0.4, 4.6, self.plain(line), align="R", new_x="LMARGIN", new_y="NEXT")
        self.set_y(max(below, self.get_y()) + 5)

    def ink(self, colour: tuple[int, int, int] = INK, *, style: Literal["", "B"] = "", size: float = 9) -> None:
        """Write in a colour, weight and size from here on."""
        self.set_text_color(*colour)
        self.set_font(FONT, style, size)

    def heading(self, text: str, *, room_below_mm: float = 30) -> None:
        """Write a heading, on the next page where too little is left for what follows."""
        if self.will_page_break(room_below_mm):
            self.add_page()
        self.ln(4)
        self.ink(ACCENT, style="B", size=11)
        self.multi_cell(0, 6, self.plain(text), new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(1)

    def text_block(self, text: str, *, colour: tuple[int, int, int] = INK, size: float = 9) -> None:
        """Write a paragraph."""
        self.ink(colour, size=size)
        self.multi_cell(0, size * 0.5, self.plain(text), new_x="LMARGIN", new_y="NEXT", align="L")
        self.ln(1)

    def caption(self, text: str, *, width: float = 0) -> None:
        """Write a small line."""
        self.ink(GREY, size=8)
        self.multi_cell(width, 4.5, self.plain(text), new_x="LMARGIN", new_y="NEXT", align="L")

    def rows(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        widths: Sequence[float],
        aligns: Sequence[Align],
        foot: int = 0,
    ) -> None:
        """Draw a table; the last `foot` rows are bold."""
        self.ink(size=8)
        self.set_draw_color(206, 212, 218)
        with self.table(
            col_widths=tuple(widths),
            text_align=tuple(aligns),
            line_height=4.4,
            v_align="T",
            padding=(0.7, 1),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=GREY, fill_color=PALE),
        ) as table:
            table.row(list(heads))
            for at, row in enumerate(rows):
                style = FontFace(emphasis="BOLD" if at >= len(rows) - foot else None, fill_color=WHITE)
                table.row([self.plain(cell) for cell in row], style=style)

    def plain(self, text: str) -> str:
        """Return text in the letters that the font has; others become question marks."""
        known = "".join(letter if ord(letter) in self._letters else REPLACEMENT for letter in text)
        return known.replace(PAGES, PAGES[1:-1])

    def volume(self, cubic_metres: float) -> str:
        """Return a volume in the document's unit."""
        return f"{cubic_metres:.2f}" if self.document.is_metric else f"{cubic_metres / CUBIC_METERS_PER_CUBIC_FOOT:,.0f}"

    def weight(self, kilograms: float) -> str:
        """Return a weight in the document's unit."""
        return f"{kilograms if self.document.is_metric else kilograms / KILOGRAMS_PER_POUND:,.0f}"

    def side(self, centimetres: float) -> str:
        """Return a length in the document's unit."""
        return f"{centimetres if self.document.is_metric else centimetres / CENTIMETRES_PER_INCH:.0f}"

    @property
    def units(self) -> tuple[str, str, str]:
        """The names of the units of volume, weight and length."""
        return ("m³", "kg", "cm") if self.document.is_metric else ("ft³", "lb", "in")


def cut(text: str, characters_max: int) -> str:
    """Return text that is no longer than so much."""
    return text if len(text) <= characters_max else f"{text[: characters_max - 1].rstrip()}…"


def between(figure: Range, factor: float, *, digits: int) -> str:
    """Return the ends of a range, times a factor."""
    return f"{figure.low * factor:,.{digits}f} to {figure.high * factor:,.{digits}f}"


def _fonts() -> Path:
    return Path(str(files("tenantai.estimating.report") / "fonts"))
