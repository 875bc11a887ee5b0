"""The box for SQL over the analytics: what is asked, its answer in rows, and the questions of before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static, TextArea

from tenantai.tui import shown
from tenantai.tui.actions import Acting, Action, bindings
from tenantai.tui.screens.questions import Choice, Choose
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.wire.analytics import AnalyticsAnswer

HISTORY = "sql"
NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL")
HINT = "ctrl+j or f5 asks · ctrl+up brings back earlier questions · f2 has examples · tables: usage_events, usage_hours, audit_entries"
EXAMPLES = {
    "Requests by endpoint": "SELECT endpoint, sum(requests) AS requests\nFROM usage_events\nGROUP BY ALL ORDER BY 2 DESC",
    "Tokens by model and day": (
        "SELECT begins::DATE AS day, model, sum(input_tokens) AS input, sum(output_tokens) AS output\n"
        "FROM usage_hours\nWHERE model IS NOT NULL\nGROUP BY ALL ORDER BY 1 DESC, 4 DESC"
    ),
    "The busiest hours": "SELECT begins, sum(requests) AS requests\nFROM usage_hours\nGROUP BY ALL ORDER BY 2 DESC LIMIT 24",
    "Errors by endpoint": (
        "SELECT endpoint, status, sum(requests) AS requests\nFROM usage_events\nWHERE status >= 400\nGROUP BY ALL ORDER BY 3 DESC"
    ),
    "What limits refused": (
        "SELECT begins::DATE AS day, endpoint, sum(refused) AS refused\nFROM usage_hours\nGROUP BY ALL HAVING sum(refused) > 0\nORDER BY 1 DESC"
    ),
    "Who changes what": "SELECT actor, event_type, count(*) AS entries\nFROM audit_entries\nGROUP BY ALL ORDER BY 3 DESC",
    "What the tables hold": "DESCRIBE usage_events",
}
Row = tuple[int, Sequence[Any]]


class SqlBox(Acting, Vertical):
    """The question above, its answer below; what is to be asked goes to the place as a message."""

    DEFAULT_CSS: ClassVar[str] = """
    SqlBox { height: 1fr; }
    SqlBox TextArea { height: 8; border: round $panel; padding: 0 1; }
    SqlBox TextArea:focus { border: round $primary; }
    SqlBox #sql-said { height: auto; max-height: 6; padding: 0 1; color: $text-muted; }
    SqlBox #sql-said.wrong { color: $text-error; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("sql.ask", "ctrl+j,f5", "ask", "Ask", "Ask what stands in the box.", scope="usage:read"),
        Action("sql.examples", "f2", "examples", "Examples", "Put an example into the box."),
        Action("sql.earlier", "ctrl+up", "through_history(1)", "Earlier", "Bring back the question before.", in_footer=False),
        Action("sql.later", "ctrl+down", "through_history(-1)", "Later", "Bring back the question after.", in_footer=False),
        Action("sql.end", "f8", "end", "End", "End the question that is under way.", word="end-question", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Asked(Message):
        """A question is to be asked."""

        sql: str

    @dataclass
    class Ended(Message):
        """The question that is under way is not wanted any more."""

    def __init__(self) -> None:
        super().__init__()
        self._back = 0
        self.is_asking = False

    def compose(self) -> ComposeResult:
        """Lay out the question and where its answer goes."""
        yield TextArea(EXAMPLES["Requests by endpoint"], id="sql", tab_behavior="focus", show_line_numbers=False)
        yield Static(HINT, id="sql-said", markup=False)
        yield Vertical(id="sql-answer")

    @property
    def text(self) -> str:
        """What stands in the box."""
        return self.query_one(TextArea).text

    @text.setter
    def text(self, text: str) -> None:
        area = self.query_one(TextArea)
        area.text = text
        area.move_cursor(area.document.end)
        area.focus()

    @property
    def records(self) -> RecordList[Row] | None:
        """The rows of the answer, once there is one."""
        found = self.query(RecordList)
        return found.first() if found else None

    def say(self, text: str, *, is_wrong: bool = False) -> None:
        """Say something between the question and its answer."""
        said = self.query_one("#sql-said", Static)
        said.set_class(is_wrong, "wrong")
        said.update(shown.lines(text))

    def action_ask(self) -> None:
        """Ask."""
        if self.text.strip():
            self.operating.memory.add_to_history(HISTORY, self.text)
            self._back, self.is_asking = 0, True
            self.say("Asking … Esc ends it.")
            self.refresh_bindings()
            self.post_message(self.Asked(self.text))

    def action_end(self) -> None:
        """End the question."""
        self.is_asking = False
        self.say("Ended.")
        self.post_message(self.Ended())

    def refuse(self, sentence: str) -> None:
        """Say why there is no answer; the one of before stays."""
        self.is_asking = False
        self.say(sentence, is_wrong=True)

    async def show(self, answer: AnalyticsAnswer) -> None:
        """Show an answer in rows."""
        holder = self.query_one("#sql-answer", Vertical)
        await holder.remove_children()
        columns = [_column(at, column.name, column.type) for at, column in enumerate(answer.columns)]
        records: RecordList[Row] = RecordList(columns, key=lambda row: row[0], noun="rows", id="sql-rows")
        await holder.mount(records)
        records.show(list(enumerate(answer.rows)))
        self.say(_about(answer))
        self.is_asking = False

    def applies(self, action: str) -> bool | None:
        """Grey the end of what is not under way."""
        return True if action != "end" or self.is_asking else None

    @on(TextArea.Changed)
    def _changed(self, event: TextArea.Changed) -> None:
        event.stop()

    def action_through_history(self, by: int) -> None:
        """Bring back another question."""
        history = self.operating.memory.history(HISTORY)
        self._back = max(0, min(self._back + by, len(history)))
        self.text = history[-self._back] if self._back else ""

    def action_examples(self) -> None:
        """Choose an example."""

        def chosen(name: object) -> None:
            if isinstance(name, str):
                self.text = EXAMPLES[name]

        choices = [Choice(name, name, " ".join(sql.split())) for name, sql in EXAMPLES.items()]
        self.app.push_screen(Choose("An example", choices, noun="examples"), chosen)


def _column(at: int, name: str, kind: str) -> Column[Row]:
    is_number = any(kind.upper().find(number) >= 0 for number in NUMBERS)
    order: Callable[[Row], Any] = (
        (lambda row: (row[1][at] is None, _number(row[1][at]))) if is_number else (lambda row: _text(row[1][at]))
    )
    return Column(shown.line(name, most=60), lambda row: _text(row[1][at]), right=is_number, sort=order)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _text(value: Any) -> str:
    return "–" if value is None else str(value)


def _about(answer: AnalyticsAnswer) -> str:
    more = " There are more rows than are shown." if answer.truncated else ""
    asked = ", ".join(
        f"{table.name} ({'all' if table.is_whole else 'the newest'} {shown.number(table.rows)} rows)" for table in answer.tables
    )
    return f"Answered in {answer.elapsed_ms:.0f} ms{f' from {asked}' if asked else ''}.{more}"
