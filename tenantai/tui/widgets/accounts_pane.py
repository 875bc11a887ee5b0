"""The accounts of one tenant in a side pane: made, changed and deleted there."""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tenantai.tui import shown
from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.record_list import RecordList
from tenantai.wire.accounts import AccountRecord


class AccountsPane(Acting, Vertical):
    """The list; what is asked of it goes to the place as messages."""

    DEFAULT_CSS: ClassVar[str] = """
    AccountsPane { height: 1fr; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("accounts.new", "n", "new_account", "New account", "Make an account of this tenant.", changes=True, scope="account:write"),
        Action("accounts.edit", "e", "edit_account", "Edit", "Change the account's name, role, e-mail or external id.", changes=True, scope="account:write"),
        Action("accounts.delete", "d,delete", "delete_accounts", "Delete", "Delete the marked accounts with their chats, keys and files.", changes=True, scope="account:write"),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Asked(Message):
        """Something is to be done: `new`, `edit` or `delete`."""

        what: str
        accounts: list[AccountRecord]

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        columns = [
            Column[AccountRecord]("account", lambda account: account.name, grows=True),
            Column[AccountRecord]("role", lambda account: account.role, tone=_tone),
            Column[AccountRecord]("e-mail", lambda account: account.email or "–"),
            Column[AccountRecord](
                "created", lambda account: shown.when(account.created_at), sort=lambda account: account.created_at
            ),
        ]
        yield RecordList(columns, key=lambda account: account.id, noun="accounts", id="accounts")

    @property
    def records(self) -> RecordList[AccountRecord]:
        """The list."""
        return self.query_one(RecordList)

    def applies(self, action: str) -> bool | None:
        """Grey what needs an account."""
        return True if action == "new_account" or self.records.targets else None

    def action_new_account(self) -> None:
        """Ask for a new account."""
        self.post_message(self.Asked("new", []))

    def action_edit_account(self) -> None:
        """Ask to change the account under the cursor."""
        if (account := self.records.current) is not None:
            self.post_message(self.Asked("edit", [account]))

    def action_delete_accounts(self) -> None:
        """Ask to delete the marked accounts, or the one under the cursor."""
        if accounts := self.records.targets:
            self.post_message(self.Asked("delete", accounts))


def _tone(account: AccountRecord) -> Tone:
    return "accent" if account.role == "admin" else "dim" if account.role == "viewer" else ""
