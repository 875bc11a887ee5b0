"""The vault: files go in and out of it, and into the store.

What must stay true: nothing is deleted before all that goes was named, what lies in marked folders too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.message import Message

from tenantai.client import Client, ClientError
from tenantai.client.assets import bounds_of, told_of
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.assets_tree import AssetsTree
from tenantai.tui.screens.assets_work import ASSETS_MAX, Wanted, assets_of, delete_all, download, upload_all
from tenantai.tui.screens.new_password import NewPassword
from tenantai.tui.screens.outcomes import Outcome, tell
from tenantai.tui.screens.pick_files import FOLDER, Picked, PickFiles, start_folder
from tenantai.tui.screens.questions import AskText, Choice, Choose, Confirm
from tenantai.tui.sending import Sending
from tenantai.tui.widgets.operation_line import OperationLine
from tenantai.wire.assets import AssetRecord, AssetVersionRecord, AssetWithVersions

TOO_MANY = f"More than {ASSETS_MAX:,} assets lie in what is marked. Do it folder by folder."


class AssetsPlace(AssetsTree):
    """What can be done with assets and folders."""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("assets.upload", "u", "upload", "Upload", "Upload files of this machine into a folder of the vault.", changes=True, scope="file:upload"),
        Action("assets.download", "w", "download", "Download", "Write a version of the asset into a file of your choice.", scope="file:read"),
        Action("assets.sync", "i", "sync", "Import", "Bring the store in line with the marked assets and folders.", changes=True, scope="store:write"),
        Action("assets.delete", "d,delete", "delete", "Delete", "Delete the marked assets with all their versions, for good.", changes=True, scope="file:delete"),
        Action("assets.password", "p", "password", "Password", "Set the Asset Manager's password.", changes=True, scope="asset-auth:write"),
        Action("assets.curl", "c", "copy_curl", "Copy curl", "Copy the request for this folder as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Working(Message):
        """Bytes are on their way."""

        text: str

    @dataclass
    class Done(Message):
        """What came of uploads, downloads or deletions."""

        what: str
        outcomes: list[Outcome]

    @dataclass
    class Gathered(Message):
        """The assets that an action is for are known."""

        action: str
        assets: list[AssetRecord]

    @dataclass
    class Told(Message):
        """Something is to be said."""

        text: str

    def applies(self, action: str) -> bool | None:
        """Grey what needs an asset where there is none."""
        node = self.records.current if self.is_mounted else None
        if action == "download":
            return True if node is not None and node.asset is not None else None
        if action in {"sync", "delete"}:
            return True if node is not None else None
        return True

    @work(exit_on_error=False)
    async def action_upload(self) -> None:
        """Choose files and a folder, and send them."""
        node, tenant_id = self.records.current, self.tenant_id
        folder = start_folder(self.operating.memory.get(FOLDER))
        picked = await self.app.push_screen_wait(PickFiles("Upload which files into the vault?", folder=folder))
        if not isinstance(picked, Picked) or tenant_id is None:
            return
        question = AskText(
            "Into which folder of the vault? Empty is the top.", value=node.folder if node else "", placeholder="contracts/2026/"
        )
        into = await self.app.push_screen_wait(question)
        if isinstance(into, str):
            self._send(tenant_id, f"{into.strip().strip('/')}/".lstrip("/"), picked.paths)

    def _send(self, tenant_id: str, folder: str, paths: Sequence[Path]) -> None:
        sending = Sending(len(paths), lambda text: self.post_message(self.Working(text)))

        async def work(client: Client) -> Message:
            return self.Done("uploaded", await upload_all(client, tenant_id, folder, paths, sending=sending))

        if folder:
            self.vault.open(folder)
        self.change(work)

    @on(Working)
    def _working(self, event: Working) -> None:
        self.query_one(OperationLine).say_sending(event.text)

    @on(Done)
    def _done(self, event: Done) -> None:
        self.query_one(OperationLine).say_sending("")
        tell(self, event.what, event.outcomes)
        if event.what != "downloaded":
            self.records.table.marks.clear()
            self.detailed = None
            self.load()

    @work(exit_on_error=False)
    async def action_download(self) -> None:
        """Choose a version and a place for it, and fetch it."""
        node, tenant_id = self.records.current, self.tenant_id
        if node is None or node.asset is None or tenant_id is None:
            return
        client = await self.operating.link.client()
        try:
            asset = await client.assets.get(tenant_id, node.asset.id)
        except ClientError as error:
            self.operating.refused(error)
            return
        version = await self._version_of(asset)
        place = await self._place_for(asset.name) if version else None
        if version is not None and place is not None:
            self._fetch(tenant_id, Wanted(asset, version, place))

    async def _version_of(self, asset: AssetWithVersions) -> AssetVersionRecord | None:
        if len(asset.versions) == 1:
            return asset.versions[0]
        choices = [
            Choice(
                f"{version.version}",
                f"version {version.version}",
                f"{shown.when(version.created_at)}  {shown.size(version.bytes)}",
            )
            for version in asset.versions
        ]
        chosen = await self.app.push_screen_wait(
            Choose(f"Which version of {shown.line(asset.name, most=60)}?", choices, noun="versions")
        )
        return next((version for version in asset.versions if f"{version.version}" == chosen), None)

    async def _place_for(self, name: str) -> Path | None:
        """Ask where a file is to be; one that is there already is asked about."""
        suggested = start_folder(self.operating.memory.get(FOLDER)) / safe_name(name)
        text = await self.app.push_screen_wait(AskText("Into which file?", value=str(suggested)))
        if not isinstance(text, str) or not text.strip():
            return None
        place = await asyncio.to_thread(_place, text.strip(), safe_name(name))
        if place is None:
            self.notify("There is no such folder.", severity="warning", markup=False)
        elif await asyncio.to_thread(place.exists) and not await self.app.push_screen_wait(
            Confirm("Write over the file that is there?", names=[str(place)], yes="Write over it")
        ):
            return None
        return place

    def _fetch(self, tenant_id: str, wanted: Wanted) -> None:
        link, whole = self.operating.link, max(1, wanted.version.bytes)

        def received(held: int) -> None:
            counted = f"{100 * held / whole:.0f} %  {shown.size(held)} of {shown.size(whole)}"
            self.post_message(self.Working(f"Fetching {shown.line(wanted.asset.name, most=60)}: {counted}"))

        async def lost(error: ClientError) -> bool:
            if not link.lost(error):
                return False
            await link.online()
            return True

        async def work(client: Client) -> Message:
            return self.Done("downloaded", [await download(client, tenant_id, wanted, received=received, lost=lost)])

        self._beside(partial(self._asked, work), group="fetch", is_exclusive=False)

    def action_sync(self) -> None:
        """Find out which assets are to be synced."""
        self._gather("sync")

    def action_delete(self) -> None:
        """Find out which assets are to be deleted."""
        self._gather("delete")

    def _gather(self, action: str) -> None:
        nodes, tenant_id = list(self.records.targets), self.tenant_id

        async def work(client: Client) -> Message:
            return self.Gathered(action, await assets_of(client, tenant_id or "", nodes))

        self.ask(work, group="gather")

    @on(Gathered)
    def _gathered(self, event: Gathered) -> None:
        if len(event.assets) > ASSETS_MAX:
            self.notify(TOO_MANY, severity="warning", markup=False)
        elif event.action == "sync" and event.assets:
            self._sync([asset.id for asset in event.assets])
        elif event.assets:
            self._delete(event.assets)

    def _sync(self, asset_ids: list[str]) -> None:
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            started = await client.store.sync(tenant_id or "", asset_ids=asset_ids)
            return self.Told("The sync runs; the store (3) shows how far it is." if started.is_new else "A sync runs already.")

        self.change(work)

    @work(exit_on_error=False)
    async def _delete(self, assets: list[AssetRecord]) -> None:
        tenant_id = self.tenant_id
        question = Confirm(
            f"Delete {len(assets)} asset(s) with all their versions, for good?",
            names=[f"{asset.path}  {shown.size(asset.bytes)}" for asset in assets],
            hidden=len(self.records.hidden_targets),
            yes="Delete",
        )
        if await self.app.push_screen_wait(question):

            async def work(client: Client) -> Message:
                return self.Done("deleted", await delete_all(client, tenant_id or "", assets))

            self.change(work)

    @on(Told)
    def _told_so(self, event: Told) -> None:
        self.notify(event.text, markup=False)

    @work(exit_on_error=False)
    async def action_password(self) -> None:
        """Ask for the Asset Manager's password until it keeps to the rules, and set it."""
        client, tenant_id = await self.operating.link.client(), self.tenant_id or ""
        who, problems = self.operating.link_state.who, list[str]()
        bounds = "" if who is None or who.is_operator else bounds_of(who.scopes)
        while isinstance(password := await self.app.push_screen_wait(NewPassword(problems, bounds=bounds)), str):
            try:
                made = await client.assets.set_password(tenant_id, password=password)
            except ClientError as error:
                problems = _problems_of(error)
                if not problems:
                    self.operating.refused(error)
                    return
            else:
                self.notify(told_of(made), markup=False)
                return

    def action_copy_curl(self) -> None:
        """Copy the request for the folder under the cursor."""
        node = self.records.current
        query = {"delimiter": "/", **({"prefix": node.folder} if node is not None and node.folder else {})}
        line = curl(self.operating.link_url, "GET", f"/tenants/{self.tenant_id}/assets", query=query)
        self.operating.copy(line, what="command")


def _problems_of(error: ClientError) -> list[str]:
    """Return the rules that a password broke, as the server names them."""
    listed = error.details if isinstance(error.details, list) else []
    return [f"It {one['problem']}." for one in listed if isinstance(one, dict) and "problem" in one]


def safe_name(name: str) -> str:
    """Return an asset's name as a file of this machine may have it."""
    plain = "".join(character if character.isprintable() and character not in '/\\:*?"<>|' else "_" for character in name)
    return plain.lstrip(".") or "unnamed"


def _place(text: str, name: str) -> Path | None:
    """Return the file that a typed path names, in a folder by its own name; None where the folder is not there."""
    try:
        path = Path(text).expanduser()
        place = path / name if path.is_dir() else path
        return place if place.parent.is_dir() else None
    except (OSError, RuntimeError, ValueError):
        return None
