"""Questions to the person: yes or no, a text, one of many; each is asked with `await` in a worker, or with a callback."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.window import Window
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.name_list import NameList
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable


class Question(Window[object]):
    """The shape that all questions share."""

    DEFAULT_CSS: ClassVar[str] = """
    Question { align: center middle; }
    Question > Vertical { width: 72; max-width: 96%; height: auto; max-height: 100%; overflow-y: auto; padding: 1 2; background: $surface; border: round $primary; }
    Question .title { text-style: bold; height: auto; margin-bottom: 1; }
    Question .names { height: auto; max-height: 35vh; margin-bottom: 1; }
    Question .names Static { height: auto; }
    Question Horizontal { height: auto; align-horizontal: right; }
    Question Button { margin-left: 2; }
    Question RecordList { height: 16; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("question.leave", "escape", "leave", "Cancel", "Leave without doing anything."),
    )
    BINDINGS = bindings(ACTIONS)

    def action_leave(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class Confirm(Question):
    """Yes or no, with the names of all that is concerned; dismisses with True or None. No is where the focus is."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("confirm.yes", "ctrl+y", "yes", "Yes", "Do it."),)
    BINDINGS = bindings(ACTIONS)

    def __init__(self, title: str, *, names: Sequence[str] = (), hidden: int = 0, yes: str = "Yes", warning: str = "") -> None:
        super().__init__()
        self._title, self._names, self.hidden, self._yes, self._warning = title, names, hidden, yes, warning

    def compose(self) -> ComposeResult:
        """Lay out the question, the names and the answers."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            if self._names:
                hidden = f"{self.hidden} of them are hidden by the filter." if self.hidden else ""
                yield NameList(self._names, before=hidden)
            if self._warning:
                yield Static(self._warning, classes="warning", markup=False)
            with Horizontal():
                yield Button("No", id="no")
                yield Button(f"{self._yes} (ctrl+y)", id="yes", variant="error")

    def action_yes(self) -> None:
        """Answer yes."""
        self.dismiss(True)

    @on(Button.Pressed, "#yes")
    def _yes_pressed(self) -> None:
        self.dismiss(True)

    @on(Button.Pressed, "#no")
    def _no_pressed(self) -> None:
        self.dismiss(None)


class AskText(Question):
    """A text; dismisses with it, or None."""

    def __init__(self, title: str, *, value: str = "", placeholder: str = "", is_secret: bool = False) -> None:
        super().__init__()
        self._title, self._value, self._placeholder, self._is_secret = title, value, placeholder, is_secret

    def compose(self) -> ComposeResult:
        """Lay out the question and the line for the answer."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Input(self._value, placeholder=self._placeholder, password=self._is_secret)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several: what is answered, what is shown, and more about it."""

    value: str
    title: str
    about: str = ""


class Choose(Question):
    """One of many, with a filter; dismisses with its value, or None."""

    def __init__(self, title: str, choices: Sequence[Choice], *, noun: str = "choices") -> None:
        super().__init__()
        self._title, self._choices, self._noun = title, choices, noun

    def compose(self) -> ComposeResult:
        """Lay out the question and the choices."""
        columns = [
            Column[Choice]("name", lambda choice: choice.title),
            Column[Choice]("", lambda choice: choice.about, grows=True),
        ]
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield RecordList(columns, key=lambda choice: choice.value, noun=self._noun, markable=False)

    def on_mount(self) -> None:
        """Show the choices."""
        found = self.query_one(RecordList)
        found.show(self._choices)
        found.table.focus()

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        event.stop()
        self.dismiss(event.record.value)

    def action_leave(self) -> None:
        """End the filter, then leave."""
        if not self.query_one(RecordList).clear():
            self.dismiss(None)


class Secret(Question):
    """A secret that is shown this once, with copying it; dismisses with None."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (Action("secret.copy", "c", "copy", "Copy", "Copy the secret to the clipboard."),)
    BINDINGS = bindings(ACTIONS)

    def __init__(self, title: str, secret: str, *, warning: str) -> None:
        super().__init__()
        self._title, self.secret, self._warning = title, secret, warning

    def compose(self) -> ComposeResult:
        """Lay out the secret and what to do with it."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield Static(self.secret, id="secret", markup=False)
            yield Static(self._warning, classes="warning", markup=False)
            with Horizontal():
                yield Button("Copy (c)", id="copy", variant="primary")
                yield Button("I have kept it", id="done")

    def action_copy(self) -> None:
        """Copy the secret."""
        self.operating.copy(self.secret, what="secret", in_file=False)

    @on(Button.Pressed, "#copy")
    def _copy_pressed(self) -> None:
        self.action_copy()

    @on(Button.Pressed, "#done")
    def _done(self) -> None:
        self.dismiss(None)
