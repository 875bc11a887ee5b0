"""The question which files an answer may be from."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tenantai.tui.screens.questions import Question
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.wire.files import FileRecord


class ChooseFiles(Question):
    """Files to mark; dismisses with the list of those marked (empty: all files), or None."""

    DEFAULT_CSS: ClassVar[str] = "ChooseFiles > Vertical { width: 90; }"

    def __init__(self, files: Sequence[FileRecord], chosen: Iterable[str]) -> None:
        super().__init__()
        self._files = files
        self._chosen = set(chosen)

    def compose(self) -> ComposeResult:
        """Lay out the files and the answers."""
        columns = [
            Column[FileRecord]("file", lambda file: file.name, grows=True),
            Column[FileRecord]("state", lambda file: file.state),
        ]
        with Vertical():
            yield Static("Answer from which files? Space marks; without marks, from all.", classes="title", markup=False)
            yield RecordList(columns, key=lambda file: file.id, noun="files")
            with Horizontal():
                yield Button("All files", id="all")
                yield Button("The marked ones (Enter)", id="marked", variant="primary")

    def on_mount(self) -> None:
        """Show the files, marked as they were."""
        found = self.query_one(RecordList)
        found.table.marks = {file.id: file for file in self._files if file.id in self._chosen}
        found.show(self._files)
        found.table.focus()

    @on(RecordTable.Chosen)
    @on(Button.Pressed, "#marked")
    def _taken(self, event: RecordTable.Chosen | Button.Pressed) -> None:
        event.stop()
        self.dismiss(self.query_one(RecordList).marked)

    @on(Button.Pressed, "#all")
    def _all(self) -> None:
        self.dismiss([])

    def action_leave(self) -> None:
        """End the filter, then leave."""
        found = self.query_one(RecordList)
        if not (found.filter_text and found.clear()):
            self.dismiss(None)
