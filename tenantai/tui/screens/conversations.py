"""The half of the chat that is about conversations: which there are, which is open, for whom and from which files it is asked.

What must stay true: only conversations of the tenant and the account that are named are listed; a deletion names all that goes.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.message import Message

from tenantai.client import Client
from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.choose_files import ChooseFiles
from tenantai.tui.screens.place import Place
from tenantai.tui.screens.questions import Choice, Choose, Confirm
from tenantai.tui.walk import Walk
from tenantai.tui.widgets.history import History
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.wire.accounts import AccountRecord
from tenantai.wire.answers import Conversation
from tenantai.wire.chat import ConversationRecord, MessageRecord
from tenantai.wire.files import FileRecord

WHOLE_TENANT = "-"


class Conversations(Place):
    """A place with the list of conversations; the chat itself is made of it."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("chat.account", "a", "choose_account", "Account", "Ask for an account, or for the whole tenant.", word="account"),
        Action("chat.files", "F", "choose_files", "Files", "Answer from some files only.", word="files", in_footer=False),
        Action("chat.delete", "d,delete", "delete_conversations", "Delete", "Delete the marked conversations, or the open one, for good.", word="delete", changes=True, scope="chat:delete"),
        Action("chat.history", "H", "toggle_history", "History", "Show or hide the list of conversations.", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Listed(Message):
        """A page of conversations came."""

        conversations: list[ConversationRecord]
        has_more: bool
        is_first: bool

    @dataclass
    class Opened(Message):
        """A conversation came, with all its messages."""

        kept: Conversation
        messages: list[MessageRecord]

    @dataclass
    class AccountsListed(Message):
        """The accounts came, to choose one."""

        accounts: list[AccountRecord]

    @dataclass
    class FilesListed(Message):
        """The files came, to choose some."""

        files: list[FileRecord]

    @dataclass
    class Deleted(Message):
        """Conversations are gone."""

        ids: set[str]

    def __init__(self) -> None:
        super().__init__()
        self.conversation: str | None = None
        self.account: AccountRecord | None = None
        self.files: dict[str, str] = {}
        self._walk: Walk[ConversationRecord] | None = None

    @abstractmethod
    async def begin_anew(self) -> None:
        """Show no conversation."""

    @abstractmethod
    def say_about(self) -> None:
        """Say what the next question is for."""

    @property
    def history(self) -> RecordList[ConversationRecord]:
        """The conversations."""
        return self.query_one(History).records

    def on_mount(self) -> None:
        """Hide the list of conversations where it was hidden last time."""
        self.set_class(bool(self.operating.memory.number("chat.without-history", 0)), "-without-history")

    def list_conversations(self) -> None:
        """Ask for the first page of conversations."""
        tenant_id, account, text = self.tenant_id, self.account, self.history.filter_text.strip()
        if tenant_id is not None:
            account_id = account.id if account else None
            self._walk = Walk[ConversationRecord](
                lambda client: client.conversations.all(tenant_id, account_id=account_id, text=text or None)
            )
            self._next_page(is_first=True)

    def _next_page(self, *, is_first: bool) -> None:
        walk = self._walk
        if walk is None:
            return

        async def work(client: Client) -> Message:
            return self.Listed(*await walk.next_page(client), is_first)

        self.ask(work)

    @on(Listed)
    def _listed(self, event: Listed) -> None:
        (self.history.show if event.is_first else self.history.add)(event.conversations, has_more=event.has_more)

    @on(RecordList.WantsMore, "#conversations")
    def _wants_more(self) -> None:
        self._next_page(is_first=False)

    @on(RecordList.Filtered, "#conversations")
    def _searched(self) -> None:
        self.list_conversations()

    @on(RecordList.TargetsChanged)
    def _targets_changed(self) -> None:
        self.refresh_bindings()

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        if isinstance(event.record, ConversationRecord):
            self.open_conversation(event.record.id)

    def open_conversation(self, conversation_id: str) -> None:
        """Ask for a conversation with all its messages."""

        async def work(client: Client) -> Message:
            kept = await client.conversations.get(conversation_id)
            messages = kept.messages
            if kept.next_cursor is not None:
                messages = [message async for message in client.conversations.messages(conversation_id)]
            return self.Opened(kept, messages)

        self.ask(work, group="load-conversation")

    def action_choose_account(self) -> None:
        """Choose the account that is asked for."""
        tenant_id = self.tenant_id
        if tenant_id is not None:

            async def work(client: Client) -> Message:
                return self.AccountsListed([account async for account in client.accounts.all(tenant_id)])

            self.ask(work, group="choice")

    @on(AccountsListed)
    @work(exit_on_error=False)
    async def _choose_account(self, event: AccountsListed) -> None:
        choices = [Choice(account.id, account.name, account.role) for account in event.accounts]
        whole = Choice(WHOLE_TENANT, "The whole tenant", "conversations of every account")
        chosen = await self.app.push_screen_wait(Choose("Ask for which account?", [whole, *choices], noun="accounts"))
        if isinstance(chosen, str):
            self.account = next((account for account in event.accounts if account.id == chosen), None)
            await self.begin_anew()
            self.list_conversations()

    def action_choose_files(self) -> None:
        """Choose the files that answers are made from."""
        tenant_id = self.tenant_id
        if tenant_id is not None:

            async def work(client: Client) -> Message:
                return self.FilesListed([file async for file in client.store.files(tenant_id)])

            self.ask(work, group="choice")

    @on(FilesListed)
    @work(exit_on_error=False)
    async def _choose_files(self, event: FilesListed) -> None:
        chosen = await self.app.push_screen_wait(ChooseFiles(event.files, self.files))
        if isinstance(chosen, list):
            self.files = {file.id: file.name for file in chosen}
            self.say_about()

    def to_delete(self) -> list[ConversationRecord]:
        """Return what a deletion is for: in the list its targets, elsewhere the open conversation."""
        if self.history.marked or self.history.table.has_focus:
            return self.history.targets
        return [kept for kept in self.history.records if kept.id == self.conversation]

    @work(exit_on_error=False)
    async def action_delete_conversations(self) -> None:
        """Delete conversations after a question that names them."""
        gone = self.to_delete()
        if not gone:
            return
        ids = {kept.id for kept in gone}
        hidden = len([kept for kept in self.history.hidden_targets if kept.id in ids])
        question = Confirm(
            f"Delete {len(gone)} conversation(s) for good?", names=[kept.title for kept in gone], hidden=hidden, yes="Delete"
        )
        if await self.app.push_screen_wait(question):

            async def work(client: Client) -> Message:
                for kept in gone:
                    await client.conversations.delete(kept.id)
                return self.Deleted(ids)

            self.change(work)

    @on(Deleted)
    async def _deleted(self, event: Deleted) -> None:
        self.notify(f"{len(event.ids)} conversation(s) deleted.", markup=False)
        self.history.table.marks.clear()
        if self.conversation in event.ids:
            await self.begin_anew()
        self.list_conversations()

    def action_toggle_history(self) -> None:
        """Show or hide the conversations, and remember it."""
        self.toggle_class("-without-history")
        self.operating.memory.set("chat.without-history", int(self.has_class("-without-history")))
