"""The text of an answer as a widget: it grows, it is followed and marked with the mouse, and takes a theme's colours."""

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Offset
from textual.selection import Selection

from tenantai.tui.widgets.cited_markdown import CitedMarkdown


class Shows(App[None]):
    """An answer alone."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.answer = CitedMarkdown(text)
        self.cited: list[int] = []

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.answer

    def on_cited_markdown_cited(self, event: CitedMarkdown.Cited) -> None:
        self.cited.append(event.number)


async def test_it_grows_with_its_text() -> None:
    """As high as its lines, in whatever pieces they come, at whatever width."""
    app = Shows()
    async with app.run_test(size=(40, 10)) as pilot:
        app.answer.add("One\n\nTwo ")
        await pilot.pause()
        assert app.answer.size.height == 3
        app.answer.add("goes on and on and on until the line is full, and more")
        await pilot.pause()
        assert app.answer.size.height == 4
        await pilot.resize_terminal(24, 10)
        await pilot.pause()
        assert app.answer.size.height == 5
        assert [app.answer.render_line(y).text.rstrip() for y in (0, 1)] == ["One", ""]
        assert app.answer.render_line(99).text.strip() == ""


async def test_marks_and_links_are_clicked() -> None:
    """A mark tells its number; a link says where it leads, and opens nothing."""
    app = Shows("A [7] and [x](https://example.org/)")
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        await pilot.click(app.answer, offset=(4, 0))
        assert app.cited == [7]
        await pilot.click(app.answer, offset=(11, 0))
        assert app.cited == [7]
        assert [notice.message for notice in app._notifications] == ["This leads to https://example.org/. Nothing was opened."]
        app.answer.action_follow(9)


async def test_the_mouse_marks_text() -> None:
    """What is marked is drawn so, wide characters too, and is what would be copied."""
    app = Shows("日本 is **bold**\n\nlast")
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        plain = app.answer.render_line(0)
        app.screen.selections = {app.answer: Selection(Offset(1, 0), Offset(5, 0))}
        await pilot.pause()
        ground = app.screen.get_component_rich_style("screen--selection").bgcolor
        line = app.answer.render_line(0)
        assert line.text == plain.text
        assert "".join(s.text for s in line if s.style and s.style.bgcolor == ground) == "本 is"
        assert app.screen.get_selected_text() == "本 is"


async def test_a_theme_changes_its_colours() -> None:
    """Also those of what was drawn before."""
    app = Shows("# Title\n\n`code`")
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        before = [segment.style for segment in app.answer.render_line(0)]
        app.theme = "textual-light"
        await pilot.pause()
        assert [segment.style for segment in app.answer.render_line(0)] != before


async def test_a_change_of_style_that_is_none_draws_nothing_anew() -> None:
    """Another class of what holds it leaves the lines of a long answer as they are."""
    app = Shows("One\n\nTwo\n\nThree")
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        before = app.answer._lines.strips[0]
        app.screen.add_class("other")
        app.answer.notify_style_update()
        app.answer.refresh(layout=True)
        await pilot.pause()
        assert app.answer._lines.strips[0] is before
