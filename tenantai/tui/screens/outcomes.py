"""What came of something that was done to several: one line for each, those that failed first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from tenantai.tui import shown
from tenantai.tui.screens.questions import Question
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one: its name, whether it went well, and what there is to say."""

    name: str
    ok: bool
    sentence: str


class Outcomes(Question):
    """The list; dismisses with None."""

    DEFAULT_CSS: ClassVar[str] = """
    Outcomes > Vertical { width: 100; }
    """

    def __init__(self, title: str, outcomes: Sequence[Outcome]) -> None:
        super().__init__()
        self._title = title
        self.outcomes = sorted(outcomes, key=lambda outcome: outcome.ok)

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        columns = [
            Column[tuple[int, Outcome]]("name", lambda row: row[1].name, width=36),
            Column[tuple[int, Outcome]](
                "what came of it", lambda row: row[1].sentence, tone=lambda row: "good" if row[1].ok else "bad", grows=True
            ),
        ]
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            yield RecordList(columns, key=lambda row: row[0], noun="results", markable=False)

    def on_mount(self) -> None:
        """Show them."""
        found = self.query_one(RecordList)
        found.show(list(enumerate(self.outcomes)))
        found.table.focus()

    def on_record_table_chosen(self, event: RecordTable.Chosen) -> None:
        """Leave."""
        event.stop()
        self.dismiss(None)


def tell(node: Widget, done: str, outcomes: Sequence[Outcome]) -> None:
    """Say in a line that all went well, or list what came of each. `done` is a participle, such as `excluded`."""
    failed = [outcome for outcome in outcomes if not outcome.ok]
    if failed:
        title = f"{len(outcomes) - len(failed)} of {len(outcomes)} {done}"
        node.app.push_screen(Outcomes(title, outcomes))
        return
    names = shown.line(outcomes[0].name, most=60) if len(outcomes) == 1 else f"{len(outcomes)} files"
    node.notify(f"{names} {done}.", markup=False)
