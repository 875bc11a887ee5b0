"""The side pane of a chat: what the answer under the cursor stands on, and the words of the quote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Static

from tenantai.client import CitedQuote
from tenantai.tui import shown
from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable

HINT = "What an answer stands on is listed here."
WITHHELD = "The store's settings leave the words of quotes out; Enter opens the place."


class Sources(Acting, Vertical):
    """The citations of one answer; Enter opens one in its file."""

    DEFAULT_CSS: ClassVar[str] = """
    Sources > RecordList { height: 1fr; }
    Sources > VerticalScroll { height: 40%; border-top: solid $panel; padding: 0 1; scrollbar-size-vertical: 1; }
    Sources Static { height: auto; }
    Sources #quote { color: $text-muted; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("sources.quote", "q", "copy_quote", "Copy quote", "Copy the words that the answer stands on."),
    )
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Opened(Message):
        """A source is to be opened at its quote."""

        cited: CitedQuote

    def compose(self) -> ComposeResult:
        """Lay out the list, and the quote under the cursor."""
        columns = [
            Column[CitedQuote]("#", lambda cited: f"{cited.number}", right=True, width=2, sort=lambda cited: cited.number),
            Column[CitedQuote]("source", lambda cited: cited.file_name, grows=True),
            Column[CitedQuote](
                "page", lambda cited: f"{cited.page or '–'}", right=True, width=4, sort=lambda cited: cited.page or 0
            ),
            Column[CitedQuote]("score", lambda cited: f"{cited.score:.2f}", right=True, width=5, sort=lambda cited: cited.score),
        ]
        yield RecordList(columns, key=lambda cited: cited.number, noun="sources", markable=False)
        with VerticalScroll(can_focus=False):
            yield Static(HINT, id="quote", markup=False)

    @property
    def records(self) -> RecordList[CitedQuote]:
        """The list."""
        return self.query_one(RecordList)

    def show(self, citations: Sequence[CitedQuote]) -> None:
        """Show what an answer stands on."""
        self.set_class(not citations, "empty")
        self.records.show(sorted(citations, key=lambda cited: cited.number))
        self._quote(self.records.current)

    def choose(self, number: int) -> CitedQuote | None:
        """Put the cursor on the source of a mark; returns it, None where there is none."""
        rows = self.records.table.rows
        at = next((at for at, cited in enumerate(rows) if cited.number == number), None)
        if at is None:
            return None
        self.records.table.cursor = at
        return rows[at]

    @on(RecordTable.Highlighted)
    def _highlighted(self, event: RecordTable.Highlighted) -> None:
        self._quote(event.record)

    def _quote(self, cited: CitedQuote | None) -> None:
        words = HINT if cited is None else shown.lines(cited.quote or WITHHELD)
        self.query_one("#quote", Static).update(words)
        self.refresh_bindings()

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        event.stop()
        self.post_message(self.Opened(event.record))

    def applies(self, action: str) -> bool | None:
        """Grey the copy where there are no words."""
        del action
        cited = self.records.current if self.is_mounted else None
        return True if cited is not None and cited.quote else None

    def action_copy_quote(self) -> None:
        """Copy the words under the cursor."""
        cited = self.records.current
        if cited is not None and cited.quote:
            self.operating.copy(cited.quote, what="quote")
