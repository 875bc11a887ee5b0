"""What every place is: two lines at the top, its own middle, the `:` line and the footer; and how it asks the server.

What must stay true: a worker only asks and posts a message; only handlers of messages touch widgets; what was loaded stays
where a request fails.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from tenantai.tui import refusals, shown
from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.commands import Offer
from tenantai.tui.link import BROKEN
from tenantai.tui.walk import PAGE
from tenantai.tui.widgets.command_line import HISTORY, CommandLine
from tenantai.tui.widgets.key_footer import KeyFooter
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from tenantai.client import Client, ClientError

SIDE_WIDTH_MIN, SIDE_WIDTH_STEP = 16, 4
OLD_SECONDS = 5.0
WIDE_COLUMNS = 110  # below that a side pane inside `.columns` goes under the rows


class Place(Acting, Screen[None]):
    """A place of the console; `load` asks for what it shows, and is called anew for another tenant and a server that came back."""

    SPOT: ClassVar[str]
    AUTO_FOCUS = ""  # `focus_main` knows better
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE_COLUMNS, "-wide")]  # noqa: RUF012  Textual declares it as an instance's
    DEFAULT_CSS: ClassVar[str] = """
    Place > #middle { height: 1fr; }
    Place .side { width: 34; border-left: solid $panel; padding: 0 1; }
    Place .side:focus-within { border-left: solid $primary; }
    Place .columns { layout: horizontal; height: 1fr; }
    Place.-narrow .columns { layout: vertical; }
    Place.-narrow .columns > .side { width: 100%; height: 40%; border-left: none; border-top: solid $panel; }
    Place.-narrow .columns > .side:focus-within { border-top: solid $primary; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("place.reload", "ctrl+r", "reload", "Reload", "Ask the server again, also where it is gone.", in_footer=False),
        Action("place.zoom", "z", "zoom", "Zoom", "Let the pane with the focus fill the screen, or no longer.", in_footer=False),
        Action("place.wider", "greater_than_sign", "resize_side(1)", "Wider", "Make the side pane wider.", word="wider", in_footer=False),
        Action("place.narrower", "less_than_sign", "resize_side(-1)", "Narrower", "Make the side pane narrower.", word="narrower", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Refused(Message):
        """A request came to nothing; `followed` names the group where it was a stream, which has ended."""

        error: "ClientError"
        followed: str = ""

    @dataclass
    class Wanted(Message):
        """Another place names a record to be shown here."""

        record_id: str

    def __init__(self) -> None:
        super().__init__()
        self._loaded_for: tuple[str | None, int] | None = None
        self._loaded_at = 0.0
        self._was_left = False
        self._bindings_shown: list[tuple[str, str, bool, DOMNode]] = []
        self._focused_before: Widget | None = None
        self._offered: list[Offer] = []

    def compose(self) -> ComposeResult:
        """Lay out what every place has around what is its own."""
        yield TopBar(self.SPOT)
        with Container(id="middle"):
            yield from self.compose_middle()
        yield CommandLine(self._offers, self._typed_before)
        yield KeyFooter()

    def compose_middle(self) -> ComposeResult:
        """Lay out what is this place's own."""
        yield from ()

    def load(self) -> None:
        """Ask for what is shown."""

    def show_elsewhere(self, place: str, record_id: str) -> None:
        """Go to a place and put the cursor there on a record of the tenant whose things are shown."""
        self.operating.go_to(place)
        for screen in self.operating.screen_stack:
            if isinstance(screen, Place):
                screen.post_message(self.Wanted(record_id))

    @on(Wanted)
    def _wanted(self, event: Wanted) -> None:
        self.reveal(event.record_id)

    def reveal(self, record_id: str) -> None:
        """Put the cursor on a record that another place named, as soon as it is loaded."""
        found = self.query(RecordList)
        if found and not found.first().seek(record_id):
            self.load()

    @on(RecordList.Sought)
    def _sought(self, event: RecordList.Sought) -> None:
        if not event.was_found:
            self.notify(f"It is not among these {event.records.noun}: it may be gone.", severity="warning", markup=False)

    @property
    def tenant_id(self) -> str | None:
        """The tenant whose things are shown."""
        return self.operating.tenant_id

    def on_mount(self) -> None:
        """Follow the tenant and the line to the server; give the side panes their remembered widths."""
        self.watch(self.app, "tenant_id", self.load_if_due, init=False)
        self.watch(self.app, "times_online", self.load_if_due, init=False)
        self.call_after_refresh(self.focus_main)
        for side in self.query(".side"):
            self._set_side_width(side, self.operating.memory.number(self._side_name(side), 0))

    def refresh_bindings(self) -> None:
        """Let the footer be made anew, where it would be another: a cursor that moves from row to row leaves it as it is."""
        if not self.is_current:
            super().refresh_bindings()
            return
        now = [(key, active.binding.action, active.enabled, active.node) for key, active in self.active_bindings.items()]
        if now != self._bindings_shown:
            self._bindings_shown = now
            super().refresh_bindings()

    def on_screen_suspend(self) -> None:
        """Take note whether another place is gone to, not only a question asked over this one."""
        self._was_left = self.operating.current_mode != self.SPOT

    def on_screen_resume(self) -> None:
        """Ask for what is shown, where that is due."""
        self.load_if_due()
        self._was_left = False

    def load_if_due(self) -> None:
        """Load where the tenant is another one than last time, the server was gone since, or one comes back to what is old; only while shown."""
        due, now = (self.operating.tenant_id, self.operating.times_online), time.monotonic()
        if not self.operating.times_online or not self.is_current:
            return
        if self._loaded_for != due:
            self._loaded_for, self._loaded_at = due, now
            self.load()
        elif self._was_left and now - self._loaded_at > OLD_SECONDS and self.operating.link_state.status == "online":
            self._loaded_at = now
            self.renew()

    def renew(self) -> None:
        """Load what has become old, but for rows behind the first page: where one was among them, one stays there."""
        if all(len(records.records) <= PAGE for records in self.query(RecordList)):
            self.load()

    def ask(self, work: "Callable[[Client], Awaitable[Message | None]]", *, group: str = "load") -> None:
        """Ask the server beside everything else; what `work` returns is posted here. A new question of a group ends the one before."""
        self._beside(partial(self._asked, work), group=group, is_exclusive=True)

    def change(self, work: "Callable[[Client], Awaitable[Message | None]]") -> None:
        """Change something on the server; nothing that comes later ends it. What `work` returns is posted here."""
        self._beside(partial(self._asked, work), group="change", is_exclusive=False)

    def follow(self, stream: "Callable[[Client], AsyncIterator[Message]]", *, group: str) -> None:
        """Post what a stream yields, and begin it again whenever the server comes back, until it ends by itself."""
        self._beside(partial(self._followed, stream, group), group=group, is_exclusive=True)

    def stop(self, group: str) -> None:
        """End what is asked or followed in a group."""
        self.workers.cancel_group(self, group)

    def _beside(self, work: Any, *, group: str, is_exclusive: bool) -> None:
        """Run a coroutine function in a worker; one that is ended before it began leaves no coroutine behind."""
        self.run_worker(work, group=group, exclusive=is_exclusive, exit_on_error=False)

    async def _asked(self, work: "Callable[[Client], Awaitable[Message | None]]") -> None:
        from tenantai.client import ClientError  # noqa: PLC0415  the first frame does not wait for it

        try:
            message = await work(await self.operating.link.client())
        except ClientError as error:
            message = self.Refused(error)
        if message is not None:
            self.post_message(message)

    async def _followed(self, stream: "Callable[[Client], AsyncIterator[Message]]", group: str) -> None:
        from tenantai.client import ClientError  # noqa: PLC0415  the first frame does not wait for it

        link = self.operating.link
        while True:
            try:
                async for message in stream(await link.client()):
                    self.post_message(message)
            except ClientError as error:
                if not link.lost(error):
                    self.post_message(self.Refused(error, group))
                    return
                await link.online()
            else:
                return

    @on(Refused)
    def _refused(self, event: Refused) -> None:
        self.operating.refused(event.error)
        why = "" if event.error.code in BROKEN else refusals.sentence(event.error)
        for records in self.query(RecordList):
            records.give_up(shown.line(why))

    @on(CommandLine.Entered)
    def _entered(self, event: CommandLine.Entered) -> None:
        self.operating.memory.add_to_history(HISTORY, event.line)
        self.operating.run_line(event.line, self._offered)

    @on(CommandLine.Closed)
    def _line_left(self) -> None:
        if self._focused_before is not None and self._focused_before.is_attached:
            self.set_focus(self._focused_before)
        else:
            self.focus_main()

    def focus_main(self) -> None:
        """Give the focus to what matters most here."""
        for kind in (RecordList,):
            found = self.query(kind)
            if found:
                found.first().table.focus()
                return
        if (first := next(iter(self.focus_chain), None)) is not None:
            first.focus()

    def open_command_line(self, text: str = "") -> None:
        """Open the `:` line, for what is offered where the focus is."""
        self._focused_before, self._offered = self.focused, self.operating.offered()
        self.query_one(CommandLine).open(text)

    def _offers(self, line: str) -> list[str]:
        return self.operating.offers(line, self._offered)

    def _typed_before(self) -> list[str]:
        return self.operating.memory.history(HISTORY)

    def action_reload(self) -> None:
        """Ask the server again, and draw again what could not be drawn."""
        self.operating.forgive_faults()
        self.operating.link.try_now()
        if self.operating.link_state.status == "online":
            self._loaded_at = time.monotonic()
            self.load()

    def action_zoom(self) -> None:
        """Let the pane with the focus fill the screen, or no longer."""
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)

    def action_resize_side(self, by: int) -> None:
        """Make the side pane wider or narrower, and remember it."""
        for side in self.query(".side"):
            width = max(SIDE_WIDTH_MIN, side.size.width + 3 + by * SIDE_WIDTH_STEP)
            self._set_side_width(side, width)
            self.operating.memory.set(self._side_name(side), width)

    def _side_name(self, side: Widget) -> str:
        return f"width.{self.SPOT}.{side.id}"

    def _set_side_width(self, side: Widget, width: int) -> None:
        if width >= SIDE_WIDTH_MIN:
            side.styles.width = width

    def go_back(self) -> bool:
        """End the nearest thing that Escape ends here; returns whether there was one."""
        if self.maximized is not None:
            self.minimize()
            return True
        nodes = [self.focused, *self.focused.ancestors] if self.focused is not None else []
        lists = [node for node in nodes if isinstance(node, RecordList)] or list(self.query(RecordList))
        return any(records.clear() for records in lists)
