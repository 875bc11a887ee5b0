"""Questions: what goes is named, all of it."""

from pathlib import Path

import pytest

from tenantai.tui import shown
from tenantai.tui.screens.questions import Confirm
from tenantai.tui.widgets.name_list import NameList
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
