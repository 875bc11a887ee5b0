"""What holds in every place: help, palette, the `:` line, going back, zoom, jumping, themes, copies, faults."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette, DiscoveryHit
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from textual.widgets._footer import FooterKey

from tenantai.client import CitedQuote
from tenantai.tui import clipboard
from tenantai.tui.actions import BY_ID, Acting, declared_in
from tenantai.tui.app import Console
from tenantai.tui.commands import Palette
from tenantai.tui.places import SPOTS
from tenantai.tui.screens.connecting import Connecting
from tenantai.tui.screens.help import Help
from tenantai.tui.screens.jump import Jump
from tenantai.tui.screens.keys import Keys
from tenantai.tui.screens.outcomes import Outcome, Outcomes
from tenantai.tui.screens.pick_files import PickFiles
from tenantai.tui.screens.questions import Choice, Choose, Confirm, Secret
from tenantai.tui.screens.report import Report
from tenantai.tui.screens.source import Source
from tenantai.tui.screens.tenant_forms import Told
from tenantai.tui.screens.window import Window
from tenantai.tui.themes import ThemeUnusable, read_theme
from tenantai.tui.widgets.details_pane import DetailsPane
from tenantai.tui.widgets.name_list import NameList
from tenantai.tui.widgets.scrolling import Scrolling
from tests.running import Tenant, until
from tests.tui.conftest import Opener, asked, settled

PLACES = [spot.name for spot in SPOTS]


def text_of(screen: DOMNode) -> str:
    """Return the text of every Static of a screen."""
    return "\n".join(str(static.render()) for static in screen.query(Static))


WINDOWS: dict[str, Callable[[], Window[Any]]] = {
    "report": lambda: Report(ZeroDivisionError("by nothing")),
    "confirm": lambda: Confirm("Delete it?", names=["one"]),
    "choose": lambda: Choose("Which?", [Choice("one", "One")]),
    "secret": lambda: Secret("The key", "sk_live_x", warning="Once."),
    "pick": lambda: PickFiles("Which files?", folder=Path(__file__).parent),
    "outcomes": lambda: Outcomes("Done", [Outcome("one", True, "well")]),
    "told": lambda: Told("Gone", ["one"]),
    "source": lambda: Source(
        "none", CitedQuote(number=1, file_id="none", file_name="none.txt", start=0, end=5, score=0.5, quote="words")
    ),
}


def panes_of(screen: Screen[Any]) -> list[Widget | None]:
    """Return what can have the focus, and None for nothing."""
    return [None, *screen.focus_chain]


def expected_in(screen: Screen[Any]) -> set[str]:
    """Return the titles of what can be done: each action that applies and has a key that no pane further in has taken."""
    found, taken = set[str](), set[str]()
    for node in (screen.focused or screen).ancestors_with_self:
        keyed = list(node._bindings)
        for action in declared_in(type(node)).values() if isinstance(node, Acting) else ():
            name, _, rest = action.name.partition("(")
            keys = {key for key, binding in keyed if binding.id == action.id}
            if keys - taken and node.check_action(name, (rest,)) is True:
                found.add(action.title)
        shown = [(key, one) for key, one in keyed if node.check_action(one.action.partition("(")[0], ()) is not False]
        taken |= {
            key for key, _ in shown if screen.focused is None or not screen.focused.check_consume_key(key, key_to_character(key))
        }
        if node.is_modal:
            break
    return found


async def held_against_the_help(console: Console, pilot: Pilot[None]) -> None:
    """Open the help, and hold it against the bindings that are active."""
    screen = console.screen
    active = list(screen.active_bindings.values())
    await console.run_action("help")
    page = " ".join(text_of(await asked(console, pilot, Help)).split())
    assert not [entry.binding for entry in active if entry.binding.description and entry.binding.description not in page]
    ours = [entry for entry in active if isinstance(entry.node, Acting) and entry.binding.id]
    assert ours
    assert not [entry.binding for entry in ours if not (entry.binding.description and entry.binding.tooltip in page)]
    await pilot.press("escape")
    await until(lambda: console.screen is screen)


async def held_against_the_palette(console: Console) -> None:
    """Hold what the palette offers against what can be done."""
    palette = Palette(console.screen)
    offered = {hit.text async for hit in palette.discover() if isinstance(hit, DiscoveryHit)}
    assert offered == expected_in(console.screen), console.screen.focused


@pytest.mark.parametrize("place", PLACES)
async def test_every_binding_is_in_the_help_and_the_palette(opened: Opener, acme: Tenant, place: str) -> None:
    """Whichever pane has the focus, the help names every key that works there, and the palette what is not grey, and no more."""
    async with opened(acme.key, place=place) as (console, pilot):
        for pane in panes_of(console.screen):
            console.screen.set_focus(pane)
            await pilot.pause()
            await held_against_the_help(console, pilot)
            await held_against_the_palette(console)
        palette = Palette(console.screen)
        assert [hit async for hit in palette.search("quit")]


@pytest.mark.parametrize("name", WINDOWS)
async def test_every_binding_of_a_window_is_in_its_help(opened: Opener, acme: Tenant, name: str) -> None:
    """`?` in a window names the keys that work there; the palette offers what can be done there."""
    async with opened(acme.key) as (console, pilot):
        await console.push_screen(WINDOWS[name]())
        await pilot.pause()
        window = console.screen
        assert isinstance(window, Window)
        await pilot.press("question_mark")
        await asked(console, pilot, Help)
        await pilot.press("escape")
        await until(lambda: console.screen is window)
        await held_against_the_help(console, pilot)
        await settled(console, pilot)
        await held_against_the_palette(console)


async def test_the_palette_runs_what_is_chosen(opened: Opener, acme: Tenant) -> None:
    """Typing in the palette and Enter goes to a place."""
    async with opened(acme.key) as (console, pilot):
        await pilot.press("ctrl+p")
        await asked(console, pilot, CommandPalette)
        await pilot.press(*"API keys: make")
        await pilot.pause()
        await until(lambda: console.screen.query_one("CommandList").option_count > 0)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(lambda: console.current_mode == "keys")


async def test_the_command_line(opened: Opener, acme: Tenant) -> None:
    """`:` takes a word, completes it with Tab, remembers it, and says what it does not know."""
    async with opened(acme.key) as (console, pilot):
        await pilot.press("colon", *"key", "tab", "enter")
        await until(lambda: console.current_mode == "keys")
        await settled(console, pilot)
        await pilot.press("colon", *"theme tenantai-li", "tab", "enter")
        await until(lambda: console.theme == "tenantai-light")
        await pilot.press("colon", "up", "up")
        assert console.screen.query_one("#command-line").value == "keys"  # type: ignore[attr-defined]
        await pilot.press("escape", "colon", *"nonsense", "enter")
        await until(lambda: any("no such command: nonsense" in told.message for told in console._notifications))
        assert console.memory.history("commands") == ["keys", "theme tenantai-light", "nonsense"]


async def test_a_command_may_be_begun(opened: Opener, acme: Tenant) -> None:
    """Where one word alone begins so, it runs; else what may be meant is said."""
    async with opened(acme.key) as (console, pilot):
        await pilot.press("colon", *"log", "enter")
        await until(lambda: console.current_mode == "logs")
        await settled(console, pilot)
        await pilot.press("colon", *"t", "enter")
        await until(lambda: any("Did you mean tenant or tenants" in told.message for told in console._notifications))
        await pilot.press("colon", *"asests", "enter")
        await until(lambda: any("asests. Did you mean assets?" in told.message for told in console._notifications))
        assert console.current_mode == "logs"


async def test_a_grey_key_says_that_the_console_only_reads(opened: Opener, acme: Tenant) -> None:
    """With `--read-only`, the key of a change says why nothing happens."""
    async with opened(acme.key, place="keys", read_only=True) as (console, pilot):
        await pilot.press("n")
        await until(lambda: [told.message for told in console._notifications] == ["New key is grey: this console only reads."])
        assert isinstance(console.screen, Keys)


@pytest.mark.parametrize("place", PLACES)
async def test_the_footer_begins_with_what_leads_on(opened: Opener, acme: Tenant, place: str) -> None:
    """At 80 columns `:` and `?` are in the footer of every place; while a text is written, the way out of it."""
    async with opened(acme.key, place=place, size=(80, 24)) as (console, _):
        wanted = {"step_back"} if place == "chat" else {"command_line", "help"}

        def seen() -> set[str]:
            return {key.action for key in console.screen.query(FooterKey) if key.region.area and key.region.right <= 80}

        await until(lambda: wanted <= seen())


async def test_escape_goes_back(opened: Opener, acme: Tenant) -> None:
    """Escape ends a filter first and goes to the place before next; the last place is remembered."""
    async with opened(acme.key) as (console, pilot):
        await pilot.press("6")
        await until(lambda: console.current_mode == "keys")
        assert console.memory.get("place") == "keys"
        await settled(console, pilot)
        await pilot.press("slash", "x", "escape")
        await pilot.pause()
        assert console.current_mode == "keys"
        await pilot.press("escape")
        await until(lambda: console.current_mode == "overview")


async def test_zoom_and_jump(opened: Opener, acme: Tenant) -> None:
    """`z` lets the list fill the screen and Escape ends it; ctrl+o puts letters on what can have the focus."""
    async with opened(acme.key, place="keys") as (console, pilot):
        place = console.screen
        assert isinstance(place, Keys)
        await pilot.press("z")
        assert place.maximized is not None
        await pilot.press("escape")
        await until(lambda: place.maximized is None)
        place.set_focus(None)
        await pilot.press("ctrl+o")
        await asked(console, pilot, Jump)
        await pilot.press("a")
        await until(lambda: place.records.table.has_focus)


async def test_the_width_of_a_side_pane_is_remembered(opened: Opener, acme: Tenant) -> None:
    """`>` makes the side pane wider and `<` narrower, which the next console knows."""
    widths: list[int] = []
    async with opened(acme.key, place="tenants") as (console, pilot):
        side = console.screen.query_one("#details")
        for key in (None, "greater_than_sign", "greater_than_sign", "less_than_sign"):
            await pilot.press(*([key] if key else []))
            await pilot.pause()
            widths.append(side.outer_size.width)
        assert [width - widths[0] for width in widths] == [0, 4, 8, 4]
    async with opened(acme.key, place="tenants") as (console, _):
        assert console.screen.query_one("#details").outer_size.width == widths[-1]


@pytest.mark.parametrize("place", PLACES)
async def test_read_only_greys_every_change(opened: Opener, acme: Tenant, place: str) -> None:
    """With `--read-only` no key, word or entry of the palette does what changes something, whichever pane has the focus."""
    async with opened(acme.key, place=place, read_only=True) as (console, pilot):
        assert "read-only" in text_of(console.screen)
        for pane in panes_of(console.screen):
            console.screen.set_focus(pane)
            await pilot.pause()
            for node in (console.screen.focused or console.screen).ancestors_with_self:
                changes = [one for one in declared_in(type(node)).values() if one.changes] if isinstance(node, Acting) else []
                assert not [one.id for one in changes if node.check_action(one.name.partition("(")[0], ()) is not None]
            offered = [offer.id for offer in console.offered() if offer.is_enabled]
            assert not [name for name in offered if name in BY_ID and BY_ID[name].changes]


async def test_a_read_only_console_changes_nothing_by_its_keys(opened: Opener, acme: Tenant) -> None:
    """With `--read-only` the keys and the words of changes do nothing."""
    async with opened(acme.key, place="keys", read_only=True) as (console, pilot):
        place = console.screen
        await pilot.press("n", "R", "d", "colon", *"new", "enter")
        await until(lambda: any("not possible here" in told.message for told in console._notifications))
        assert console.screen is place


async def test_letters_scroll_what_is_only_read(opened: Opener, acme: Tenant) -> None:
    """j, k, g and G scroll the help, the names before a deletion and details, as they move a cursor in rows."""
    names = [f"contract-{n}.pdf" for n in range(100)]
    async with opened(acme.key, place="audit", size=(80, 24)) as (console, pilot):
        console.push_screen(Confirm("Delete them?", names=names))
        await asked(console, pilot, Confirm)
        await scrolled(console, pilot, console.screen.query_one(NameList))
        await pilot.press("question_mark")
        await scrolled(console, pilot, (await asked(console, pilot, Help)).query_one(Scrolling))
        await pilot.press("escape", "escape")
        await until(lambda: console.current_mode == "audit" and not console.screen.is_modal)
        details = console.screen.query_one(DetailsPane)
        details.show([f"line {n}" for n in range(100)])
        await scrolled(console, pilot, details)


async def scrolled(console: Console, pilot: Pilot[None], pane: Widget) -> None:
    """Scroll a pane by letters, to its end and back."""
    await until(lambda: pane.max_scroll_y > 2)
    pane.focus()
    await until(lambda: console.screen.focused is pane)
    for key, wanted in (("j", lambda: 1), ("j", lambda: 2), ("k", lambda: 1), ("G", lambda: pane.max_scroll_y), ("g", lambda: 0)):
        await pilot.press(key)
        await until(lambda wanted=wanted: round(pane.scroll_y) == wanted())  # type: ignore[misc]


async def test_a_key_without_a_scope(opened: Opener, running: Any, acme: Tenant) -> None:
    """What the key lacks the scope for is grey."""
    key, _ = await running.issue(acme, scopes=["tenant:read", "key:read"])
    async with opened(key, place="keys") as (console, pilot):
        assert console.screen.check_action("new_key", ()) is None
        await pilot.press("n")
        assert isinstance(console.screen, Keys)


async def test_a_fault_ends_in_a_report(opened: Opener, acme: Tenant, tmp_path: Path) -> None:
    """An error of the console is shown as a report that can be copied; the console goes on."""
    async with opened(acme.key, place="keys") as (console, pilot):

        def broken() -> None:
            raise ZeroDivisionError("by [bold]nothing\x1b[31m")

        console.call_later(broken)
        await asked(console, pilot, Report)
        assert "ZeroDivisionError: by [bold]nothing␛[31m" in text_of(console.screen)
        await pilot.press("c")
        assert "ZeroDivisionError" in console.clipboard
        await pilot.press("escape", "1")
        await until(lambda: console.current_mode == "overview")
        console._faults.clear()


async def test_the_choice_of_a_theme(opened: Opener, acme: Tenant) -> None:
    """ctrl+t lists the themes, a filter finds one, Enter takes it, and it is remembered."""
    async with opened(acme.key, place="keys") as (console, pilot):
        await pilot.press("ctrl+t")
        await asked(console, pilot, Choose)
        await pilot.press("slash", *"nord", "enter", "enter")
        await until(lambda: console.theme == "nord")
        assert console.memory.get("theme") == "nord"


def test_themes_of_the_users_own(tmp_path: Path) -> None:
    """A theme in a file is read; one that is none is said by name."""
    good, bad, broken = tmp_path / "mine.toml", tmp_path / "bad.toml", tmp_path / "broken.toml"
    good.write_text('primary = "#ff8800"\nbackground = "#101010"\ndark = true\n')
    bad.write_text('primary = "no colour"\n')
    broken.write_text('colour = "red"\n')
    assert read_theme(good).name == "mine"
    for path, word in ((bad, "bad.toml"), (broken, "colour is no key of a theme")):
        with pytest.raises(ThemeUnusable, match=word):
            read_theme(path)


async def test_copies_and_exports(opened: Opener, acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell and a row go to the clipboard, or to a file where the terminal takes none; E writes the rows as CSV."""
    async with opened(acme.key, place="keys") as (console, pilot):
        place = console.screen
        assert isinstance(place, Keys)
        await pilot.press("y")
        assert console.clipboard == "first key"
        await pilot.press("Y")
        assert console.clipboard.startswith("first key\tsk_live_")
        await pilot.press("c")
        assert console.clipboard.endswith(f"/api/v1/tenants/{acme.id}/api-keys")
        assert acme.key not in console.clipboard
        monkeypatch.setenv("TERM", "linux")
        await pilot.press("y", "E")
        (copy,) = (tmp_path / "user" / "copies").iterdir()
        assert copy.read_text() == "first key"
        (export,) = (tmp_path / "user" / "exports").iterdir()
        with export.open() as file:
            assert next(csv.reader(file))[:2] == ["name", "key"]
        assert not clipboard.can_copy("x")


async def test_another_server_or_key(opened: Opener, running: Any, acme: Tenant) -> None:
    """ctrl+l asks for another address or key and goes on with it."""
    other = await running.register("Globex")
    async with opened(acme.key, place="keys") as (console, pilot):
        await pilot.press("ctrl+l")
        await asked(console, pilot, Connecting)
        await pilot.click("#key")
        await pilot.press(*other.key, "enter")
        await until(lambda: console.tenant_id == other.id)
        await settled(console, pilot)


async def test_without_colours(opened: Opener, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR everything is drawn in shades of grey."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(acme.key, place="keys") as (console, _):
        ground = console.screen.background_colors[1]
        triplets = []
        for strip in console.screen._compositor.render_strips():
            for line_filter in console.get_line_filters():
                for segment in strip.apply_filter(line_filter, ground):
                    style = segment.style
                    triplets += [colour.triplet for colour in (style.color, style.bgcolor) if colour] if style else []
        assert triplets
        assert not [triplet for triplet in triplets if triplet and len(set(triplet)) > 1]
