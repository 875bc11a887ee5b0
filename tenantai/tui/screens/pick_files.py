"""Choosing files of this machine: folders are gone through, several files marked, or a path or pattern typed.

What must stay true: a name on the disk is as strange as any other text, so it is drawn by the table like all others.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Button, Input, Select, Static

from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings, is_typing
from tenantai.tui.screens.questions import Question
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable

FOLDER = "pick.folder"
UP = ".."
MATCHES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: its name here, where it is, its size (None for a folder) and its last change."""

    name: str
    path: Path
    bytes: int | None
    changed: float


@dataclass(frozen=True, slots=True)
class Picked:
    """The files that were chosen, and which of the choices above them."""

    paths: list[Path]
    choice: str | None


class PathSuggester(Suggester):
    """Offers how a path may go on, with a slash behind a folder."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.folder = Path()

    async def get_suggestion(self, value: str) -> str | None:
        """Return a path that begins with what is typed."""
        return await asyncio.to_thread(_suggested, self.folder, value) if value.strip() else None


class PickFiles(Question):
    """The picker; dismisses with `Picked`, or None. `choices` are values and titles, `suffixes` the endings of files that are shown."""

    DEFAULT_CSS: ClassVar[str] = """
    PickFiles > Vertical { width: 100; height: 90%; padding: 0 1; }
    PickFiles .title { margin: 0; }
    PickFiles RecordList { height: 1fr; }
    PickFiles #folder { height: 1; color: $text-muted; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("pick.take", "ctrl+s", "take", "Take", "Take the marked files, or the one under the cursor."),
        Action("pick.up", "backspace", "up", "Up", "Go to the folder above."),
        Action("pick.root", "slash", "type_root", "Path", "Type a path from the top.", priority=True),
        Action("pick.home", "tilde", "type_home", "Home", "Type a path from your home folder.", in_footer=False, priority=True),
        Action("pick.here", "full_stop", "type_here", "Here", "Type a path from this folder.", in_footer=False, priority=True),
        Action("pick.filter", "f", "filter_names", "Filter", "Show only names that hold what you type."),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Listed(Message):
        """A folder was read."""

        folder: Path
        entries: list[Entry]
        problem: str

    def __init__(
        self, title: str, *, folder: Path, choices: Sequence[tuple[str, str]] = (), prompt: str = "", suffixes: frozenset[str] = frozenset()
    ) -> None:  # fmt: skip
        super().__init__()
        self._title, self._choices, self._prompt, self._suffixes = title, list(choices), prompt, suffixes
        self.folder = folder
        self._kept: dict[Path, Entry] = {}
        self._suggester = PathSuggester()

    def compose(self) -> ComposeResult:
        """Lay out the choice, the folder's files and the line for a path."""
        columns = [
            Column[Entry]("name", lambda entry: entry.name, sort=_order, grows=True, tone=lambda entry: "accent" if entry.bytes is None else ""),
            Column[Entry]("size", lambda entry: "" if entry.bytes is None else shown.size(entry.bytes), right=True, sort=lambda entry: entry.bytes or -1),
            Column[Entry]("changed", lambda entry: _when(entry.changed), sort=lambda entry: entry.changed),
        ]  # fmt: skip
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            if self._choices:
                titles = [(shown.line(title, most=60), value) for value, title in self._choices]
                yield Select(titles, prompt=self._prompt, value=titles[0][1], allow_blank=False, id="choice", compact=True)
            yield Static("", id="folder", markup=False)
            yield RecordList(columns, key=lambda entry: entry.path, noun="files and folders")
            yield Input(placeholder="or a path: → completes, Enter takes it; *.pdf takes all that match", suggester=self._suggester, select_on_focus=False, id="path", compact=True)  # fmt: skip
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Take (ctrl+s)", id="take", variant="primary", compact=True)

    def applies(self, action: str) -> bool | None:
        """Leave a path's first character to whoever types a text."""
        return action not in {"type_root", "type_home", "type_here"} or not is_typing(self)

    @property
    def files(self) -> RecordList[Entry]:
        """The list."""
        return self.query_one(RecordList)

    def on_mount(self) -> None:
        """Show the folder."""
        self.files.table.focus()
        self._go(self.folder)

    @work(group="folder", exclusive=True, exit_on_error=False)
    async def _go(self, folder: Path) -> None:
        folder, entries, problem = await asyncio.to_thread(_read, folder, self._suffixes)
        self.post_message(self.Listed(folder, entries, problem))

    @on(Listed)
    def _listed(self, event: Listed) -> None:
        event.stop()
        if event.problem:
            self.notify(event.problem, severity="warning", markup=False)
            return
        self._keep()
        self.folder = self._suggester.folder = event.folder
        self.query_one("#folder", Static).update(shown.line(event.folder))
        table = self.files.table
        self.files.clear()
        table.marks = {entry.path: entry for entry in event.entries if entry.path in self._kept}
        self.files.show(event.entries)
        table.cursor = 0
        self._count()

    def _keep(self) -> None:
        """Remember what is marked in this folder."""
        for entry in self.files.records:
            self._kept.pop(entry.path, None)
        self._kept |= {entry.path: entry for entry in self.files.marked if entry.bytes is not None}

    @on(RecordTable.Marked)
    def _count(self) -> None:
        self._keep()
        count = len(self._kept)
        self.query_one("#take", Button).label = f"Take {count} (ctrl+s)" if count else "Take (ctrl+s)"

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        event.stop()
        if event.record.bytes is None:
            self._go(event.record.path)
        else:
            self.action_take()

    def action_type_root(self) -> None:
        """Type a path from the top."""
        self._type("/")

    def action_type_home(self) -> None:
        """Type a path from the home folder."""
        self._type("~")

    def action_type_here(self) -> None:
        """Type a path from this folder."""
        self._type(".")

    def _type(self, start: str) -> None:
        field = self.query_one("#path", Input)
        field.value = start
        self.set_focus(field)
        field.cursor_position = len(start)

    def action_filter_names(self) -> None:
        """Open the filter."""
        self.files.action_filter()

    @on(Input.Submitted, "#path")
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self._take_typed(event.value)

    @work(group="path", exclusive=True, exit_on_error=False)
    async def _take_typed(self, text: str) -> None:
        """Take what a typed path names, or go there."""
        found = await asyncio.to_thread(_named, self.folder, text)
        if isinstance(found, Path):
            self.query_one("#path", Input).value = ""
            self.files.table.focus()
            self._go(found)
        elif found:
            self._answer([*self._kept, *found])
        else:
            self.notify(f"There is no file {shown.line(text)}.", severity="warning", markup=False)

    def _answer(self, paths: Sequence[Path]) -> None:
        self.operating.memory.set(FOLDER, str(self.folder))
        choice = self.query_one("#choice", Select).value if self._choices else None
        self.dismiss(Picked(list(dict.fromkeys(paths)), choice if isinstance(choice, str) else None))

    @on(Button.Pressed, "#take")
    def action_take(self) -> None:
        """Take what the typed path names, else the marked files or the one under the cursor."""
        if typed := self.query_one("#path", Input).value.strip():
            self._take_typed(typed)
            return
        self._keep()
        current = self.files.current
        if self._kept:
            self._answer(list(self._kept))
        elif current is not None and current.bytes is not None:
            self._answer([current.path])
        else:
            self.notify("Choose a file; space marks several.", severity="warning", markup=False)

    def action_up(self) -> None:
        """Go to the folder above."""
        self._go(self.folder.parent)

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)

    def action_leave(self) -> None:
        """End the filter, then leave."""
        if not self.files.query_one("#filter", Input).has_class("open") or not self.files.clear():
            self.dismiss(None)


def start_folder(remembered: str) -> Path:
    """Return the folder to begin in: that of last time, where it is still there."""
    folder = Path(remembered or ".").expanduser()
    return folder if folder.is_dir() else Path.home()


def _read(folder: Path, suffixes: frozenset[str]) -> tuple[Path, list[Entry], str]:
    """Return a folder's entries, folders first, and why there are none."""
    try:
        whole = folder.expanduser().resolve()
        found = [_entry(path) for path in whole.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        return folder, [], f"{shown.line(folder)} can't be read: {error.strerror or 'it is no folder'}."
    wanted = [
        entry for entry in found if entry and (entry.bytes is None or not suffixes or entry.path.suffix.lower() in suffixes)
    ]
    up = [] if whole.parent == whole else [Entry(UP, whole.parent, None, 0.0)]
    return whole, [*up, *sorted(wanted, key=_order)], ""


def _entry(path: Path) -> Entry | None:
    """Return a file or folder, None for what is neither or can't be looked at."""
    try:
        status = path.stat()
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError:
        return None
    if is_folder:
        return Entry(f"{path.name}/", path, None, status.st_mtime)
    return Entry(path.name, path, status.st_size, status.st_mtime) if is_file else None


def _order(entry: Entry) -> tuple[bool, bool, str]:
    return entry.name != UP, entry.bytes is not None, entry.name.casefold()


def _named(folder: Path, text: str) -> Path | list[Path]:
    """Return the folder that a typed path names, or the files that it or its pattern names."""
    try:
        path = folder / Path(text.strip()).expanduser()
        if path.is_dir():
            return path
        if path.is_file():
            return [path]
        found = sorted(match for match in path.parent.glob(path.name) if match.is_file())
    except (OSError, ValueError, RuntimeError, NotImplementedError):
        return []
    return found[:MATCHES_MAX]


def _suggested(folder: Path, text: str) -> str | None:
    try:
        typed = Path(text).expanduser()
        beside, start = (folder / typed, "") if text.endswith("/") else ((folder / typed).parent, typed.name)
        found = min((path for path in beside.iterdir() if path.name.startswith(start)), key=lambda path: path.name, default=None)
        end = "" if found is None else found.name[len(start) :] + ("/" if found.is_dir() else "")
    except (OSError, ValueError, RuntimeError):
        return None
    return text + end if end and end.isprintable() else None


def _when(moment: float) -> str:
    return shown.when(datetime.fromtimestamp(moment, tz=UTC).isoformat()) if moment else ""
