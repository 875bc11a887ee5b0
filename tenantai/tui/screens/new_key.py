"""The question for a new key: its name, its scopes, the account that it is bound to, its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Select, SelectionList, Static

from tenantai.tui import shown
from tenantai.tui.screens.questions import Question
from tenantai.wire.accounts import AccountRecord

KEYS_OWN = "key:"
OPERATOR = "system:admin"


@dataclass(frozen=True, slots=True)
class Wish:
    """A key as it is wanted; without scopes it gets the maker's own but those for keys."""

    name: str
    scopes: list[str]
    account_id: str | None
    expires_at: str | None


class Scopes(SelectionList[str]):
    """The scopes: space ticks one; Enter is for the whole form."""

    class Finished(Message):
        """The form is to be sent."""

    def on_key(self, event: events.Key) -> None:
        """Keep Enter from ticking."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Finished())


class NewKey(Question):
    """The form; dismisses with a `Wish`, or None."""

    DEFAULT_CSS: ClassVar[str] = """
    NewKey > Vertical { width: 80; padding: 0 2; }
    NewKey .title { margin-bottom: 0; }
    NewKey Scopes { height: 9; max-height: 30vh; margin: 0 0 1 0; }
    NewKey Input, NewKey Select { margin-bottom: 1; }
    """

    def __init__(self, scopes: Sequence[str], accounts: Sequence[AccountRecord]) -> None:
        super().__init__()
        self._scopes = [scope for scope in scopes if scope != OPERATOR]
        self._accounts = accounts

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        accounts = [(f"{shown.line(account.name, most=50)} ({account.role})", account.id) for account in self._accounts]
        with Vertical():
            yield Static("A new key", classes="title", markup=False)
            yield Input(placeholder="its name, such as Web shop", id="name", compact=True)
            yield Scopes(*((scope, scope, not scope.startswith(KEYS_OWN)) for scope in self._scopes), id="scopes")
            yield Select(accounts, prompt="bound to no account", id="account", compact=True)
            yield Input(placeholder="ends: never, or 2027-01-31, or 2027-01-31T12:00:00Z", id="expires", compact=True)
            with Horizontal():
                yield Button("Cancel", id="cancel")
                yield Button("Make it", id="make", variant="primary")

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)

    @on(Scopes.Finished)
    @on(Input.Submitted)
    @on(Button.Pressed, "#make")
    def _make(self) -> None:
        name, scopes = self.query_one("#name", Input).value.strip(), list(self.query_one("#scopes", Scopes).selected)
        if not name or not scopes:
            self.notify("A key needs a name and at least one scope.", severity="warning", markup=False)
            return
        account = self.query_one("#account", Select).value
        expires = self.query_one("#expires", Input).value.strip()
        self.dismiss(Wish(name, scopes, account if isinstance(account, str) else None, expires or None))
