"""A picture in half cells: each cell is an upper block whose colour is one pixel, and whose background is the pixel below it."""

from typing import TYPE_CHECKING, ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from PIL.Image import Image
    from textual.geometry import Size

UPPER_HALF = "▀"


class HalfCells(Widget):
    """Draws a picture as large as its room allows, its sides in their proportion."""

    DEFAULT_CSS: ClassVar[str] = """
    HalfCells { width: 1fr; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._picture: Image | None = None
        self._drawn: list[Strip] = []
        self._drawn_for: Size | None = None

    @property
    def image(self) -> "Image | None":
        """The picture."""
        return self._picture

    @image.setter
    def image(self, picture: "Image | None") -> None:
        self._picture, self._drawn_for = picture, None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        if self._drawn_for != self.size:
            self._drawn = lines_of(self._picture, self.size.width, self.size.height) if self._picture else []
            self._drawn_for = self.size
        line = self._drawn[y] if y < len(self._drawn) else Strip.blank(0)
        return line.adjust_cell_length(self.size.width, self.rich_style)


def lines_of(picture: "Image", width: int, height: int) -> list[Strip]:
    """Return a picture as lines of at most `width` cells, at most `height` of them."""
    scale = min(width / picture.width, height * 2 / picture.height)
    columns, rows = max(1, int(picture.width * scale)), max(2, int(picture.height * scale) // 2 * 2)
    raw = picture.convert("RGB").resize((columns, rows)).tobytes()
    return [Strip([_cell(raw, columns, column, row) for column in range(columns)], columns) for row in range(0, rows, 2)]


def _cell(raw: bytes, columns: int, column: int, row: int) -> Segment:
    upper, lower = 3 * (row * columns + column), 3 * ((row + 1) * columns + column)
    style = Style(color=Color.from_rgb(*raw[upper : upper + 3]), bgcolor=Color.from_rgb(*raw[lower : lower + 3]))
    return Segment(UPPER_HALF, style)
