"""The store: its files, uploads, imports from the vault, settings, and a search to try.

What must stay true: nothing is deleted before all that goes was named; what came of each file is told.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.message import Message

from tenantai.client import Client
from tenantai.client.files import FileAction
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.outcomes import Outcome, tell
from tenantai.tui.screens.pick_files import FOLDER, Picked, PickFiles, start_folder
from tenantai.tui.screens.questions import Confirm
from tenantai.tui.screens.store_changes import StoreChanges
from tenantai.tui.screens.store_list import RENEW_SECONDS, StoreList
from tenantai.tui.screens.store_settings import EditSettings, SettingsWish
from tenantai.tui.screens.store_work import DONE, act_on, upload_all
from tenantai.tui.sending import Sending
from tenantai.tui.widgets.search_trial import SearchTrial
from tenantai.tui.widgets.sending_line import SendingLine
from tenantai.tui.widgets.store_file import OPEN, newer_of
from tenantai.wire.files import FileRecord, SearchHit
from tenantai.wire.store import Refreshed, StoreSettings

SOON_SECONDS = 0.05
NO_ACCOUNT = "Files belong to an account, and there is none yet. Make one in the place of tenants."


class StorePlace(StoreList):
    """What can be done with the files, and with the store as a whole."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("store.upload", "u", "upload", "Upload", "Upload files of this machine to an account.", argument="path", changes=True, scope="file:upload"),
        Action("store.import", "i", "import_vault", "Import", "Bring the store in line with the vault.", word="sync", changes=True, scope="store:write"),
        Action("store.compare", "v", "compare", "Compare", "See what a sync with the vault would do, and do it if you like.", scope="store:write"),
        Action("store.search", "s", "try_search", "Try a search", "See which passages a question finds, with their scores.", word="search", argument="question", scope="store:read"),
        Action("store.exclude", "x", "exclude", "Exclude", "Keep the marked files out of answers.", changes=True, scope="store:write"),
        Action("store.include", "X", "include", "Include", "Take the marked files into answers again.", changes=True, scope="store:write", in_footer=False),
        Action("store.retry", "R", "retry", "Retry", "Index the marked files anew.", changes=True, scope="store:write"),
        Action("store.delete", "d,delete", "delete", "Delete", "Delete the marked files, for good.", changes=True, scope="store:write"),
        Action("store.cancel", "C", "cancel", "Cancel", "Cancel the running operation; what is ready stays.", word="cancel", changes=True, scope="store:write", in_footer=False),
        Action("store.settings", "e", "edit_settings", "Settings", "Set how answers cite and what they are made from.", word="settings", changes=True, scope="store:write"),
        Action("store.curl", "c", "copy_curl", "Copy curl", "Copy the request for this list as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Sent(Message):
        """A file is being sent; what there is to say of how far it is."""

        text: str

    @dataclass
    class TakenIn(Message):
        """A file was sent, and the server has it."""

        tenant_id: str
        file: FileRecord

    @dataclass
    class Uploaded(Message):
        """Files were sent, or could not be."""

        outcomes: list[Outcome]

    @dataclass
    class Acted(Message):
        """Something was done to files."""

        action: FileAction
        outcomes: list[Outcome]

    @dataclass
    class Compared(Message):
        """What a sync would do is known."""

        found: Refreshed

    @dataclass
    class SyncBegan(Message):
        """A sync runs."""

        is_new: bool

    @dataclass
    class Cancelled(Message):
        """The operation was cancelled."""

        files: int

    @dataclass
    class Found(Message):
        """A search has been made."""

        hits: list[SearchHit]

    @dataclass
    class SettingsKept(Message):
        """The settings are others now."""

        settings: StoreSettings

    def __init__(self) -> None:
        super().__init__()
        self._taken: list[StorePlace.TakenIn] = []
        self._put_at = 0.0

    def applies(self, action: str) -> bool | None:
        """Grey what makes no sense for the marked files, or without an operation."""
        targets = self.records.targets if self.is_mounted else []
        checks = {
            "exclude": any(not file.excluded for file in targets),
            "include": any(file.excluded for file in targets),
            "retry": any(file.state not in OPEN for file in targets),
            "delete": bool(targets),
            "cancel": self._is_running,
            "edit_settings": self.held is not None,
        }
        return True if checks.get(action, True) else None

    @property
    def _is_running(self) -> bool:
        progress = self.operation.progress if self.is_mounted else None
        return progress is not None and progress.status == "in_progress"

    @work(exit_on_error=False)
    async def action_upload(self, text: str = "") -> None:
        """Choose an account and files, and send them."""
        tenant_id = self.tenant_id
        if tenant_id is None:
            return
        if not self.accounts:
            self.notify(NO_ACCOUNT, severity="warning", markup=False)
            return
        choices = [(account.id, f"{account.name} ({account.role})") for account in self.accounts.values()]
        folder = start_folder(text or self.operating.memory.get(FOLDER))
        picked = await self.app.push_screen_wait(
            PickFiles("Upload to which account, and which files?", folder=folder, choices=choices)
        )
        if isinstance(picked, Picked) and picked.choice is not None:
            self._send(tenant_id, picked.choice, picked.paths)

    def _send(self, tenant_id: str, account_id: str, paths: Sequence[Path]) -> None:
        sending = Sending(len(paths), lambda text: self.post_message(self.Sent(text)))

        def taken(file: FileRecord) -> None:
            self.post_message(self.TakenIn(tenant_id, file))

        async def work(client: Client) -> Message:
            return self.Uploaded(await upload_all(client, tenant_id, account_id, paths, sending=sending, taken=taken))

        self.change(work)

    @on(Sent)
    def _sent(self, event: Sent) -> None:
        self.query_one(SendingLine).say(event.text)

    @on(TakenIn)
    def _taken_in(self, event: TakenIn) -> None:
        if not self._taken:
            self.set_timer(max(0.0, self._put_at + RENEW_SECONDS - time.monotonic()) + SOON_SECONDS, self._put_taken)
        self._taken.append(event)

    def _put_taken(self) -> None:
        """Give the files that were taken in their rows; several at once, for each time costs as much as there are rows."""
        taken, self._taken, self._put_at = self._taken, [], time.monotonic()
        fresh = [one.file for one in taken if one.tenant_id == self.tenant_id]
        if fresh:
            self.records.put_first([self.underway.with_end(newer_of(file, self.records.record_of(file.id))) for file in fresh])
            self._follow()

    @on(Uploaded)
    def _uploaded(self, event: Uploaded) -> None:
        self.query_one(SendingLine).say("")
        self._make_room(is_running=self._is_running)
        tell(self, "uploaded", event.outcomes)
        self._put_taken()

    @work(exit_on_error=False)
    async def action_import_vault(self) -> None:
        """Sync with the vault."""
        self._sync()

    def _sync(self) -> None:
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.SyncBegan((await client.store.sync(tenant_id or "")).is_new)

        self.change(work)

    @on(SyncBegan)
    def _sync_began(self, event: SyncBegan) -> None:
        self.notify("The sync runs." if event.is_new else "A sync runs already.", markup=False)
        self._follow()

    def action_compare(self) -> None:
        """Ask what a sync would do."""
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.Compared(await client.store.refresh(tenant_id or ""))

        self.ask(work, group="compare")

    @on(Compared)
    @work(exit_on_error=False)
    async def _compared(self, event: Compared) -> None:
        if await self.app.push_screen_wait(StoreChanges(event.found)):
            self._sync()

    def action_exclude(self) -> None:
        """Keep files out of answers."""
        self._act("exclude", [file for file in self.records.targets if not file.excluded])

    def action_include(self) -> None:
        """Take files into answers again."""
        self._act("include", [file for file in self.records.targets if file.excluded])

    def action_retry(self) -> None:
        """Index files anew."""
        self._act("resync", [file for file in self.records.targets if file.state not in OPEN])

    @work(exit_on_error=False)
    async def action_delete(self) -> None:
        """Delete files after a question that names them."""
        files = list(self.records.targets)
        names = [f"{file.name}  {shown.size(file.bytes)}" for file in files]
        question = Confirm(
            f"Delete {len(files)} file(s) for good? No later answer knows them.",
            names=names,
            hidden=len(self.records.hidden_targets),
            yes="Delete",
        )
        if await self.app.push_screen_wait(question):
            self._act("delete", files)

    def _act(self, action: FileAction, files: Sequence[FileRecord]) -> None:
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.Acted(action, await act_on(client, tenant_id or "", action, files))

        if files:
            self.change(work)

    @on(Acted)
    def _acted(self, event: Acted) -> None:
        tell(self, DONE[event.action], event.outcomes)
        self.records.table.marks.clear()
        if event.action == "delete":
            self.load()
        else:
            self._renew(is_over=True)
            self._follow()

    def action_cancel(self) -> None:
        """Cancel the running operation."""
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.Cancelled(await client.store.cancel(tenant_id or ""))

        self.change(work)

    @on(Cancelled)
    def _cancelled(self, event: Cancelled) -> None:
        self.notify(f"Cancelled; {event.files} file(s) left the queue.", markup=False)
        self._follow()

    @work(exit_on_error=False)
    async def action_edit_settings(self) -> None:
        """Change how answers cite and what they are made from."""
        tenant_id, held = self.tenant_id, self.held
        if held is None or tenant_id is None:
            return
        wish = await self.app.push_screen_wait(EditSettings(held.settings))
        if isinstance(wish, SettingsWish):

            async def work(client: Client) -> Message:
                change = partial(client.store.change_settings, tenant_id)
                return self.SettingsKept(await change(citations=wish.citations, retrieval=wish.retrieval))

            self.change(work)

    @on(SettingsKept)
    def _settings_kept(self, event: SettingsKept) -> None:
        if self.held is not None:
            self.held = self.held.model_copy(update={"settings": event.settings})
        self.notify("The settings are kept; they hold for the next answer.", markup=False)

    def action_try_search(self, text: str = "") -> None:
        """Open the pane to try a search."""
        self.add_class("searching")
        self.trial.open(text)

    @on(SearchTrial.Asked)
    def _asked_for(self, event: SearchTrial.Asked) -> None:
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.Found(await client.store.search(tenant_id or "", event.query))

        self.ask(work, group="search")

    @on(Found)
    def _found(self, event: Found) -> None:
        self.trial.show(event.hits)

    def go_back(self) -> bool:
        """End the search, then what every place ends."""
        if self.maximized is None and self.trial.close():
            self.remove_class("searching")
            self.focus_main()
            return True
        return super().go_back()

    def focus_main(self) -> None:
        """Give the focus to the files, or to the hits of a search."""
        (self.trial.hits if self.has_class("searching") else self.records).table.focus()

    def action_copy_curl(self) -> None:
        """Copy the request for this list."""
        self.operating.copy(curl(self.operating.link_url, "GET", f"/tenants/{self.tenant_id}/store"), what="command")
