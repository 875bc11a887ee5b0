"""What was said in a conversation: a question, or an answer with its calls, its sources and how it ended."""

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tenantai.client import CitedQuote
from tenantai.tui import shown
from tenantai.tui.widgets.cited_markdown import CitedMarkdown
from tenantai.tui.widgets.tool_call import ToolCall

BLINK_SECONDS = 0.05
WAITING = "It goes on once you say yes (ctrl+y) or no (ctrl+n)."


class Said(Vertical):
    """One message; `text` is what is copied of it."""

    DEFAULT_CSS: ClassVar[str] = """
    Said { height: auto; padding: 0 1; margin-bottom: 1; border-left: outer $background; }
    Said > Static { height: auto; }
    Said > .who { height: 1; color: $text-muted; }
    Said.current { border-left: outer $panel; }
    Talk:focus Said.current { border-left: outer $primary; }
    """

    text: str = ""
    citations: tuple[CitedQuote, ...] = ()

    class Clicked(Message):
        """The mouse chose a message."""

        def __init__(self, said: "Said") -> None:
            super().__init__()
            self.said = said

    def on_click(self, event: events.Click) -> None:
        """Choose it."""
        del event
        self.post_message(self.Clicked(self))


class Asked(Said):
    """A question."""

    DEFAULT_CSS: ClassVar[str] = "Asked > #words { padding: 0 1; color: $text-primary; text-style: bold; }"

    def __init__(self, text: str, *, at: str | None = None) -> None:
        super().__init__()
        self.text = text
        self._at = at

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        yield Static(f"You{_moment(self._at)}", classes="who", markup=False)
        yield Static(shown.lines(self.text), id="words", markup=False)


class Answer(Said):
    """An answer; it grows while it streams."""

    DEFAULT_CSS: ClassVar[str] = """
    Answer { margin-bottom: 0; }
    Answer.noted { margin-bottom: 1; }
    Answer > #note { display: none; padding: 0 1; color: $text-warning; }
    Answer.noted > #note { display: block; }
    Answer.answering > #note { color: $text-muted; }
    """

    def __init__(self, parts: Sequence[ToolCall | CitedMarkdown] = (), *, at: str | None = None, about: str = "") -> None:
        super().__init__()
        self.calls: list[ToolCall] = [part for part in parts if isinstance(part, ToolCall)]
        self.note = ""
        self._parts = list(parts)
        self._at, self._about = at, about
        self._growing: CitedMarkdown | None = None
        self._held: list[str] = []
        self._blink: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out who answers, what is there, and how it ended."""
        yield Static(self._who(), classes="who", markup=False)
        yield from self._parts
        yield Static("", id="note", markup=False)

    def on_mount(self) -> None:
        """Show the note that was given meanwhile."""
        self.say(self.note, is_answering=self.has_class("answering"))

    def _who(self) -> str:
        return f"Answer{_moment(self._at)}{f' · {self._about}' if self._about else ''}"

    def tell(self, about: str) -> None:
        """Say who answered, and for how many tokens."""
        self._about = about
        self.query_one(".who", Static).update(Content(self._who()))

    def say(self, note: str, *, is_answering: bool = False) -> None:
        """Say below the answer how it stands."""
        self.note = note
        self.set_class(is_answering, "answering")
        self.set_class(bool(note), "noted")
        if self.is_mounted:
            self.query_one("#note", Static).update(Content(note))

    async def write(self, piece: str) -> None:
        """Add some text; it is drawn at once, or with what else comes within a blink."""
        self.text += piece
        self._held.append(piece)
        if self._blink is None:
            await self._draw()

    async def _draw(self) -> None:
        self._blink = None
        if not self._held:
            return
        piece = "".join(self._held)
        self._held.clear()
        if self._growing is None:
            self._growing = CitedMarkdown(piece)
            await self.mount(self._growing, before="#note")
        else:
            self._growing.add(piece)
        self._blink = self.set_timer(BLINK_SECONDS, self._draw)

    async def call(self, call: ToolCall) -> None:
        """Add a call of a function; text that follows stands below it."""
        await self.flush()
        self.calls.append(call)
        if self.text and not self.text.endswith("\n"):
            self.text += "\n\n"
        await self.mount(call, before="#note")

    async def flush(self) -> None:
        """Draw whatever came."""
        await self._draw()
        if self._blink is not None:
            self._blink.stop()
        self._blink = self._growing = None


def about_of(model: str | None, *tokens: Any) -> str:
    """Return who answered, and for how many tokens."""
    count = sum(number for number in tokens if isinstance(number, int))
    spent = f" · {shown.number(count)} tokens" if count else ""
    return f"{shown.line(model, most=60)}{spent}" if model else ""


def _moment(at: str | None) -> str:
    return f" · {shown.when(at)}" if at else ""
