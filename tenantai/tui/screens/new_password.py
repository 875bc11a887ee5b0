"""The question for the Asset Manager's password: what it opens, and every rule that the last one broke."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from tenantai.tui import shown
from tenantai.tui.screens.questions import Question

RULES = "8 to 128 characters, with an uppercase and a lowercase letter, a number and one of !@#$%^&*. Every open session ends."
DIFFERENT = "The two are not the same."


class NewPassword(Question):
    """The form; dismisses with the password, or None."""

    DEFAULT_CSS: ClassVar[str] = """
    NewPassword Input { margin-bottom: 1; }
    """

    def __init__(self, problems: list[str], *, bounds: str = "") -> None:
        super().__init__()
        self.problems = problems
        self.bounds = bounds

    def compose(self) -> ComposeResult:
        """Lay out the rules, what was wrong, and the lines for the password."""
        with Vertical():
            yield Static("The Asset Manager's password", classes="title", markup=False)
            yield Static(RULES, classes="muted", markup=False)
            if self.bounds:
                yield Static(self.bounds, classes="warning", markup=False, id="bounds")
            yield Static("\n".join(map(shown.line, self.problems)), classes="warning", markup=False, id="problems")
            yield Input(placeholder="the new password", password=True, id="new", compact=True)
            yield Input(placeholder="once more", password=True, id="again", compact=True)
            with Horizontal():
                yield Button("Cancel", id="cancel")
                yield Button("Set it", id="set", variant="primary")

    @on(Input.Submitted, "#new")
    def _go_on(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#again", Input).focus()

    @on(Input.Submitted, "#again")
    @on(Button.Pressed, "#set")
    def _entered(self) -> None:
        password = self.query_one("#new", Input).value
        if password == self.query_one("#again", Input).value:
            self.dismiss(password)
        else:
            self.query_one("#problems", Static).update(DIFFERENT)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)
