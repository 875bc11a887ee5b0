"""The console: its places, its line to the server, and what holds everywhere.

What must stay true: the first frame waits for no import of the client and for no server; an error ends in a report, never in the
end of the console.
"""

import asyncio
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, work
from textual.app import App
from textual.reactive import reactive
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget

from tenantai.tui import clipboard, refusals, shown
from tenantai.tui.actions import Acting, Action, bindings, declared_in, is_typing
from tenantai.tui.commands import Offer, Palette, completions, offer_for, offers_of, possible, refusal
from tenantai.tui.faults import Faults
from tenantai.tui.garbage import ROUND_SECONDS, Garbage
from tenantai.tui.link import KEY_REFUSED_CODE, Link, LinkState
from tenantai.tui.local_server import LocalServer, NotStarted, operator_key, port_here
from tenantai.tui.memory import Memory
from tenantai.tui.places import BY_NAME, SPOTS
from tenantai.tui.saving import harmless
from tenantai.tui.themes import OURS, take_up

if TYPE_CHECKING:
    from tenantai.client import ClientError
    from tenantai.wire.tenants import TenantRecord

DEFAULT_URL = "http://127.0.0.1:8420"
NO_TENANT = "no tenant"


@dataclass(frozen=True, slots=True)
class Start:
    """What the console is started with; `folder` is the user's own (exports, copies, themes), `memory` what is remembered."""

    url: str = DEFAULT_URL
    api_key: str | None = None
    tenant: str | None = None
    place: str | None = None
    theme: str | None = None
    read_only: bool = False
    data_dir: Path | None = None
    folder: Path = Path()
    memory: Memory = Memory(None)  # noqa: RUF009  an empty one holds nothing that could be shared


class Console(Acting, App[None]):
    """The application."""

    TITLE = "tenantai"
    CSS_PATH = Path(__file__).with_name("tenantai.tcss")
    COMMANDS: ClassVar[set[Any]] = {Palette}
    DEFAULT_MODE = SPOTS[0].name
    MODES: ClassVar[dict[str, Any]] = {spot.name: spot.maker() for spot in SPOTS}
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        *(spot.action for spot in SPOTS),
        Action("console.palette", "ctrl+p", "command_palette", "Palette", "Everything that can be done now, by name.", word="palette", in_footer=False, priority=True),
        Action("console.line", "colon", "command_line", "Command", "Type a command.", word="command", priority=True),
        Action("console.help", "question_mark", "help", "Help", "What every key does here."),
        Action("console.back", "escape", "step_back", "Back", "End what is open or filtered, then go back to the place before.", in_footer=False),
        Action("console.jump", "ctrl+o", "jump", "Jump", "Put letters on everything that can have the focus.", in_footer=False),
        Action("console.tenant", "t", "choose_tenant", "Tenant", "Work with another tenant.", word="tenant", argument="tenant", in_footer=False),
        Action("console.theme", "ctrl+t", "choose_theme", "Theme", "Choose other colours.", word="theme", argument="theme", in_footer=False),
        Action("console.connect", "ctrl+l", "connect", "Connect", "Use another server or another key.", in_footer=False),
        Action("console.quit", "ctrl+q", "quit", "Quit", "Leave the console.", in_footer=False, priority=True),
    )  # fmt: skip
    BINDINGS: ClassVar[list[Any]] = [*bindings(ACTIONS)]

    link_state: reactive[LinkState] = reactive(LinkState())
    tenant_id: reactive[str | None] = reactive(None)
    times_online: reactive[int] = reactive(0)

    def __init__(self, start: Start) -> None:
        super().__init__()
        self.start = start
        self.memory = start.memory
        self.folder = start.folder
        self.read_only = start.read_only
        self.server = LocalServer()
        self.garbage = Garbage()
        self.tenants: dict[str, TenantRecord] = {}
        self.been: list[str] = []
        self.link = Link(start.url, start.api_key, changed=self._link_changed)
        self.link_changed: Signal[LinkState] = Signal(self, "the line to the server changed")
        self._faults = Faults(self)
        self._asked_to_connect = False
        self._wanted_theme, self._theme_problems = take_up(
            self, user_folder=self.folder, asked=start.theme, last=self.memory.get("theme", OURS[0].name)
        )

    @property
    def link_url(self) -> str:
        """The server's address."""
        return self.link.url

    @property
    def tenant_name(self) -> str:
        """Whose things are shown, by name."""
        if self.tenant_id is None:
            return NO_TENANT
        known = self.tenants.get(self.tenant_id)
        return shown.line(known.name, most=40) if known else self.tenant_id

    def on_mount(self) -> None:
        """Take up the theme and the place of last time, and begin to look for the server."""
        self.theme = self._wanted_theme
        for problem in self._theme_problems:
            self.notify(shown.line(problem), severity="warning", markup=False)
        place = self.start.place or self.memory.get("place", self.DEFAULT_MODE)
        if place in BY_NAME and place != self.current_mode:
            self.call_after_refresh(self.go_to, place)
        self.call_after_refresh(self._reach)
        if not self.is_headless:  # a program that only passes through, such as a test, keeps its collector as it is
            self.call_after_refresh(self.garbage.begin)
            self.set_interval(ROUND_SECONDS, self.garbage.go_round)

    async def on_event(self, event: events.Event) -> None:
        """Take note of keys and the mouse, whoever they are for."""
        if isinstance(event, events.InputEvent | events.AppFocus):
            self.garbage.touch()
            self.link.touch()
        await super().on_event(event)

    def _reach(self) -> None:
        self._keep_link()

    @work(group="link", exclusive=True, exit_on_error=False)
    async def _keep_link(self) -> None:
        if self.link.api_key is None:
            self.link.api_key = await asyncio.to_thread(operator_key, self.start.data_dir)
        await self.link.keep()

    def _link_changed(self, state: LinkState) -> None:
        was, self.link_state = self.link_state, state
        self.link_changed.publish(state)
        if state.status == "online":
            self._asked_to_connect = False
            if was.status != "online":
                self._arrived(state)
            elif was.who != state.who:
                self._rights_changed(was, state)
        elif state.is_key_refused and was.status == "online":
            self.notify(refusals.KEY_ENDED_SENTENCE, title=refusals.KEY_ENDED_TITLE, severity="error", timeout=10, markup=False)
        elif state.who is None and not self._asked_to_connect:
            self._asked_to_connect = True
            self.action_connect()

    def _rights_changed(self, was: LinkState, state: LinkState) -> None:
        self.screen.refresh_bindings()
        if was.who and state.who and (said := refusals.rights_changed(was.who, state.who)):
            self.notify(said, title="The key's scopes changed", severity="warning", timeout=10, markup=False)

    @work(group="arrival", exclusive=True, exit_on_error=False)
    async def _arrived(self, state: LinkState) -> None:
        """Find out which tenants there are, and go on with the one of before."""
        from tenantai.client import ClientError  # noqa: PLC0415  the first frame does not wait for it

        client = await self.link.client()
        try:
            async for tenant in client.tenants.all():
                self.tenants[tenant.id] = tenant
                if len(self.tenants) >= 1000:  # noqa: PLR2004  names for the picker; the place of tenants has them all
                    break
        except ClientError as error:
            self.refused(error)
        if self.tenant_id is None:
            wanted = (self.start.tenant, self.memory.get("tenant"), state.who.tenant_id if state.who else None)
            self.tenant_id = next((one for one in wanted if one in self.tenants), next(iter(self.tenants), None))
        self.times_online += 1

    def refused(self, error: "ClientError") -> None:
        """Say what a request came to, and what to do about it."""
        if self.link.lost(error) or error.code == KEY_REFUSED_CODE:  # said once, as the line changes
            return
        said, about = shown.line(refusals.sentence(error)), refusals.heading(error)
        self.notify(said, title=about, severity="error", timeout=10, markup=False)

    async def run_action(self, action: Any, default_namespace: Any = None, namespaces: Any = None) -> bool:
        """Run an action, and say why not where it would change something and the console only reads."""
        is_done = await super().run_action(action, default_namespace, namespaces)
        if not is_done and self.read_only:
            node, name, _ = self._parse_action(action, default_namespace or self, namespaces)
            declared = declared_in(type(node)).get(name)
            if declared is not None and declared.changes:
                self.notify(f"{declared.title} is grey: this console only reads.", timeout=3, markup=False)
        return is_done

    def permits(self, action: Action) -> bool:
        """Tell whether an action may be done: not a change where the console only reads, nor what the key lacks the scope for."""
        if action.changes and self.read_only:
            return False
        who = self.link_state.who
        return not action.scope or who is None or who.is_operator or action.scope in who.scopes

    def applies(self, action: str) -> bool | None:
        """Leave the colon to whoever types a text."""
        return action != "command_line" or not is_typing(self.screen)

    def offered(self, screen: Screen[Any] | None = None) -> list[Offer]:
        """Return what can be done now on a screen."""
        active = possible(screen or self.screen)
        keys = {entry.binding.key: self.get_key_display(entry.binding) for entry in active}
        return offers_of(active, keys_of=keys)

    def offers(self, line: str, offered: list[Offer]) -> list[str]:
        """Return how a `:` line may go on, where so much is offered."""
        arguments = {
            "tenant": sorted(shown.line(tenant.name) for tenant in self.tenants.values()),
            "theme": sorted(self.available_themes),
        }
        return completions(line, offered, arguments=arguments)

    @work(exit_on_error=False)
    async def run_line(self, line: str, offered: list[Offer]) -> None:
        """Run a `:` line, where so much is offered."""
        word, _, rest = line.strip().partition(" ")
        offer = offer_for(word, offered)
        if offer is None:
            self.notify(shown.line(refusal(word, offered)), severity="warning", markup=False)
        elif offer.argument and rest.strip():
            await self._with_text(offer, rest.strip())
        else:
            await self.run_action(offer.action, offer.node)

    async def _with_text(self, offer: Offer, text: str) -> None:
        from textual._callback import invoke  # noqa: PLC0415  what Textual calls its own actions with

        await invoke(getattr(offer.node, f"action_{offer.action}"), text)

    def go_to(self, place: str) -> None:
        """Show a place."""
        if self.current_mode != place:
            self.been.append(self.current_mode)
            self.memory.set("place", place)
            self.switch_mode(place)

    def copy(self, text: str, *, what: str, in_file: bool = True) -> None:
        """Copy a text to the clipboard, or into a file where the terminal takes none; and say so."""
        try:
            told = clipboard.copied(text, what=what, send=self.copy_to_clipboard, folder=self.folder / "copies", in_file=in_file)
        except OSError as error:
            self.notify(f"The {what} could not be copied: {error.strerror}.", severity="error", markup=False)
        else:
            self.notify(told, timeout=3, markup=False)

    def export_rows(self, noun: str, rows: list[list[str]]) -> None:
        """Write rows into a CSV file of the user's own, and say where it is."""
        text = io.StringIO()
        csv.writer(text).writerows([[harmless(cell) for cell in row] for row in rows])
        self.export(clipboard.export_name(noun, "csv"), text.getvalue())

    def export(self, name: str, text: str) -> None:
        """Write a file of the user's own, and say where it is."""
        try:
            path = clipboard.written(self.folder / "exports", name, text)
        except OSError as error:
            self.notify(f"The file could not be written: {error.strerror}.", severity="error", markup=False)
        else:
            self.notify(f"Written: {path}", markup=False)

    def action_go(self, place: str) -> None:
        """Show a place."""
        self.go_to(place)

    def action_step_back(self) -> None:
        """End what is open, then go back to the place before."""
        from tenantai.tui.screens.place import Place  # noqa: PLC0415  places import the console's parts

        if isinstance(self.screen, Place) and self.screen.go_back():
            return
        if self.been:
            place = self.been.pop()
            self.memory.set("place", place)
            self.switch_mode(place)

    def action_command_line(self) -> None:
        """Open the `:` line."""
        from tenantai.tui.screens.place import Place  # noqa: PLC0415

        if isinstance(self.screen, Place):
            self.screen.open_command_line()

    def action_help(self) -> None:
        """Show what every key does here."""
        from tenantai.tui.screens.help import Help  # noqa: PLC0415

        self.push_screen(Help(self.offered()))

    def action_jump(self) -> None:
        """Put letters on everything that can have the focus."""
        from tenantai.tui.screens.jump import Jump  # noqa: PLC0415

        visible = [widget for widget in self.screen.focus_chain if widget.region.area]

        def chosen(widget: Widget | None) -> None:
            if widget is not None:
                self.screen.set_focus(widget)

        self.push_screen(Jump(visible), chosen)

    @work(group="question", exit_on_error=False)
    async def action_choose_tenant(self, text: str = "") -> None:
        """Work with another tenant, by its name or id."""
        from tenantai.tui.screens.questions import Choice, Choose  # noqa: PLC0415

        if text:
            wanted = [key for key, tenant in self.tenants.items() if text in {key, tenant.name}]
            if not wanted:
                self.notify(f"There is no tenant {shown.line(text)}.", severity="warning", markup=False)
            chosen: object = next(iter(wanted), None)
        else:
            choices = [Choice(tenant.id, tenant.name, f"{tenant.email}  {tenant.id}") for tenant in self.tenants.values()]
            chosen = await self.push_screen_wait(Choose("Which tenant?", choices, noun="tenants"))
        if isinstance(chosen, str):
            self.tenant_id = chosen
            self.memory.set("tenant", chosen)

    @work(group="question", exit_on_error=False)
    async def action_choose_theme(self, text: str = "") -> None:
        """Choose other colours."""
        from tenantai.tui.screens.questions import Choice, Choose  # noqa: PLC0415

        names = sorted(self.available_themes)
        chosen: object = text or await self.push_screen_wait(
            Choose("Which theme?", [Choice(name, name) for name in names], noun="themes")
        )
        if chosen is not None and chosen not in names:
            self.notify(f"There is no theme {shown.line(chosen)}.", severity="warning", markup=False)
        elif isinstance(chosen, str):
            self.theme = chosen
            self.memory.set("theme", chosen)

    @work(group="connect", exclusive=True, exit_on_error=False)
    async def action_connect(self) -> None:
        """Ask which server and key to use, or start a server here."""
        from tenantai.tui.screens.connecting import Connecting, Wanted  # noqa: PLC0415

        state = self.link_state
        reason = state.reason if state.status != "online" else f"Connected to {self.link.url}. Another server, or another key?"
        port = port_here(self.link.url) if state.status == "offline" else None
        wanted = await self.push_screen_wait(Connecting(reason, url=self.link.url, can_start=port is not None))
        if not isinstance(wanted, Wanted) or wanted.kind == "quit":
            await self.action_quit()
        elif wanted.kind == "start" and port is not None:
            await self._start_server(port)
        elif wanted.kind == "connect":
            self._use(wanted.url or self.link.url, wanted.api_key or self.link.api_key)

    async def _start_server(self, port: int) -> None:
        self.notify("Starting a server. The first start fetches a model of 23 MB.", markup=False)
        try:
            url = await self.server.start(port=port, data_dir=self.start.data_dir)
        except NotStarted as error:
            self.notify(shown.line(error), title="The server did not start", severity="error", timeout=20, markup=False)
        else:
            key = self.start.api_key or await asyncio.to_thread(operator_key, self.start.data_dir)
            self._use(url, key)

    def _use(self, url: str, api_key: str | None) -> None:
        """Begin anew with a server and a key."""
        self.tenants.clear()
        self.tenant_id = None
        self.link = Link(url, api_key, changed=self._link_changed)
        self.link_state = LinkState()
        self._reach()

    async def action_quit(self) -> None:
        """Leave; a server that was started here ends first."""
        await self.server.stop()
        self.exit()

    def report(self, error: Exception) -> None:
        """Show a fault of the console itself, and go on; one before it runs, or at its end, is Textual's."""
        if self.is_running:
            self._faults.report(error)
        else:
            super()._handle_exception(error)

    def forgive_faults(self) -> None:
        """Give what could not be drawn another chance."""
        self._faults.forgive()

    def _handle_exception(self, error: Exception) -> None:
        """Report what no node of ours handled: a worker's fault, or a widget's of Textual."""
        self.report(error)
