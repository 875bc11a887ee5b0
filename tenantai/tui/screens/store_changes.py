"""What a sync of the store with the vault would do, with the offer to do it."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.screens.questions import Question
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.record_list import RecordList
from tenantai.wire.store import Refreshed, VaultChange

COUNTED = ("new", "changed", "moved", "deleted", "retried", "unchanged", "skipped", "failed")
TONES: dict[str, Tone] = {"new": "good", "changed": "accent", "moved": "accent", "deleted": "bad", "retried": "warn"}


class StoreChanges(Question):
    """The differences; dismisses with True where they are to be synced, else None."""

    DEFAULT_CSS: ClassVar[str] = """
    StoreChanges > Vertical { width: 100; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("changes.sync", "ctrl+s", "sync", "Sync", "Bring the store in line with the vault now.", changes=True, scope="store:write"),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    def __init__(self, found: Refreshed) -> None:
        super().__init__()
        self.found = found

    def compose(self) -> ComposeResult:
        """Lay out the counts, the changes and the offer."""
        columns = [
            Column[VaultChange]("change", lambda change: change.change, tone=lambda change: TONES.get(change.change, "")),
            Column[VaultChange]("path", lambda change: change.path, grows=True),
            Column[VaultChange]("was", lambda change: (change.from_path or "") if change.from_path != change.path else ""),
        ]
        with Vertical():
            yield Static(summary_of(self.found), classes="title", markup=False)
            yield RecordList(columns, key=lambda change: (change.path, change.change), noun="differences", markable=False)
            with Horizontal():
                yield Button("Close", id="close")
                if not self.found.matches:
                    yield Button("Sync now (ctrl+s)", id="sync", variant="primary", disabled=self.operating.read_only)

    def on_mount(self) -> None:
        """Show the changes."""
        records = self.query_one(RecordList)
        told = [change for change in self.found.changes if change.change != "unchanged"]
        total = sum(getattr(self.found, name) for name in ("new", "changed", "moved", "deleted", "retried"))
        records.show(told, total=total)
        records.table.focus()

    def applies(self, action: str) -> bool | None:
        """Grey the sync where there is nothing to do."""
        return None if action == "sync" and self.found.matches else True

    @on(Button.Pressed, "#sync")
    def action_sync(self) -> None:
        """Answer yes."""
        self.dismiss(True)

    @on(Button.Pressed, "#close")
    def _left(self) -> None:
        self.dismiss(None)


def summary_of(found: Refreshed) -> str:
    """Return what a sync would come to, in a line."""
    if found.matches:
        return f"Store and vault match: {shown.number(found.in_vault)} in the vault."
    counts = [f"{shown.number(count)} {name}" for name in COUNTED if (count := getattr(found, name))]
    return f"A sync would find {', '.join(counts)}."
