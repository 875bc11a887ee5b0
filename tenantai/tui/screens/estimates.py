"""Estimates: made from photos, edited, approved, exported, deleted.

What must stay true: a change names the version that it was made from, so that nobody's work is lost unseen.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.message import Message

from tenantai.client import ChatFault, Client, ClientError
from tenantai.client.estimator import EstimateStarted, EstimatorEvent, ItemWithdrawn
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.edit_item import EditItem
from tenantai.tui.screens.estimates_view import IMPERIAL, EstimatesView
from tenantai.tui.screens.pick_files import FOLDER, Picked, PickFiles, start_folder
from tenantai.tui.screens.questions import AskText, Choice, Choose, Confirm
from tenantai.tui.widgets.estimate_text import name_of
from tenantai.tui.widgets.operation_line import OperationLine, bar_of
from tenantai.wire.estimator import (
    EstimateChange,
    EstimateRecord,
    EstimateShown,
    ItemAdded,
    ItemEdit,
    ItemTold,
    ProgressTold,
    SummaryTold,
)

PHOTOS_MAX = 10
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
OF_NO_ACCOUNT = ""
BROKEN_OFF = "The analysis broke off. What was found is kept with the estimate."


class Estimates(EstimatesView):
    """What can be done with estimates and their items."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("estimates.new", "n", "new_estimate", "New", "Estimate what stands in photos.", word="new", changes=True, scope="estimator:analyze"),
        Action("estimates.edit", "e", "edit_item", "Edit", "Change the item under the cursor.", word="edit", changes=True, scope="estimator:analyze"),
        Action("estimates.add", "a", "add_item", "Add", "Add an item that is in no photo.", word="add", changes=True, scope="estimator:analyze"),
        Action("estimates.exclude", "x", "exclude", "Exclude", "Leave the marked items out, or count them again.", changes=True, scope="estimator:analyze"),
        Action("estimates.delete", "d,delete", "delete", "Delete", "Remove the marked items, or delete the marked estimates.", changes=True, scope="estimator:analyze"),
        Action("estimates.approve", "A", "approve", "Approve", "Approve the estimate as it is now.", changes=True, scope="estimator:analyze"),
        Action("estimates.export", "w", "write", "Write", "Write the estimate into a CSV or PDF file.", scope="estimator:analyze"),
        Action("estimates.unit", "m", "turn_unit", "Unit", "Show metric or imperial figures.", word="unit", in_footer=False),
        Action("estimates.photo", "p", "photo", "Photo", "Show the item's photo as large as it goes.", in_footer=False),
        Action("estimates.curl", "c", "copy_curl", "Copy curl", "Copy the request for what is shown as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Began(Message):
        """Photos are being looked at."""

        estimate_id: str

    @dataclass
    class Seen(Message):
        """Something came of it."""

        event: EstimatorEvent

    @dataclass
    class Ended(Message):
        """The analysis is over."""

        estimate_id: str
        fault: str

    @dataclass
    class Changed(Message):
        """The estimate is another than before."""

        shown: EstimateShown
        text: str

    @dataclass
    class Deleted(Message):
        """Estimates are gone."""

        count: int

    @dataclass
    class Told(Message):
        """Something is to be said."""

        text: str

    def applies(self, action: str) -> bool | None:
        """Grey what needs an item or an estimate where there is none."""
        if not self.is_mounted:
            return True
        is_still = self.is_opened and self.live is None and self.opened is not None
        checks = {
            "edit_item": is_still and self.items.current is not None,
            "add_item": is_still,
            "exclude": is_still and bool(self.items.targets),
            "photo": self.is_opened and self.items.current is not None,
            "delete": bool(self.items.targets) if self.is_opened else bool(self.kept.targets),
            "approve": is_still or (not self.is_opened and self.kept.current is not None),
            "write": is_still or (not self.is_opened and self.kept.current is not None),
            "new_estimate": self.live is None,
        }
        return True if checks.get(action, True) else None

    @property
    def current_estimate(self) -> EstimateRecord | None:
        """The estimate that is opened, or under the cursor."""
        return (self.opened.estimate if self.opened else None) if self.is_opened else self.kept.current

    @work(exit_on_error=False)
    async def action_new_estimate(self) -> None:
        """Choose an account and photos, and look at them."""
        tenant_id = self.tenant_id
        if tenant_id is None:
            return
        client = await self.operating.link.client()
        try:
            accounts = [account async for account in client.accounts.all(tenant_id)]
        except ClientError:
            accounts = []  # a key may estimate without seeing accounts
        choices = [(OF_NO_ACCOUNT, "for no account"), *((account.id, account.name) for account in accounts)]
        folder = start_folder(self.operating.memory.get(FOLDER))
        title = f"For which account, and which photos (up to {PHOTOS_MAX})?"
        picked = await self.app.push_screen_wait(PickFiles(title, folder=folder, choices=choices, suffixes=SUFFIXES))
        if isinstance(picked, Picked) and len(picked.paths) > PHOTOS_MAX:
            self.notify(f"At most {PHOTOS_MAX} photos are looked at together.", severity="warning", markup=False)
        elif isinstance(picked, Picked):
            self._look(tenant_id, picked.paths, picked.choice or None)

    def _look(self, tenant_id: str, photos: Sequence[Path], account_id: str | None) -> None:
        unit: Literal["metric", "imperial"] = "imperial" if self.is_imperial else "metric"

        async def work(client: Client) -> Message | None:
            estimate_id, fault, is_whole = "", "", False
            try:
                async with aclosing(client.estimator.stream(tenant_id, photos, account_id=account_id, unit=unit)) as events:
                    async for event in events:
                        if isinstance(event, EstimateStarted):
                            estimate_id = event.estimate_id
                            self.post_message(self.Began(estimate_id))
                        fault = event.sentence if isinstance(event, ChatFault) else fault
                        is_whole = is_whole or isinstance(event, SummaryTold)
                        self.post_message(self.Seen(event))
            except OSError as error:
                return self.Told(f"A photo can't be read: {error.strerror or error}.")
            except ClientError as error:
                self.post_message(self.Refused(error))
                return self.Ended(estimate_id, BROKEN_OFF) if estimate_id else None
            return self.Ended(estimate_id, fault or ("" if is_whole else BROKEN_OFF))

        self._beside(partial(self._asked, work), group="looking", is_exclusive=False)

    @on(Began)
    def _began(self) -> None:
        self.live, self.opened = {}, None
        self.add_class("opened")
        self.items.show([])
        self.say_heading("Looking at the photos. Items come as they are found.")
        self.focus_main()
        self.refresh_bindings()

    @on(Seen)
    def _seen(self, event: Seen) -> None:
        told = event.event
        if self.live is None:
            return
        if isinstance(told, ItemTold):
            self.live[told.id] = told
            self.items.show(list(self.live.values()))
        elif isinstance(told, ItemWithdrawn):
            self.live.pop(told.id, None)
            self.items.show(list(self.live.values()))
        elif isinstance(told, ProgressTold):
            photos = f"{told.finished} of {told.total} photos, {told.items} items"
            self.query_one(OperationLine).say_sending(
                f"{bar_of(told.percentage)} {told.percentage:.0f} %  {told.stage}  {photos}"
            )
        elif isinstance(told, SummaryTold):
            self._say_totals(told)

    @on(Ended)
    def _ended(self, event: Ended) -> None:
        self.query_one(OperationLine).say_sending("")
        self.live = None
        if event.fault:
            self.notify(shown.line(event.fault), title="The analysis did not end well", severity="warning", markup=False)
        self.refresh_bindings()
        if self.is_opened:
            self.open_estimate(event.estimate_id)

    @work(exit_on_error=False)
    async def action_edit_item(self) -> None:
        """Change an item."""
        item, opened = self.items.current, self.opened
        if item is not None and opened is not None:
            edit = await self.app.push_screen_wait(EditItem(item))
            if isinstance(edit, ItemEdit):
                self._change(opened, EstimateChange(items=[edit]), "The item is changed; the totals follow.")

    @work(exit_on_error=False)
    async def action_add_item(self) -> None:
        """Add an item."""
        opened = self.opened
        if opened is not None:
            added = await self.app.push_screen_wait(EditItem(None))
            if isinstance(added, ItemAdded):
                self._change(opened, EstimateChange(add=[added]), "The item is added; the totals follow.")

    def action_exclude(self) -> None:
        """Leave items out, or count those again that are all left out."""
        items, opened = list(self.items.targets), self.opened
        if opened is None or not items:
            return
        are_out = all(item.status == "excluded" for item in items)
        status: Literal["counted", "excluded"] = "counted" if are_out else "excluded"
        edits = [ItemEdit(id=item.id, status=status) for item in items]
        self._change(opened, EstimateChange(items=edits), f"{len(items)} item(s) {'counted again' if are_out else 'left out'}.")

    def _change(self, opened: EstimateShown, change: EstimateChange, text: str) -> None:
        version = {"version": opened.estimate.version}
        asked = EstimateChange.model_validate({**change.model_dump(exclude_unset=True), **version}, by_name=True)

        async def work(client: Client) -> Message:
            return self.Changed(await client.estimator.change(opened.estimate.id, asked), text)

        self.change(work)

    @on(Changed)
    def _changed(self, event: Changed) -> None:
        self.items.table.marks.clear()
        self.notify(event.text, markup=False)
        self.post_message(self.Opened(event.shown))

    @work(exit_on_error=False)
    async def action_delete(self) -> None:
        """Remove items or delete estimates, after a question that names them."""
        if self.is_opened:
            await self._remove_items()
        else:
            await self._delete_estimates()

    async def _remove_items(self) -> None:
        items, opened = list(self.items.targets), self.opened
        question = Confirm(
            f"Remove {len(items)} item(s) from the estimate?",
            names=[f"{item.quantity} × {name_of(item)}" for item in items],
            hidden=len(self.items.hidden_targets),
            yes="Remove",
        )
        if items and opened is not None and (await self.app.push_screen_wait(question)) is True:
            change = EstimateChange(remove=[item.id for item in items])
            self._change(opened, change, f"{len(items)} item(s) removed; the totals follow.")

    async def _delete_estimates(self) -> None:
        estimates = list(self.kept.targets)
        question = Confirm(
            f"Delete {len(estimates)} estimate(s) with their pictures, for good?",
            names=[f"{shown.when(one.created_at)}  {one.item_count} items  {one.id}" for one in estimates],
            hidden=len(self.kept.hidden_targets),
            yes="Delete",
        )
        if estimates and (await self.app.push_screen_wait(question)) is True:

            async def work(client: Client) -> Message:
                for estimate in estimates:
                    await client.estimator.delete(estimate.id)
                return self.Deleted(len(estimates))

            self.change(work)

    @on(Deleted)
    def _deleted(self, event: Deleted) -> None:
        self.notify(f"{event.count} estimate(s) deleted.", markup=False)
        self.kept.table.marks.clear()
        self.load()

    def action_approve(self) -> None:
        """Approve the estimate."""
        estimate = self.current_estimate
        if estimate is None:
            return

        async def work(client: Client) -> Message:
            await client.estimator.approve(estimate.id)
            return self.Told("Approved. The next change of its items takes that back.")

        self.change(work)

    @on(Told)
    def _told_so(self, event: Told) -> None:
        self.notify(shown.line(event.text), markup=False)
        self.load()

    @work(exit_on_error=False)
    async def action_write(self) -> None:
        """Ask which kind of file and where, and write it."""
        estimate = self.current_estimate
        if estimate is None:
            return
        kinds = [
            Choice("pdf", "PDF", "a report with the photos, the items marked"),
            Choice("csv", "CSV", "the items, for a spreadsheet"),
        ]
        kind = await self.app.push_screen_wait(Choose("Write which kind of file?", kinds, noun="kinds"))
        if kind not in {"pdf", "csv"}:
            return
        suggested = start_folder(self.operating.memory.get(FOLDER)) / f"estimate-{estimate.id[-12:]}.{kind}"
        text = await self.app.push_screen_wait(AskText("Into which file?", value=str(suggested)))
        if not isinstance(text, str) or not text.strip():
            return
        place = await asyncio.to_thread(_expanded, text.strip())
        question = Confirm("Write over the file that is there?", names=[str(place)], yes="Write over it")
        if not await asyncio.to_thread(place.exists) or (await self.app.push_screen_wait(question)) is True:
            self._write(estimate.id, "pdf" if kind == "pdf" else "csv", place)

    def _write(self, estimate_id: str, kind: Literal["csv", "pdf"], place: Path) -> None:
        async def work(client: Client) -> Message:
            async with aclosing(client.estimator.export(estimate_id, kind)) as pieces:
                content = b"".join([piece async for piece in pieces])
            try:
                await asyncio.to_thread(place.write_bytes, content)
            except OSError as error:
                return self.Told(f"The file could not be written: {error.strerror or error}.")
            return self.Told(f"The estimate is in {place}.")

        self.change(work)

    def action_turn_unit(self) -> None:
        """Show the other unit's figures."""
        self.operating.memory.set(IMPERIAL, "metric" if self.is_imperial else "imperial")
        self.say_all()

    def action_photo(self) -> None:
        """Show the photo large, or beside the items again."""
        self.turn_photo()

    def action_copy_curl(self) -> None:
        """Copy the request for what is shown."""
        path, query = "/estimator/estimates", {"tenantId": self.tenant_id or ""}
        if self.opened is not None:
            line = curl(self.operating.link_url, "GET", f"{path}/{self.opened.estimate.id}")
        else:
            line = curl(self.operating.link_url, "GET", path, query=query)
        self.operating.copy(line, what="command")


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
