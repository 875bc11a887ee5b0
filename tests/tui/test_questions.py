"""Questions: what goes is named, all of it."""

from pathlib import Path

import pytest

from tenantai.tui import shown
from tenantai.tui.screens.help import Help
from tenantai.tui.screens.questions import Choice, Choose, Confirm
from tenantai.tui.widgets.name_list import NameList
from tests.running import until
from tests.tui.conftest import asked
from tests.tui.test_record_table import listing


async def test_ten_thousand_names_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name can be scrolled to; those on the screen alone are made ready, and the hidden ones are said first."""
    made: list[str] = []
    told = shown.line

    def noted(text: object, *, most: int = 500) -> str:
        made.append(str(text))
        return told(text, most=most)

    async with listing(tmp_path, 3) as (records, pilot):
        monkeypatch.setattr(shown, "line", noted)
        names = [f"file {number}\x1b[2J.txt" for number in range(10_000)]
        records.app.push_screen(Confirm("Delete them?", names=names, hidden=4))
        question = await asked(records.operating, pilot, Confirm)
        found = question.query_one(NameList)
        assert "4 of them are hidden" in found.render_line(0).text
        assert found.render_line(1).text.startswith("• file 0␛[2J.txt")
        found.focus()
        await pilot.press("end")
        await pilot.pause()
        await pilot.wait_for_animation()
        last = "\n".join(found.render_line(y).text for y in range(found.size.height))
        assert "file 9999␛[2J.txt" in last
        assert len([name for name in made if name.startswith("file ")]) < 1000
        await pilot.press("escape")


async def test_a_window_is_answered_once(tmp_path: Path) -> None:
    """One that is answered under another window stays, and can be answered later; the second of two answers at once is let go."""
    async with listing(tmp_path, 3) as (records, pilot):
        console, place, answers = records.operating, records.screen, list[object]()
        console.push_screen(Choose("Which?", [Choice("one", "One")]), answers.append)
        question = await asked(console, pilot, Choose)
        await pilot.press("question_mark")
        await asked(console, pilot, Help)
        question.dismiss("too early")
        await pilot.pause()
        assert isinstance(console.screen, Help)
        await pilot.press("escape")
        await until(lambda: console.screen is question)
        question.dismiss("one")
        question.dismiss("two")
        await until(lambda: bool(answers))
        assert (answers, console.screen) == (["one"], place)
