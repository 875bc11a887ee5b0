"""The two lines at the top: the places, and whose things are shown, with how the server is."""

import time
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tenantai.tui import shown
from tenantai.tui.actions import Acting
from tenantai.tui.link import LinkState
from tenantai.tui.places import SPOTS

TICK_SECONDS = 1.0
TRY_NOW = "Press ctrl+r to try now."


class PlaceTab(Static):
    """One place in the bar; a click goes there."""

    def __init__(self, name: str, key: str, title: str) -> None:
        super().__init__(Content.assemble((key, "$text-accent"), title), id=f"tab-{name}", markup=False)
        self.place = name

    def on_click(self, event: events.Click) -> None:
        """Go to the place."""
        event.stop()
        self.app.call_later(self.app.run_action, f"go('{self.place}')")


class PlaceBar(Static):
    """The places, the one that is shown marked."""

    def __init__(self, current: str) -> None:
        super().__init__()
        self.current = current

    def compose(self) -> ComposeResult:
        """Lay out a tab a place."""
        for spot in SPOTS:
            tab = PlaceTab(spot.name, spot.key, spot.title)
            tab.set_class(spot.name == self.current, "current")
            yield tab


class StatusLine(Acting, Static):
    """Whose things are shown, and how the server is; a banner while it is gone."""

    def on_mount(self) -> None:
        """Follow the line to the server and the tenant."""
        self.watch(self.app, "link_state", self.say)
        self.watch(self.app, "tenant_id", self.say)
        self.set_interval(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        if self.operating.link_state.status != "online" and self.screen.is_current:
            self.say()

    def say(self) -> None:
        """Say it as it is now."""
        console = self.operating
        state = console.link_state
        self.set_class(state.status in {"offline", "refused"}, "down")
        text = _online(state) if state.status == "online" else _down(state, console.link_url)
        marks = "  read-only" if console.read_only else ""
        self.update(Content.assemble((f"{console.tenant_name}{marks}", "bold"), "  ", text))


class TopBar(Vertical):
    """Both lines."""

    DEFAULT_CSS: ClassVar[str] = """
    TopBar { height: 2; dock: top; }
    PlaceBar { height: 1; layout: horizontal; background: $panel; }
    PlaceTab { width: auto; height: 1; padding: 0 1 0 0; color: $text-muted; }
    PlaceTab:hover { color: $text; }
    PlaceTab.current { color: $text; text-style: bold reverse; }
    StatusLine { height: 1; padding: 0 1; background: $surface; color: $text-muted; }
    StatusLine.down { background: $error-muted; color: $text-error; }
    """

    def __init__(self, current: str) -> None:
        super().__init__()
        self._current = current

    def compose(self) -> ComposeResult:
        """Lay out both lines."""
        yield PlaceBar(self._current)
        yield StatusLine("", markup=False)


def _online(state: LinkState) -> str:
    who = state.who
    whose = "" if who is None else "operator's key" if who.is_operator else f"key …{who.key_id[-6:]}"
    return f"● {shown.line(state.version)}  {whose}"


def _down(state: LinkState, url: str) -> str:
    now = time.monotonic()
    if state.status == "connecting":
        return f"○ connecting to {shown.line(url)} …"
    if state.next_try is None:
        return f"✗ {shown.line(state.reason)} Press ctrl+l to name another server or key."
    left = max(0.0, state.next_try - now)
    age = shown.duration(now - state.since)
    seen = f"What you see is {age} old. " if state.who is not None else ""
    return f"✗ {shown.line(state.reason)} {seen}Next try in {left:.0f} s. {TRY_NOW}"
