"""A call of a function in an answer: its name, its exact arguments, what it returned or why it failed; and the question for a yes."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Static

from tenantai.tui import shown

CallState = Literal["begun", "called", "asked", "approved", "refused", "passed", "answered", "failed", "interrupted"]
LINES_MAX = 3
SAYS: dict[CallState, tuple[str, str]] = {
    "begun": ("is being called…", "$text-muted"),
    "called": ("is being called…", "$text-muted"),
    "asked": ("needs your yes", "$text-warning"),
    "approved": ("you said yes", "$text-success"),
    "refused": ("you said no", "$text-error"),
    "passed": ("was not answered", "$text-muted"),
    "answered": ("✓", "$text-success"),
    "failed": ("✗", "$text-error"),
    "interrupted": ("was interrupted", "$text-warning"),
}


class ToolCall(Vertical):
    """One call; with `approval_id` and the state `asked` it has buttons for yes and no."""

    DEFAULT_CSS: ClassVar[str] = """
    ToolCall { height: auto; margin: 0 1 1 1; padding: 0 1; border-left: thick $panel; }
    ToolCall.asked { border-left: thick $warning; }
    ToolCall Static { height: auto; }
    ToolCall Horizontal { height: auto; display: none; }
    ToolCall.asked Horizontal { display: block; }
    ToolCall Button { margin: 0 2 0 0; }
    """

    @dataclass
    class Decided(Message):
        """A person pressed yes or no."""

        call: "ToolCall"
        approved: bool

    def __init__(self, call_id: str, name: str, *, state: CallState = "begun", arguments: Any = None, result: str = "") -> None:
        super().__init__()
        self.call_id, self.tool_name = call_id, name
        self.state: CallState = state
        self.arguments = arguments
        self.result = result
        self.approval_id: str | None = None
        self.is_open = False

    def compose(self) -> ComposeResult:
        """Lay out the call and the buttons."""
        yield Static(self._said(), markup=False)
        with Horizontal():
            yield Button("Yes (ctrl+y)", id="yes", variant="success", compact=True)
            yield Button("No… (ctrl+n)", id="no", variant="error", compact=True)

    def on_mount(self) -> None:
        """Show it as it stands."""
        self._say()

    def become(self, state: CallState, *, arguments: Any = None, result: str = "") -> None:
        """Stand otherwise than before."""
        self.state = state
        self.arguments = self.arguments if arguments is None else arguments
        self.result = result or self.result
        if self.is_mounted:
            self._say()

    def ask(self, approval_id: str) -> None:
        """Ask for a yes."""
        self.approval_id = approval_id
        self.become("asked")

    def toggle(self) -> None:
        """Show all of what it returned, or the first lines."""
        self.is_open = not self.is_open
        self._say()

    def _say(self) -> None:
        self.set_class(self.state == "asked" and self.approval_id is not None, "asked")
        self.query_one(Static).update(self._said())

    def _said(self) -> Content:
        says, tone = SAYS[self.state]
        head = Content.assemble((f"⚙ {shown.line(self.tool_name, most=64)} ", "bold"), (says, tone))
        given = "" if self.arguments in (None, {}) else f"\n{self._cut(_text_of(self.arguments))}"
        result = f"\n→ {self._cut(self.result)}" if self.result else ""
        return Content.assemble(head, (given, "$text-muted"), result)

    def _cut(self, text: str) -> str:
        lines = shown.lines(text).split("\n")
        if self.is_open or len(lines) <= LINES_MAX:
            return "\n".join(lines)
        return "\n".join([*lines[:LINES_MAX], f"… {len(lines) - LINES_MAX} more lines; e shows them"])

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Decided(self, event.button.id == "yes"))


def _text_of(value: Any) -> str:
    """Return a value as a person reads it: a text as it is, short JSON in a line, long JSON over several."""
    if isinstance(value, str):
        return value
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 80 else json.dumps(value, ensure_ascii=False, indent=1)  # noqa: PLR2004  a line of a small terminal


def text_of_output(value: Any) -> str:
    """Return what a function returned as text."""
    return "" if value is None else _text_of(value)
