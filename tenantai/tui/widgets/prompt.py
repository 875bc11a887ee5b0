"""Where a question is written: Enter sends it, the arrows go through earlier ones, an editor of the person's own takes it over."""

import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import SuspendNotSupported
from textual.message import Message
from textual.widgets import TextArea

from tenantai.tui.actions import Acting, Action, bindings

HISTORY = "prompts"
NO_EDITOR = "There is no terminal for an editor here."
BUSY = "One answer after the other: wait for this one, or stop it with Esc."


class Prompt(Acting, TextArea):
    """The question that is being written."""

    DEFAULT_CSS: ClassVar[str] = """
    Prompt { height: auto; min-height: 3; max-height: 10; border: round $panel; padding: 0 1; background: $background; scrollbar-size-vertical: 1; }
    Prompt:focus { border: round $primary; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("prompt.send", "enter", "send", "Send", "Ask what is written.", changes=True, scope="chat:create"),
        Action("prompt.newline", "ctrl+j,shift+enter,alt+enter", "newline", "New line", "Begin a new line in the question.", in_footer=False),
        Action("prompt.editor", "ctrl+e", "edit_outside", "Editor", "Write the question in your editor ($VISUAL or $EDITOR)."),
        Action("prompt.earlier", "up", "earlier", "Up", "A line up; from the first line, the question that was asked before.", in_footer=False),
        Action("prompt.later", "down", "later", "Down", "A line down; from the last line, the question that was asked after.", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Sent(Message):
        """A question is asked."""

        text: str

    def __init__(self) -> None:
        super().__init__(id="prompt", tab_behavior="focus", compact=False, highlight_cursor_line=False)
        self.is_busy = False
        self._back = 0
        self._draft = ""

    def put(self, text: str) -> None:
        """Write a text in place of what is there, the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        """Send at Enter, after all that was typed before it: a key of priority would come before letters that still wait."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            await self.run_action("send")

    def action_send(self) -> None:
        """Ask."""
        text = self.text.strip()
        if self.is_busy:
            self.notify(BUSY, timeout=3, markup=False)
        elif text:
            self._back = 0
            self.text = ""
            self.operating.memory.add_to_history(HISTORY, text)
            self.post_message(self.Sent(text))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_earlier(self) -> None:
        """Go a line up, or to the question before."""
        if self.navigator.is_first_wrapped_line(self.cursor_location):
            self._go_back(1)
        else:
            self.action_cursor_up()

    def action_later(self) -> None:
        """Go a line down, or to the question after."""
        if self.navigator.is_last_wrapped_line(self.cursor_location):
            self._go_back(-1)
        else:
            self.action_cursor_down()

    def _go_back(self, by: int) -> None:
        history = self.operating.memory.history(HISTORY)
        at = max(0, min(self._back + by, len(history)))
        if at != self._back:
            self._draft = self.text if self._back == 0 else self._draft
            self._back = at
            self.put(history[-at] if at else self._draft)

    def action_edit_outside(self) -> None:
        """Let an editor of the person's own take the text over."""
        try:
            with self.app.suspend():
                text = edited(self.text)
        except SuspendNotSupported:
            self.notify(NO_EDITOR, severity="warning", markup=False)
        except OSError as error:
            self.notify(
                f"The editor did not start: {error.strerror}. Set $EDITOR to one that does.", severity="error", markup=False
            )
        else:
            self.put(text.rstrip("\n"))


def edited(text: str) -> str:
    """Return a text as the person's editor leaves it; raises OSError where it does not start."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="tenantai-") as folder:
        path = Path(folder) / "question.md"
        path.write_text(text, encoding="utf-8")
        subprocess.run([*command, str(path)], check=False)  # noqa: S603  the person's own editor
        return path.read_text(encoding="utf-8", errors="replace")
