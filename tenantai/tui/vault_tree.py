"""The vault as a tree of which only the folders are known that were opened, each as far as it was looked at.

What must stay true: what is shown of a folder is what its pages held, its folders before its assets.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tenantai.tui.walk import Walk
from tenantai.wire.assets import AssetPage, AssetRecord


@dataclass(frozen=True, slots=True)
class Node:
    """A row of the tree: a folder (its path ends with `/`), an asset, or the rest of a folder that is not loaded yet."""

    path: str
    depth: int
    asset: AssetRecord | None = None
    is_open: bool = False
    is_rest: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.asset is None and not self.is_rest

    @property
    def folder(self) -> str:
        """The folder that it is, or lies in."""
        return self.path if self.is_folder or self.is_rest else self.path[: self.path.rfind("/") + 1]

    @property
    def title(self) -> str:
        """The name as it stands in the tree."""
        if self.is_rest:
            return f"{'  ' * self.depth}  … more"
        name = self.path.rstrip("/").rpartition("/")[2]
        mark = "  " if self.asset is not None else "▾ " if self.is_open else "▸ "
        return f"{'  ' * self.depth}{mark}{name}{'' if self.asset is not None else '/'}"


@dataclass(slots=True)
class Level:
    """What is known of one folder."""

    walk: Walk[AssetPage]
    folders: dict[str, None] = field(default_factory=dict)
    assets: dict[str, AssetRecord] = field(default_factory=dict)
    has_more: bool = True


class VaultTree:
    """The levels that were looked at, by folder; the top is the empty path."""

    def __init__(self) -> None:
        self.levels: dict[str, Level] = {}
        self.opened: set[str] = {""}

    def begin(self, tenant_id: str, folder: str) -> Level:
        """Begin to read a folder anew."""
        return Level(Walk(lambda client: client.assets.level(tenant_id, folder), page=1))

    def open(self, folder: str) -> None:
        """Show what is in a folder, and in those above it."""
        parts = folder.split("/")[:-1]
        self.opened |= {"", *("/".join(parts[: end + 1]) + "/" for end in range(len(parts)))}

    def close(self, folder: str) -> None:
        """Show a folder without what is in it."""
        self.opened.discard(folder)

    def put(self, folder: str, level: Level, pages: Iterable[AssetPage]) -> None:
        """Take in pages of a folder."""
        for page in pages:
            level.folders |= dict.fromkeys(page.folders)
            level.assets |= {asset.path: asset for asset in page.assets}
            level.has_more = page.next_cursor is not None
        self.levels[folder] = level

    def keep_only(self, folders: Iterable[str]) -> None:
        """Forget what is known of other folders than these."""
        kept = set(folders)
        self.levels = {folder: level for folder, level in self.levels.items() if folder in kept}
        self.opened &= kept

    def rows(self) -> list[Node]:
        """Return the tree as rows."""
        return list(self._rows("", 0))

    def _rows(self, folder: str, depth: int) -> Iterator[Node]:
        level = self.levels.get(folder)
        if level is None:
            return
        for path in sorted(level.folders):
            yield Node(path, depth, is_open=path in self.opened)
            if path in self.opened:
                yield from self._rows(path, depth + 1)
        for path in sorted(level.assets):
            yield Node(path, depth, level.assets[path])
        if level.has_more:
            yield Node(folder, depth, is_rest=True)
