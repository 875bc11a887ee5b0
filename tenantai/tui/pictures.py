"""Pictures for a terminal: in its own graphics where it is known to have them, else in half cells of colour.

What must stay true: nothing here is imported before a picture is to be shown; the terminal is asked nothing while the console reads
its keys; only JPEG of a bounded size is decoded.
"""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from textual.widget import Widget
    from textual_image.widget import SixelImage, TGPImage

    from tenantai.tui.widgets.half_cells import HalfCells

PIXELS_MAX = 50_000_000
SHOWN_PIXELS = (1280, 960)
BOX_PARTS = 1000
BOX_COLOUR = "#ffb000"
PLACEHOLDERS_SINCE = (0, 28)
ANSWER_SECONDS = 2
SIXEL_PROGRAMS = frozenset({"WezTerm", "iTerm.app", "contour", "mlterm"})
SIXEL_TERMINALS = ("foot", "mlterm", "contour", "yaft")

Box = tuple[int, int, int, int]

TOO_LARGE = "The picture is too large to be shown here."


class NoPicture(Exception):  # noqa: N818  reads as a sentence
    """What came is no picture that is shown here."""


def best_way(environ: Mapping[str, str], *, is_terminal: bool) -> str:
    """Return how this terminal shows pictures best: `kitty`, `sixel` or `cells`; a multiplexer passes on cells only.

    Blocks for as long as a program takes to tell its version.
    """
    if not is_terminal or "TMUX" in environ or environ.get("TERM", "").startswith(("screen", "tmux")):
        return "cells"
    if "KITTY_WINDOW_ID" in environ or environ.get("TERM") == "xterm-kitty" or environ.get("TERM_PROGRAM") == "ghostty":
        return "cells" if _is_old_kitty(environ) else "kitty"
    knows_sixel = environ.get("TERM_PROGRAM") in SIXEL_PROGRAMS or environ.get("TERM", "").startswith(SIXEL_TERMINALS)
    return "sixel" if knows_sixel and _cell_sizes() else "cells"


def _is_old_kitty(environ: Mapping[str, str]) -> bool:
    """Return whether the kitty around us knows no pictures in place of characters, which came with 0.28; far ones are taken for new."""
    program = shutil.which("kitty", path=environ.get("PATH")) if "KITTY_WINDOW_ID" in environ else None
    if program is None:
        return False
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)  # noqa: S603  the terminal's own
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.match(r"kitty (\d+)\.(\d+)", told.stdout)
    return version is not None and (int(version[1]), int(version[2])) < PLACEHOLDERS_SINCE


def make_widget(way: str) -> "TGPImage | SixelImage | HalfCells":
    """Return a widget that shows a picture in a way."""
    if way == "cells":
        from tenantai.tui.widgets.half_cells import HalfCells  # noqa: PLC0415  the others are not to be imported with it

        return HalfCells()
    with _asking_nothing():
        from textual_image import widget  # noqa: PLC0415  it asks the terminal when it is imported
    return widget.TGPImage() if way == "kitty" else widget.SixelImage()


def is_graphics(widget: "Widget") -> bool:
    """Return whether a widget draws in the terminal's own graphics."""
    return type(widget).__module__.startswith("textual_image.")


def measured_cell() -> tuple[int, int]:
    """Return the size of a cell in pixels as it is now; textual-image (0.12) would keep the first one for good."""
    from textual_image._terminal import CellSize, get_cell_size  # noqa: PLC0415  imported with the first picture

    told = _cell_sizes()
    if told:
        get_cell_size._result = CellSize(*map(int, told.values()))  # type: ignore[attr-defined]  # noqa: SLF001  where it keeps it
    return get_cell_size()


def fitted(picture: tuple[int, int], room: tuple[int, int], cell: tuple[int, int]) -> tuple[int, int]:
    """Return the columns and rows that a picture of so many pixels fills in a room of so many."""
    (width, height), (columns, rows) = picture, room
    scale = min(columns * cell[0] / width, rows * cell[1] / height)
    return max(1, min(columns, round(width * scale / cell[0]))), max(1, min(rows, round(height * scale / cell[1])))


@contextmanager
def _asking_nothing() -> Iterator[None]:
    """Let textual-image (0.12) take us for no terminal: its questions would be answered into the console's keys."""
    stdout, sizes = sys.__stdout__, _cell_sizes()
    before = {name: os.environ.get(name) for name in sizes}
    sys.__stdout__ = io.StringIO()  # type: ignore[assignment,misc]
    os.environ.update(sizes)
    try:
        yield
    finally:
        sys.__stdout__ = stdout  # type: ignore[misc]
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _cell_sizes() -> dict[str, str]:
    """Return the size of a cell in pixels as textual-image reads it, nothing where the terminal does not tell its own."""
    try:
        import fcntl  # noqa: PLC0415  there is none on Windows
        import struct  # noqa: PLC0415
        import termios  # noqa: PLC0415

        told = fcntl.ioctl(sys.__stdout__.fileno() if sys.__stdout__ else -1, termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", told)
    except (ImportError, OSError, ValueError):
        return {}
    if not (rows and columns and width and height):
        return {}
    return {"TEXTUAL_CELL_WIDTH": str(width // columns), "TEXTUAL_CELL_HEIGHT": str(height // rows)}


def decoded(content: bytes, box: Box | None) -> Image.Image:
    """Return a picture made small, with a frame around a box (ymin, xmin, ymax, xmax in thousandths). Raises NoPicture."""
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as opened:
            if opened.width * opened.height > PIXELS_MAX:
                raise NoPicture(TOO_LARGE)
            opened.draft("RGB", SHOWN_PIXELS)
            picture = opened.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NoPicture(TOO_LARGE) from error
    except (OSError, ValueError) as error:
        raise NoPicture("The picture can't be read.") from error
    picture.thumbnail(SHOWN_PIXELS)
    if box is not None:
        top, left, bottom, right = (min(max(part, 0), BOX_PARTS) / BOX_PARTS for part in box)
        corners = (
            left * picture.width,
            top * picture.height,
            max(left, right) * picture.width,
            max(top, bottom) * picture.height,
        )
        ImageDraw.Draw(picture).rectangle(corners, outline=BOX_COLOUR, width=max(2, picture.width // 120))
    return picture
