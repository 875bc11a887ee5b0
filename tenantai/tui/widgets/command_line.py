"""The `:` line: a word and what belongs to it, with completion and the lines typed before."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

HISTORY = "commands"


class Completion(Suggester):
    """Offers how a line may go on."""

    def __init__(self, offers: Callable[[str], Iterable[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._offers = offers

    async def get_suggestion(self, value: str) -> str | None:
        """Return a whole line that begins with what is typed."""
        return next((offer for offer in self._offers(value) if offer.startswith(value) and offer != value), None)


class CommandLine(Input):
    """The line at the bottom; Enter runs it, Escape closes it, Tab takes the completion, the arrows go through earlier lines."""

    DEFAULT_CSS: ClassVar[str] = """
    CommandLine { height: 1; border: none; padding: 0 1; display: none; background: $panel; }
    CommandLine.open { display: block; }
    """

    @dataclass
    class Entered(Message):
        """A line is to be run."""

        line: str

    @dataclass
    class Closed(Message):
        """The line was left."""

    def __init__(self, offers: Callable[[str], Iterable[str]], history: Callable[[], list[str]]) -> None:
        super().__init__(
            placeholder="a command; Tab completes, ↑ goes back, Esc closes",
            suggester=Completion(offers),
            id="command-line",
            compact=True,
        )
        self.can_focus = False
        self._offers = offers
        self._history = history
        self._back = 0

    def open(self, text: str = "") -> None:
        """Open the line for typing: at once, so that what is typed next is no command of the place."""
        self.can_focus = True
        self.add_class("open")
        self._back = 0
        self.value = text
        self.cursor_position = len(text)
        self.screen.set_focus(self)

    def close(self) -> None:
        """Close the line."""
        self.remove_class("open")
        self.can_focus = False
        self.value = ""
        self.post_message(self.Closed())

    def on_key(self, event: events.Key) -> None:
        """Complete, go through earlier lines, or close."""
        if event.key == "tab":
            offer = next((offer for offer in self._offers(self.value) if offer.startswith(self.value)), None)
            if offer is not None:
                self.value = offer
                self.cursor_position = len(offer)
        elif event.key in {"up", "down"}:
            self._go_back(1 if event.key == "up" else -1)
        elif event.key == "escape":
            self.close()
        else:
            return
        event.stop()
        event.prevent_default()

    def _go_back(self, by: int) -> None:
        history = self._history()
        self._back = max(0, min(self._back + by, len(history)))
        self.value = history[-self._back] if self._back else ""
        self.cursor_position = len(self.value)

    async def action_submit(self) -> None:
        """Run the line."""
        line = self.value.strip()
        self.close()
        if line:
            self.post_message(self.Entered(line))
