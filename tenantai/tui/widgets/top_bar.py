"""The two lines at the top: the places, and whose things are shown, with how the server is.

What must stay true: the line is cut where the terminal ends, so what a person needs while the server is gone stands first.
"""

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
        marks = "  read-only" if console.read_only else ""
        whose = (f"{console.tenant_name}{marks}", "bold")
        if state.status in {"offline", "refused"}:
            self.update(Content.assemble(_down(state), " · ", whose, " · ", shown.line(state.reason)))
        else:
            text = _online(state) if state.status == "online" else f"○ connecting to {shown.line(console.link_url)} …"
            self.update(Content.assemble(whose, "  ", text))


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


def _down(state: LinkState) -> str:
    """Say since when it is gone and what comes next, in 78 columns."""
    now = time.monotonic()
    if state.is_key_refused:
        return "✗ key not accepted · ctrl+l takes another key"
    gone = "✗ server gone" if state.status == "offline" else "✗ not connected"
    if state.next_try is None:
        return f"{gone} · ctrl+l names another server or key"
    seen = f" · what you see is {shown.duration(now - state.since)} old" if state.who is not None else ""
    return f"{gone}{seen} · next try in {max(0.0, state.next_try - now):.0f} s · ctrl+r now"
