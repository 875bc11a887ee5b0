"""How the console looks: a few pictures that are kept and compared, each with what does not change from run to run.

A picture that differs on purpose is renewed by deleting its file: the next run writes it, fails, and asks to look at it.
"""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tenantai.tui.app import Console, Start
from tenantai.tui.screens.connecting import Connecting
from tenantai.tui.screens.questions import Confirm, Secret
from tests.running import until
from tests.tui.conftest import asked
from tests.tui.test_record_table import Listing, Thing, Things

KEPT = Path(__file__).parent / "snapshots"
UNIQUE = re.compile(r"terminal-\d+")
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
SIZES = {"80x24": (80, 24), "120x36": (120, 36)}


def picture(console: Console) -> str:
    """Return the screen as SVG, without the number that each picture gets and the fonts that it would fetch."""
    return FONT.sub("", UNIQUE.sub("terminal", console.export_screenshot(title="tenantai")))


def compare(name: str, svg: str) -> None:
    """Compare a picture with the one that is kept."""
    kept = KEPT / f"{name}.svg"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(svg)
        pytest.fail(f"{kept} is new; look at it, and keep it if it is right")
    assert svg == kept.read_text(), f"{name} looks otherwise; where that is right, delete {kept} and run again"


async def filled(console: Console, pilot: Pilot[None]) -> None:
    """A list with marks, a filter and an order."""
    place = console.screen
    assert isinstance(place, Things)
    records = place.query_one("RecordList")
    records.show([Thing(n, f"thing {n} with [markup] and \x1b[31mescapes") for n in range(60)], total=81_204, has_more=True)  # type: ignore[attr-defined]
    await pilot.press("space", "j", "space", "l", "o", "o", "slash", *"1", "enter", "j")


async def line_open(console: Console, pilot: Pilot[None]) -> None:
    """The `:` line with a completion."""
    await pilot.press("colon", *"the")


async def help_open(console: Console, pilot: Pilot[None]) -> None:
    """The help."""
    await pilot.press("question_mark")


async def asked_to_connect(console: Console, pilot: Pilot[None]) -> None:
    """The question where no server is."""
    reason = "No tenantai server answers at http://127.0.0.1:8420."
    console.push_screen(Connecting(reason, url="http://127.0.0.1:8420", can_start=True))
    await asked(console, pilot, Connecting)


async def asked_to_confirm(console: Console, pilot: Pilot[None]) -> None:
    """The question before something goes."""
    names = [f"contract-{n}.pdf" for n in range(30)]
    console.push_screen(
        Confirm("Delete 30 files?", names=names, hidden=4, yes="Delete", warning="Answers will not know them any more.")
    )
    await asked(console, pilot, Confirm)


async def secret_shown(console: Console, pilot: Pilot[None]) -> None:
    """A secret, once."""
    console.push_screen(
        Secret("The secret of Web shop", "sk_live_" + "x" * 38, warning="This is the only time that it is shown.")
    )
    await asked(console, pilot, Secret)


SCENES = (filled, line_open, help_open, asked_to_connect, asked_to_confirm, secret_shown)
Scene = Callable[[Console, Pilot[None]], Awaitable[None]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene, size: str) -> None:
    """The picture is the one that is kept."""
    monkeypatch.setattr("textual.widgets._input.Input.cursor_blink", False)
    console = Listing(Start(url="http://127.0.0.1:1", api_key="none", folder=tmp_path))
    console._asked_to_connect = True
    monkeypatch.setattr(console, "_reach", lambda: None)
    async with console.run_test(size=SIZES[size]) as pilot:
        await pilot.pause()
        await until(lambda: console.screen.is_running)
        await scene(console, pilot)
        await pilot.pause()
        await pilot.pause()
        compare(f"{scene.__name__}-{size}", picture(console))
