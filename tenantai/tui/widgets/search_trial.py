"""Trying a search: what retrieval would hand to the model for a question, with its scores and the passage."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tenantai.tui import shown
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.tui.widgets.scrolling import Scrolling
from tenantai.wire.files import SearchHit

IDLE = "Type a question; Enter searches."


class SearchTrial(Vertical):
    """A line for the question, the hits, and the passage under the cursor."""

    DEFAULT_CSS: ClassVar[str] = """
    SearchTrial { height: 1fr; display: none; }
    SearchTrial.open { display: block; }
    SearchTrial > Input { padding: 0 1; margin-bottom: 1; }
    SearchTrial > RecordList { height: 2fr; }
    SearchTrial > VerticalScroll { height: 3fr; padding: 0 1; border-top: solid $panel; }
    SearchTrial > VerticalScroll:focus { border-top: solid $primary; }
    SearchTrial #passage { height: auto; }
    """

    @dataclass
    class Asked(Message):
        """A question is to be searched for."""

        query: str

    def compose(self) -> ComposeResult:
        """Lay out the question, the hits and the passage."""
        columns = [
            Column[tuple[int, SearchHit]]("fused", lambda row: f"{row[1].scores.fused:.4f}", right=True, sort=lambda row: row[1].scores.fused),
            Column[tuple[int, SearchHit]]("lexical", lambda row: f"{row[1].scores.lexical:.2f}", right=True, sort=lambda row: row[1].scores.lexical),
            Column[tuple[int, SearchHit]]("vector", lambda row: f"{row[1].scores.vector:.3f}", right=True, sort=lambda row: row[1].scores.vector),
            Column[tuple[int, SearchHit]]("file", lambda row: row[1].file_name, width=24),
            Column[tuple[int, SearchHit]]("page", lambda row: f"{row[1].page or ''}", right=True),
            Column[tuple[int, SearchHit]]("passage", lambda row: " ".join(row[1].text[:200].split()), grows=True),
        ]  # fmt: skip
        yield Input(
            placeholder="a question, as a person would ask it in chat; Enter searches, Esc closes", id="question", compact=True
        )
        yield RecordList(columns, key=lambda row: row[0], noun="passages", markable=False, idle=IDLE, id="hits")
        with Scrolling():
            yield Static("", id="passage", markup=False)

    @property
    def hits(self) -> RecordList[tuple[int, SearchHit]]:
        """The list."""
        return self.query_one("#hits", RecordList)

    def open(self, question: str = "") -> None:
        """Show the pane, ready to type."""
        self.add_class("open")
        field = self.query_one("#question", Input)
        if question:
            field.value = question
            self.post_message(self.Asked(question))
        else:
            field.focus()

    def close(self) -> bool:
        """Hide the pane; returns whether it was shown."""
        was_open = self.has_class("open")
        self.remove_class("open")
        return was_open

    def clear(self) -> None:
        """Show no hits."""
        self.hits.forget()
        self.query_one("#passage", Static).update("")

    def show(self, found: list[SearchHit]) -> None:
        """Show what was found."""
        self.hits.show(list(enumerate(found)))
        self.hits.table.cursor = 0
        self._tell(found[0] if found else None)
        if found:
            self.hits.table.focus()

    @on(Input.Submitted, "#question")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.post_message(self.Asked(event.value.strip()))

    @on(RecordTable.Highlighted)
    def _highlighted(self, event: RecordTable.Highlighted) -> None:
        event.stop()
        if event.record is not None:
            self._tell(event.record[1])

    def _tell(self, hit: SearchHit | None) -> None:
        self.query_one("#passage", Static).update(
            passage_of(hit) if hit else "Nothing was found. Is the file indexed, and not excluded?"
        )


def passage_of(hit: SearchHit) -> str:
    """Return a passage with where it is from."""
    page = f", page {hit.page}" if hit.page else ""
    scores = f"fused {hit.scores.fused:.4f}   lexical (BM25) {hit.scores.lexical:.2f}   vector (cosine) {hit.scores.vector:.3f}"
    head = f"{shown.line(hit.file_name)}{page}, characters {shown.number(hit.start)}–{shown.number(hit.end)}"
    heading = f"\n{shown.line(hit.heading)}" if hit.heading else ""
    return f"{head}{heading}\n{scores}\n\n{shown.lines(hit.text)}"
