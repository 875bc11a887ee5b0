"""What the place of the store shows: its files page by page, how each stands, and the operation that is running.

What must stay true: a row says what the server last said of its file.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from tenantai.client import Client, Store
from tenantai.tui import shown
from tenantai.tui.screens.place import Place
from tenantai.tui.screens.store_work import first_files
from tenantai.tui.walk import Walk
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.operation_line import OperationLine
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.search_trial import SearchTrial
from tenantai.tui.widgets.store_file import details_of, state_of, tone_of
from tenantai.wire.accounts import AccountRecord
from tenantai.wire.files import FileRecord, Progress

RENEW_SECONDS = 2.0
RENEWED_MAX = 1000
EMPTY = "No files yet. u uploads some, i imports the vault's."


class Files(RecordList[FileRecord]):
    """The files; an empty store says what to do first."""

    def count_text(self) -> str:
        """Return how many files there are."""
        text = super().count_text()
        return EMPTY if text == "No files." else text


class StoreList(Place):
    """The files in a list, what is known of one beside it, the running operation above; a pane to try a search."""

    SPOT: ClassVar[str] = "store"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  Textual declares it so
    DEFAULT_CSS: ClassVar[str] = """
    StoreList #summary { height: 1; padding: 0 1; }
    StoreList #body { height: 1fr; layout: horizontal; }
    StoreList #files { width: 1fr; }
    StoreList #details { width: 40; }
    StoreList #details Static { height: auto; }
    StoreList.-narrow #body { layout: vertical; }
    StoreList.-narrow #details { width: 100%; height: 6; border-left: none; border-top: solid $panel; }
    StoreList.searching #body { display: none; }
    """

    @dataclass
    class Loaded(Message):
        """A page of files came; `held` is there with the first."""

        files: list[FileRecord]
        has_more: bool
        held: Store | None
        accounts: list[AccountRecord]

    @dataclass
    class Renewed(Message):
        """The store and its first files as they are now, or all where `is_whole`."""

        held: Store
        files: list[FileRecord]
        is_whole: bool

    @dataclass
    class Progressed(Message):
        """The running operation is further."""

        progress: Progress

    def __init__(self) -> None:
        super().__init__()
        self.held: Store | None = None
        self.accounts: dict[str, AccountRecord] = {}
        self._of_tenant: str | None = None
        self._renewed_at = 0.0
        self._told_of: tuple[str | None, int] = (None, 0)

    def compose_middle(self) -> ComposeResult:
        """Lay out the summary, the operation, the files with their details, and the search."""
        columns = [
            Column[FileRecord]("name", lambda file: file.name, grows=True),
            Column[FileRecord]("state", state_of, tone=tone_of, width=9),
            Column[FileRecord]("size", lambda file: shown.size(file.bytes), right=True, sort=lambda file: file.bytes),
            Column[FileRecord](
                "chunks", lambda file: shown.number(file.chunk_count), right=True, sort=lambda file: file.chunk_count
            ),
            Column[FileRecord](
                "pages", lambda file: f"{file.page_count or ''}", right=True, sort=lambda file: file.page_count or 0
            ),
        ]
        yield Static("", id="summary", markup=False)
        yield OperationLine()
        with Container(id="body"):
            yield Files(columns, key=lambda file: file.id, noun="files", id="files")
            with VerticalScroll(id="details", classes="side"):
                yield Static("", id="about", markup=False)
        yield SearchTrial()

    @property
    def records(self) -> RecordList[FileRecord]:
        """The list of files."""
        return self.query_one("#files", Files)

    @property
    def operation(self) -> OperationLine:
        """The line of the running operation."""
        return self.query_one(OperationLine)

    @property
    def trial(self) -> SearchTrial:
        """The pane to try a search."""
        return self.query_one(SearchTrial)

    def load(self) -> None:
        """Ask for the store and the first page of its files."""
        tenant_id = self.tenant_id
        if tenant_id is not None:
            if tenant_id != self._of_tenant:
                self._begin_with(tenant_id)
            self._walk = Walk[FileRecord](lambda client: client.store.files(tenant_id))
            self._next_page(tenant_id, is_first=True)

    def _begin_with(self, tenant_id: str) -> None:
        """Follow and show nothing any more that is another tenant's."""
        for group in ("progress", "renew", "search", "compare"):
            self.stop(group)
        self._of_tenant, self.held = tenant_id, None
        self.trial.clear()

    @on(RecordList.WantsMore, "#files")
    def _wants_more(self) -> None:
        if self.tenant_id is not None:
            self._next_page(self.tenant_id, is_first=False)

    def _next_page(self, tenant_id: str, *, is_first: bool) -> None:
        walk, may_see_accounts = self._walk, self._may("account:read")

        async def work(client: Client) -> Message:
            held = await client.store.get(tenant_id) if is_first else None
            accounts = [a async for a in client.accounts.all(tenant_id)] if is_first and may_see_accounts else []
            return self.Loaded(*await walk.next_page(client), held, accounts)

        self.ask(work)

    def _may(self, scope: str) -> bool:
        who = self.operating.link_state.who
        return who is None or who.is_operator or scope in who.scopes

    @on(Loaded)
    def _loaded(self, event: Loaded) -> None:
        if event.held is None:
            self.records.add(event.files, has_more=event.has_more)
            return
        self.accounts = {account.id: account for account in event.accounts}
        self._take(event.held)
        self.records.show(event.files, total=sum(event.held.counts.values()), has_more=event.has_more)
        self._watch(event.held.operation)

    def _take(self, held: Store) -> None:
        self.held = held
        self.query_one("#summary", Static).update(summary_of(held))
        self.refresh_bindings()

    def _watch(self, progress: Progress) -> None:
        """Show the newest operation, and follow it where it runs."""
        self.operation.say(progress)
        if progress.status == "in_progress":
            self._follow()

    def _follow(self) -> None:
        tenant_id = self.tenant_id

        async def stream(client: Client) -> AsyncIterator[Message]:
            async for progress in client.store.live_progress(tenant_id or ""):
                yield self.Progressed(progress)

        self.follow(stream, group="progress")

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        progress = event.progress
        self.operation.say(progress)
        self.refresh_bindings()
        told, is_over = (progress.operation_id, progress.processed_files), progress.status != "in_progress"
        is_due = told != self._told_of and time.monotonic() - self._renewed_at > RENEW_SECONDS
        if is_over or is_due:
            self._told_of = told
            self._renew(is_over=is_over)

    def _renew(self, *, is_over: bool) -> None:
        """Ask how the files stand now: those that are loaded, and new ones where all are."""
        tenant_id, loaded, has_more = self.tenant_id or "", len(self.records.records), self.records.has_more
        self._renewed_at = time.monotonic()

        async def work(client: Client) -> Message:
            held = await client.store.get(tenant_id)
            there = loaded if has_more else sum(held.counts.values())
            count = there if is_over else min(there, RENEWED_MAX)
            files = await first_files(client, tenant_id, count)
            return self.Renewed(held, files, is_whole=not has_more and count == there)

        self.ask(work, group="renew")

    @on(Renewed)
    def _renewed(self, event: Renewed) -> None:
        self._take(event.held)
        fresh = {file.id: file for file in event.files}
        order = [file.id for file in self.records.records]
        known = [fresh.pop(file_id) for file_id in order if file_id in fresh]
        total, put = sum(event.held.counts.values()), self.records.show if event.is_whole else self.records.add
        put([*known, *fresh.values()], total=total, has_more=self.records.has_more)
        self._tell_details()

    @on(RecordList.TargetsChanged, "#files")
    def _targets_changed(self) -> None:
        self.refresh_bindings()
        self._tell_details()

    def _tell_details(self) -> None:
        file = self.records.current
        account = self.accounts.get(file.account_id or "") if file else None
        self.query_one("#about", Static).update(details_of(file, account.name if account else None) if file else "")


def summary_of(held: Store) -> str:
    """Return bytes and counts in a line."""
    used, quota = held.storage.used_bytes, held.storage.quota_bytes
    share = f" ({100 * used / quota:.1f} %)" if quota else ""
    counts = [f"{shown.number(count)} {shown.line(name)}" for name, count in held.counts.items() if count or name == "active"]
    return "  ·  ".join([f"{shown.size(used)} of {shown.size(quota)}{share}", *counts])
