"""Pictures in a terminal: how they are drawn where, and what is no picture."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from textual.app import App, ComposeResult

from tenantai.tui.pictures import BOX_COLOUR, NoPicture, best_way, decoded, make_widget, measured_cell
from tenantai.tui.widgets.half_cells import lines_of
from tenantai.tui.widgets.photo import Photo
from tests.pictures.making import encoded, gradient, jpeg

CELL = (10, 20)


class Terminal:
    """The far end of a terminal as standard output: what was written to it."""

    def __init__(self, cell: tuple[int, int]) -> None:
        self.written = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 100 * cell[0], 30 * cell[1]))
        self.stdout = os.fdopen(slave, "w")
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # the near end is closed
            while read := os.read(self._master, 65536):
                self.written += read

    def close(self) -> None:
        """Close both ends."""
        self.stdout.close()
        self._reader.join()
        os.close(self._master)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, *, cell: tuple[int, int] = CELL, **environ: str) -> Iterator[Terminal]:
    """Have a terminal of 100 by 30 cells of so many pixels as standard output, and as the environment names it."""
    opened = Terminal(cell)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "__stdout__", opened.stdout)
        for name in ("TMUX", "KITTY_WINDOW_ID", "TERM_PROGRAM"):
            patched.delenv(name, raising=False)
        for name, value in environ.items():
            patched.setenv(name, value)
        try:
            yield opened
        finally:
            opened.close()


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-256color"}, "cells"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "sixel"),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "WezTerm"}, "cells"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux,1,0"}, "cells"),
    ],
)
def test_the_way_of_a_terminal(environ: dict[str, str], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a terminal that is known to have graphics of its own gets them; a multiplexer and a pipe get cells."""
    with terminal(monkeypatch):
        assert best_way(environ, is_terminal=True) == way
        assert best_way(environ, is_terminal=False) == "cells"


def test_sixels_need_the_size_of_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that tells no pixels gets half cells, where sixels would be of a guessed size."""
    with terminal(monkeypatch, cell=(0, 0)):
        assert best_way({"TERM": "mlterm"}, is_terminal=True) == "cells"


@pytest.mark.parametrize(
    ("told", "way"),
    [("kitty 0.26.5 created by Kovid Goyal", "cells"), ("kitty 0.28.0 created by Kovid Goyal", "kitty"), ("no version", "kitty")],
)
def test_a_kitty_without_placeholders(told: str, way: str, tmp_path: Path) -> None:
    """A kitty before 0.28 shows nothing in place of the characters that stand for a picture, so it gets half cells."""
    program = tmp_path / "kitty"
    program.write_text(f"#!/bin/sh\necho '{told}'\n")
    program.chmod(0o700)
    environ = {"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1", "PATH": str(tmp_path)}
    assert best_way(environ, is_terminal=True) == way


class Alone(App[None]):
    """A photo, and nothing else."""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Photo()


@pytest.mark.parametrize("size", [(640, 480), (300, 900)])
@pytest.mark.parametrize("name", ["xterm-kitty", "mlterm"])
async def test_graphics_fit_their_room(name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is whole, in its proportion, above a free row (a sixel's last band would scroll there), also after a resize."""
    app = Alone()
    with terminal(monkeypatch, TERM=name):
        async with app.run_test(size=(100, 30)) as pilot:
            await app.query_one(Photo).show(jpeg(*size), "caption", box=None)
            for width, height in ((100, 30), (50, 12), (20, 30)):
                await pilot.resize_terminal(width, height)
                await pilot.pause()
                shown = app.query_one(".picture").region
                scale = min(width * CELL[0] / size[0], (height - 2) * CELL[1] / size[1])
                assert (shown.x, shown.y) == (0, 1)
                assert abs(shown.width - size[0] * scale / CELL[0]) <= 0.5
                assert abs(shown.height - size[1] * scale / CELL[1]) <= 0.5
                assert {child.region for child in app.query(".picture > *")} <= {shown}


async def test_kitty_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kitty gets the picture in as many cells as it has on the screen, told to answer nothing that would be read as keys."""
    app = Alone()
    with terminal(monkeypatch, TERM="xterm-kitty") as far:
        async with app.run_test(size=(100, 30)) as pilot:
            await app.query_one(Photo).show(jpeg(640, 480), "caption", box=None)
            await pilot.pause()
            shown = app.query_one(".picture").region
    sent = re.findall(rb"\x1b_G([^;\x1b]*)", far.written)
    assert any(b"a=p" in told and f"c={shown.width},r={shown.height},U=1".encode() in told for told in sent)
    assert all(b"q=2" in told or b"a=d" in told for told in sent)
    assert not re.findall(rb"\x1b\[[0-9;?>]*[cnqtp]", far.written)


async def test_cells_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters that were made larger leave a picture fewer cells: their size is measured anew."""
    with terminal(monkeypatch):
        assert measured_cell() == CELL
    with terminal(monkeypatch, cell=(14, 30)):
        assert measured_cell() == (14, 30)


def test_what_is_no_photo_is_said() -> None:
    """Only JPEG is decoded, whole; a sentence says what is wrong."""
    for content in (b"", b"no picture", jpeg()[:60], encoded(gradient(), "PNG")):
        with pytest.raises(NoPicture, match=r"can't be read"):
            decoded(content, None)
    with pytest.raises(NoPicture, match="too large"):
        decoded(jpeg(10_000, 5_001), None)


def test_a_thing_has_a_frame() -> None:
    """The box of a thing, in thousandths, is drawn around it, also where it reaches beyond the photo."""
    framed = decoded(jpeg(400, 400), (250, 250, 750, 5000))
    assert framed.getpixel((250, 100)) == tuple(bytes.fromhex(BOX_COLOUR[1:]))
    assert framed.getpixel((250, 50)) != framed.getpixel((250, 100))


@pytest.mark.parametrize(("width", "height"), [(40, 10), (7, 30), (1, 1)])
def test_half_cells_keep_to_their_room(width: int, height: int) -> None:
    """A picture in half cells is as large as its room allows, and no larger."""
    lines = lines_of(gradient(320, 240), width, height)
    assert 1 <= len(lines) <= height
    assert {line.cell_length for line in lines} == {min(width, height * 2 * 320 // 240)}


@pytest.mark.parametrize("way", ["kitty", "sixel", "cells"])
def test_each_way_has_its_widget(way: str) -> None:
    """A widget is made without a word to the terminal, and the streams and the environment are as before."""
    before, stdout = dict(os.environ), sys.__stdout__
    assert make_widget(way).image is None
    assert (dict(os.environ), sys.__stdout__) == (before, stdout)


def test_nothing_is_imported_before_a_photo() -> None:
    """The place of estimates loads neither Pillow nor textual-image."""
    asked = "import sys, tenantai.tui.screens.estimates; print({'PIL', 'textual_image'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
