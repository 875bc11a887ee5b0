"""Where no server answers, or the key is none: start one here, name another address, give a key, or go on waiting."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.questions import Question


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person wants: another address or key (empty: as it is), or a server started here."""

    kind: Literal["start", "connect", "wait", "quit"]
    url: str = ""
    api_key: str = ""


class Connecting(Question):
    """The question; dismisses with a `Wanted`."""

    DEFAULT_CSS: ClassVar[str] = """
    Connecting Input { margin-bottom: 1; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("connecting.start", "ctrl+s", "start", "Start one here", "Start a server on this machine."),
        Action("connecting.quit", "ctrl+q", "quit_console", "Quit", "Leave the console.", word="quit"),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, reason: str, *, url: str, can_start: bool) -> None:
        super().__init__()
        self._reason, self._url, self._can_start = reason, url, can_start

    def compose(self) -> ComposeResult:
        """Lay out why we ask, the address and the key, and what can be done."""
        with Vertical():
            yield Static(shown.line(self._reason), classes="title", markup=False)
            yield Input(self._url, placeholder="http://127.0.0.1:8420", id="url")
            yield Input("", placeholder="API key, sk_live_…", password=True, id="key")
            with Horizontal():
                yield Button("Connect", id="connect", variant="primary")
                if self._can_start:
                    yield Button("Start one here (ctrl+s)", id="start", variant="success")
                yield Button("Quit", id="quit")

    def on_mount(self) -> None:
        """Put the focus on what is most likely wanted."""
        self.query_one("#start" if self._can_start else "#key").focus()

    def action_start(self) -> None:
        """Start a server here."""
        if self._can_start:
            self.dismiss(Wanted("start"))

    def action_leave(self) -> None:
        """Go on waiting for the server."""
        self.dismiss(Wanted("wait"))

    def action_quit_console(self) -> None:
        """Leave the console."""
        self.dismiss(Wanted("quit"))

    @on(Button.Pressed, "#start")
    def _start_pressed(self) -> None:
        self.action_start()

    @on(Button.Pressed, "#quit")
    def _quit_pressed(self) -> None:
        self.action_quit_console()

    @on(Button.Pressed, "#connect")
    @on(Input.Submitted)
    def _connect(self) -> None:
        url, key = self.query_one("#url", Input).value.strip(), self.query_one("#key", Input).value.strip()
        self.dismiss(Wanted("connect", url, key))
