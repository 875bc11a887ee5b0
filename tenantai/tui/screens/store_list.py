"""What the place of the store shows: its files page by page, how each stands, and the operation that is running.

What must stay true: a row says what the server last said of its file; of one that a worker has, how far it is.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Static

from tenantai.client import Client, ClientError, Store
from tenantai.tui import shown
from tenantai.tui.file_progress import LONG_CELLS, LONG_FROM_CELLS, SHORT_CELLS, STATE_CELLS, FilesUnderway
from tenantai.tui.screens.place import Place
from tenantai.tui.screens.store_work import first_files
from tenantai.tui.walk import Walk
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.live_rows import LiveList
from tenantai.tui.widgets.operation_line import OperationLine
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.scrolling import Scrolling
from tenantai.tui.widgets.search_trial import SearchTrial
from tenantai.tui.widgets.sending_line import SendingLine
from tenantai.tui.widgets.store_file import begun, details_of, state_of, tone_of
from tenantai.wire.accounts import AccountRecord
from tenantai.wire.files import FileRecord, Progress

RENEW_SECONDS = 2.0
COUNTS_SECONDS = 5.0
TICK_SECONDS = 1.0
RENEWED_MAX = 1000
STATE_COLUMN = 1
EMPTY = "No files yet. u uploads some, i imports the vault's."


class Files(LiveList[FileRecord]):
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

    @dataclass
    class Postponed(Message):
        """A limit lets nobody ask how the files stand; they are asked for again once it does."""

        seconds: float

    class FollowedNoMore(Message):
        """The server tells no more of an operation that runs: so it does where the key may not know, and where it shuts down."""

    def __init__(self) -> None:
        super().__init__()
        self.held: Store | None = None
        self.accounts: dict[str, AccountRecord] = {}
        self.underway = FilesUnderway()
        self._of_tenant: str | None = None
        self._renewed_at = 0.0
        self._told_of: tuple[str | None, int] = (None, 0)
        self._lacks_rows = self._is_following = False

    def compose_middle(self) -> ComposeResult:
        """Lay out the summary, the operation, the files with their details, and the search."""
        columns = [
            Column[FileRecord]("name", lambda file: file.name, grows=True),
            Column[FileRecord](
                "state", state_of, tone=self._tone_of, live=lambda file: self.underway.words(file.id), width=STATE_CELLS
            ),
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
        yield SendingLine()
        with Container(id="body"):
            yield Files(columns, key=attrgetter("id"), noun="files", id="files")
            with Scrolling(id="details", classes="side"):
                yield Static("", id="about", markup=False)
        yield SearchTrial()

    def on_mount(self) -> None:
        """Let the time that is left run down."""
        self.set_interval(TICK_SECONDS, self._tick)

    @property
    def records(self) -> Files:
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
        for group in ("progress", "renew", "later", "search", "compare"):
            self.stop(group)
        self._of_tenant, self.held = tenant_id, None
        self._let_files_go()
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
        self._tell_files(progress)
        if progress.status == "in_progress":
            self._follow()

    def _follow(self) -> None:
        tenant_id, self._is_following = self.tenant_id, True

        async def stream(client: Client) -> AsyncIterator[Message]:
            is_running = False
            async for progress in client.store.live_progress(tenant_id or ""):
                is_running = progress.status == "in_progress"
                yield self.Progressed(progress)
            if is_running:
                yield self.FollowedNoMore()

        self.follow(stream, group="progress")

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        progress = event.progress
        self.operation.say(progress)
        self._tell_files(progress)
        self.refresh_bindings()
        told, is_over = (progress.operation_id, progress.processed_files), progress.status != "in_progress"
        since = time.monotonic() - self._renewed_at
        is_due = since > RENEW_SECONDS if self._lacks_rows else since > COUNTS_SECONDS and told != self._told_of
        self._is_following = not is_over
        if is_over or is_due:
            self._told_of = told
            self._renew(is_over=is_over)

    def _tell_files(self, progress: Progress) -> None:
        """Show how far files are in their rows, and what became of others; take note where that leaves something unknown."""
        ended = {one.id for one in progress.ended}
        gone = set(self.underway.ids) - {file.id for file in progress.files} - ended
        touched = self.underway.take(progress.files)
        is_lacking = [self._change(file_id, begun) for file_id in self.underway.ids]
        self.underway.note_ended(progress.ended)
        is_lacking += [self._change(file_id, self.underway.with_end) for file_id in ended]
        self._lacks_rows = self._lacks_rows or bool(gone) or any(is_lacking)
        self._make_room(is_running=progress.status == "in_progress")
        self._redraw(touched | ended)

    def _redraw(self, ids: set[str]) -> None:
        """Draw the rows of these files anew, and what is said beside them."""
        self.records.redraw(ids)
        if (current := self.records.current) is not None and current.id in ids:
            self._tell_details()

    def _tick(self) -> None:
        if self.is_current and self.operating.link_state.status == "online":
            self._redraw(self.underway.wait(TICK_SECONDS))

    def _change(self, file_id: str, changed: Callable[[FileRecord], FileRecord]) -> bool:
        """Change what the row of a file says; returns whether it has none, though all are loaded."""
        record = self.records.record_of(file_id)
        if record is None:
            return not self.records.has_more
        if (new := changed(record)) is not record:
            self.records.put(new)
        return False

    def _make_room(self, *, is_running: bool) -> None:
        """Let the states have the room that they need: more while files are indexed, or sent and soon will be."""
        table = self.records.live
        self.underway.is_long = table.size.width >= LONG_FROM_CELLS
        if self.underway:
            table.set_width(STATE_COLUMN, LONG_CELLS if self.underway.is_long else SHORT_CELLS)
        elif not is_running and not self.query_one(SendingLine).text:
            table.set_width(STATE_COLUMN, STATE_CELLS)

    def _let_files_go(self) -> None:
        """Say nothing more of files under way."""
        self._redraw(self.underway.take(()))
        self._make_room(is_running=False)

    @on(Postponed)
    def _postponed(self, event: Postponed) -> None:
        async def later(_client: Client) -> None:
            await asyncio.sleep(event.seconds)
            self._renew(is_over=True)

        self.ask(later, group="later")

    @on(FollowedNoMore)
    def _followed_no_more(self) -> None:
        self._is_following = False
        self._let_files_go()
        self.operating.link.doubt_key()

    @on(Place.Refused)
    def _progress_refused(self, event: Place.Refused) -> None:
        if event.followed == "progress":
            self._is_following = False
            self._let_files_go()
            if event.error.retry_after is not None:
                self.post_message(self.Postponed(event.error.retry_after))

    def _tone_of(self, file: FileRecord) -> Tone:
        return "accent" if file.id in self.underway else tone_of(file)

    def _renew(self, *, is_over: bool) -> None:
        """Ask how the files stand now: those that are loaded, and new ones where all are."""
        tenant_id, loaded, has_more = self.tenant_id or "", len(self.records.records), self.records.has_more
        self._renewed_at, self._lacks_rows = time.monotonic(), False

        async def work(client: Client) -> Message:
            try:
                return await renewed(client)
            except ClientError as error:
                if error.retry_after is None:
                    raise
                return self.Postponed(error.retry_after)

        async def renewed(client: Client) -> Message:
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
        put([self.underway.with_end(file) for file in (*known, *fresh.values())], total=total, has_more=self.records.has_more)
        self._tell_details()
        if not self._is_following:
            self._watch(event.held.operation)

    @on(RecordList.TargetsChanged, "#files")
    def _targets_changed(self) -> None:
        self.refresh_bindings()
        self._tell_details()

    def _tell_details(self) -> None:
        file = self.records.current
        account = self.accounts.get(file.account_id or "") if file else None
        now = self.underway.line(file.id) if file else ""
        self.query_one("#about", Static).update(details_of(file, account.name if account else None, now=now) if file else "")


def summary_of(held: Store) -> str:
    """Return bytes and counts in a line."""
    used, quota = held.storage.used_bytes, held.storage.quota_bytes
    share = f" ({100 * used / quota:.1f} %)" if quota else ""
    counts = [f"{shown.number(count)} {shown.line(name)}" for name, count in held.counts.items() if count or name == "active"]
    return "  ·  ".join([f"{shown.size(used)} of {shown.size(quota)}{share}", *counts])
