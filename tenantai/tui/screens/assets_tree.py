"""What the place of the vault shows: a tree whose folders are read when they are opened, and an asset's versions beside it.

What must stay true: however much lies in the vault, only what was opened is asked for.
"""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widgets import Static

from tenantai.client import Client
from tenantai.tui import shown
from tenantai.tui.screens.place import Place
from tenantai.tui.vault_tree import Level, Node, VaultTree
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.operation_line import OperationLine
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.tui.widgets.scrolling import Scrolling
from tenantai.wire.assets import AssetPage, AssetWithVersions

EMPTY = "The vault is empty. u uploads files."
PAUSE_SECONDS = 0.15


class Tree(RecordList[Node]):
    """The rows of the tree; an empty vault says what to do first."""

    def count_text(self) -> str:
        """Return how many rows there are."""
        text = super().count_text()
        return EMPTY if text == "No rows." else text


class AssetsTree(Place):
    """The tree, and what is known of the asset under the cursor beside it."""

    SPOT: ClassVar[str] = "assets"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  Textual declares it so
    DEFAULT_CSS: ClassVar[str] = """
    AssetsTree #body { height: 1fr; layout: horizontal; }
    AssetsTree #tree { width: 1fr; }
    AssetsTree #details { width: 44; }
    AssetsTree #details Static { height: auto; }
    AssetsTree.-narrow #body { layout: vertical; }
    AssetsTree.-narrow #details { width: 100%; height: 7; border-left: none; border-top: solid $panel; }
    """

    @dataclass
    class Loaded(Message):
        """Folders were read anew."""

        levels: dict[str, tuple[Level, list[AssetPage]]]

    @dataclass
    class Opened(Message):
        """More of a folder came."""

        folder: str
        level: Level
        pages: list[AssetPage]

    @dataclass
    class Detailed(Message):
        """An asset with its versions came."""

        asset: AssetWithVersions
        is_sought: bool = False

    def __init__(self) -> None:
        super().__init__()
        self.vault = VaultTree()
        self.detailed: AssetWithVersions | None = None
        self._of_tenant: str | None = None

    def compose_middle(self) -> ComposeResult:
        """Lay out the tree and the details."""
        columns = [
            Column[Node]("name", lambda node: node.title, sort=lambda node: node.path, grows=True, tone=lambda node: "" if node.asset else "accent"),
            Column[Node]("size", lambda node: shown.size(node.asset.bytes) if node.asset else "", right=True, sort=lambda node: node.asset.bytes if node.asset else -1),
            Column[Node]("version", lambda node: f"{node.asset.version}" if node.asset else "", right=True, sort=lambda node: node.asset.version if node.asset else 0),
            Column[Node]("changed", lambda node: shown.when(node.asset.updated_at) if node.asset else "", sort=lambda node: node.asset.updated_at if node.asset else ""),
        ]  # fmt: skip
        yield OperationLine()
        with Container(id="body"):
            yield Tree(columns, key=lambda node: (node.path, node.is_rest), noun="rows", id="tree")
            with Scrolling(id="details", classes="side"):
                yield Static("", id="about", markup=False)

    @property
    def records(self) -> RecordList[Node]:
        """The rows of the tree."""
        return self.query_one("#tree", Tree)

    def load(self) -> None:
        """Ask for the top folder and those that are open."""
        tenant_id = self.tenant_id
        if tenant_id is None:
            return
        if tenant_id != self._of_tenant:
            self.vault, self._of_tenant, self.detailed = VaultTree(), tenant_id, None
            for group in ("details", "gather", "reveal"):
                self.stop(group)
        vault, folders = self.vault, sorted(self.vault.opened)

        async def work(client: Client) -> Message:
            levels = {folder: vault.begin(tenant_id, folder) for folder in folders}
            return self.Loaded({folder: (level, (await level.walk.next_page(client))[0]) for folder, level in levels.items()})

        self.ask(work)

    @on(Loaded)
    def _loaded(self, event: Loaded) -> None:
        there = {folder for folder, (_, pages) in event.levels.items() if not folder or pages[0].assets or pages[0].folders}
        self.vault.keep_only(there)
        for folder, (level, pages) in event.levels.items():
            if folder in there:
                self.vault.put(folder, level, pages)
        self._show()

    def _show(self) -> None:
        self.records.show(self.vault.rows())
        self.refresh_bindings()

    def _open(self, folder: str) -> None:
        """Read a folder, or read on in it."""
        tenant_id = self.tenant_id or ""
        level = self.vault.levels.get(folder) or self.vault.begin(tenant_id, folder)

        async def work(client: Client) -> Message:
            return self.Opened(folder, level, (await level.walk.next_page(client))[0])

        self.vault.open(folder)
        self.ask(work, group=f"folder {folder}")

    @on(Opened)
    def _opened(self, event: Opened) -> None:
        self.vault.put(event.folder, event.level, event.pages)
        self._show()

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        event.stop()
        node: Node = event.record
        if node.is_folder and node.is_open:
            self.vault.close(node.path)
            self._show()
        elif node.is_folder or node.is_rest:
            self._open(node.path)
        else:
            self.call_later(self.run_action, "download")

    @on(RecordList.TargetsChanged)
    def _targets_changed(self) -> None:
        self.refresh_bindings()
        node, tenant_id = self.records.current, self.tenant_id
        if node is not None and node.is_rest:
            self._open(node.path)
        if node is None or node.asset is None:
            self.detailed = None
            self.query_one("#about", Static).update(
                "" if node is None else f"{shown.line(node.folder or '/')}\nEnter opens and closes it."
            )
            return
        asset_id = node.asset.id
        if self.detailed is not None and self.detailed.id == asset_id:
            return

        async def work(client: Client) -> Message:
            await asyncio.sleep(PAUSE_SECONDS)
            return self.Detailed(await client.assets.get(tenant_id or "", asset_id))

        self.ask(work, group="details")

    @on(Detailed)
    def _detailed(self, event: Detailed) -> None:
        if event.is_sought:
            self.vault.open(event.asset.path[: event.asset.path.rfind("/") + 1])
            self.records.seek((event.asset.path, False))
            self.load()
        node = self.records.current
        if node is not None and node.asset is not None and node.asset.id == event.asset.id:
            self.detailed = event.asset
            self.query_one("#about", Static).update(details_of(event.asset))

    def reveal(self, record_id: str) -> None:
        """Open the folders above an asset and put the cursor on it."""
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.Detailed(await client.assets.get(tenant_id or "", record_id), is_sought=True)

        self.ask(work, group="reveal")


def details_of(asset: AssetWithVersions) -> str:
    """Return all that is known of an asset, as lines."""
    lines = [
        shown.line(asset.path),
        f"type: {shown.line(asset.media_type)}",
        f"size: {shown.size(asset.bytes)} ({shown.number(asset.bytes)} bytes)",
        f"added: {shown.when(asset.created_at)}",
        f"changed: {shown.when(asset.updated_at)}",
        f"id: {shown.line(asset.id)}",
    ]
    for version in asset.versions:
        lines += [
            "",
            f"version {version.version}: {shown.when(version.created_at)}  {shown.size(version.bytes)}",
            f"{shown.line(version.media_type)}  sha-256 {shown.line(version.sha256)}",
        ]
    return "\n".join(lines)
