"""Pictures in a terminal: how they are drawn where, and what is no picture."""

import os
import subprocess
import sys

import pytest

from tenantai.tui.pictures import BOX_COLOUR, NoPicture, best_way, decoded, make_widget
from tenantai.tui.widgets.half_cells import lines_of
from tests.pictures.making import encoded, gradient, jpeg


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-256color"}, "cells"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "sixel"),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "WezTerm"}, "cells"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux,1,0"}, "cells"),
    ],
)
def test_the_way_of_a_terminal(environ: dict[str, str], way: str) -> None:
    """Only a terminal that is known to have graphics of its own gets them; a multiplexer and a pipe get cells."""
    assert best_way(environ, is_terminal=True) == way
    assert best_way(environ, is_terminal=False) == "cells"


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
