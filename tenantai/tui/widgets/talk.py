"""A conversation, top to bottom, with a cursor on one of its messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.widgets.said import Answer, Asked, Said


class Talk(Acting, VerticalScroll, can_focus=True):
    """The messages; it stays at the end while an answer grows, unless the person scrolls away."""

    ALLOW_MAXIMIZE = True
    DEFAULT_CSS: ClassVar[str] = """
    Talk { height: 1fr; scrollbar-size-vertical: 1; }
    Talk > #hint { height: auto; padding: 1 2; color: $text-muted; display: none; }
    Talk > #hint.shown { display: block; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("talk.next", "j", "step(1)", "Next", "To the next message.", in_footer=False),
        Action("talk.previous", "k", "step(-1)", "Previous", "To the message before.", in_footer=False),
        Action("talk.first", "g,home", "edge(0)", "First", "To the first message.", in_footer=False),
        Action("talk.last", "G,end", "edge(1)", "Last", "To the last message.", in_footer=False),
        Action("talk.copy", "y", "copy_message", "Copy", "Copy the message under the cursor."),
        Action("talk.copy-all", "Y", "copy_all", "Copy all", "Copy the conversation as it is shown.", in_footer=False),
        Action("talk.details", "e", "details", "Details", "Show all that the functions of this answer got and returned, or less."),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Highlighted(Message):
        """The cursor is on another message, or on none."""

        said: Said | None

    def __init__(self) -> None:
        super().__init__(id="talk")
        self.current: Said | None = None

    def compose(self) -> ComposeResult:
        """Lay out the sentence that stands where there is no message, or before the first."""
        yield Static("", id="hint", markup=False)

    @property
    def messages(self) -> list[Said]:
        """What was said, in order."""
        return list(self.query_children(Said))

    def hint(self, text: str) -> None:
        """Say something before the first message; nothing where empty."""
        found = self.query_one("#hint", Static)
        found.update(text)
        found.set_class(bool(text), "shown")

    async def show(self, messages: Sequence[Said]) -> None:
        """Show these messages in place of those before, the last one in view."""
        with self.app.batch_update():
            await self.query_children(Said).remove()
            await self.mount_all(messages)
        self.put_cursor(next((said for said in reversed(messages) if isinstance(said, Answer)), None), into_view=False)
        self.anchor()

    async def add(self, said: Said) -> None:
        """Add a message at the end, and stay there."""
        await self.mount(said)
        if isinstance(said, Answer):
            self.put_cursor(said, into_view=False)
        self.anchor()

    async def put_first(self, messages: Sequence[Said]) -> None:
        """Add earlier messages before the others."""
        self.anchor(anchor=False)
        await self.mount_all(messages, after="#hint")
        self.put_cursor(messages[-1] if messages else self.current)

    def put_cursor(self, said: Said | None, *, into_view: bool = True) -> None:
        """Put the cursor on a message."""
        for other in self.messages:
            other.set_class(other is said, "current")
        self.current = said
        if said is not None and into_view:
            self.release_anchor()
            self.scroll_to_widget(said, animate=False, top=True)
        self.post_message(self.Highlighted(said).set_sender(self))  # else one that its parent caused would end there

    @on(Said.Clicked)
    def _clicked(self, event: Said.Clicked) -> None:
        event.stop()
        if event.said is not self.current:
            self.put_cursor(event.said, into_view=False)

    def applies(self, action: str) -> bool | None:
        """Grey what is about a message where there is none."""
        if action == "details":
            return True if isinstance(self.current, Answer) and self.current.calls else None
        return True if self.current is not None or not action.startswith("copy") else None

    def action_step(self, by: int) -> None:
        """Move the cursor by messages."""
        messages = self.messages
        if messages:
            at = messages.index(self.current) + by if self.current in messages else len(messages) - 1
            self.put_cursor(messages[max(0, min(at, len(messages) - 1))])

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first or the last message."""
        messages = self.messages
        if messages:
            self.put_cursor(messages[-1 if end else 0])
        if end:
            self.anchor()

    def action_copy_message(self) -> None:
        """Copy the message under the cursor."""
        if self.current is not None:
            self.operating.copy(self.current.text, what="question" if isinstance(self.current, Asked) else "answer")

    def action_copy_all(self) -> None:
        """Copy the conversation."""
        parts = [f"**{'You' if isinstance(said, Asked) else 'Answer'}**\n\n{said.text}" for said in self.messages]
        self.operating.copy("\n\n".join(parts), what="conversation")

    def action_details(self) -> None:
        """Show all of the calls, or less."""
        if isinstance(self.current, Answer):
            for call in self.current.calls:
                call.toggle()
