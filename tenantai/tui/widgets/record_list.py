"""A table of records with its filter and its count: rows come in pages, as far as the person scrolls.

What must stay true: what is counted, marked and acted upon is said, also where a filter hides it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tenantai.tui import shown
from tenantai.tui.actions import Acting, Action, bindings, is_typing
from tenantai.tui.link import LinkState
from tenantai.tui.widgets.arranging import FIRST_PAUSE_SECONDS, PAUSE_SECONDS, Arranging, Sieve, Steps
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.filter_input import PLACEHOLDER, Completing, FilterInput
from tenantai.tui.widgets.record_table import RecordTable

R = TypeVar("R")
SOUGHT_MAX = 20_000
NOT_LOADED = "Not loaded: ctrl+r asks again."


class RecordList(Acting, Vertical, Generic[R]):
    """Records, what filters them, and how many there are.

    Where more may come (`has_more`), `WantsMore` is posted as somebody comes near the end. Where `filters_on_server`, the text of
    the filter is the place's business (message `Filtered`); else the loaded rows are searched here. `completing` says how a filter
    may go on, and `filter_hint` what it may be; `idle` is said until something is asked for that a person must ask first.
    """

    DEFAULT_CSS: ClassVar[str] = """
    RecordList { height: 1fr; }
    RecordList > RecordTable { height: 1fr; }
    RecordList > FilterInput { height: 1; border: none; padding: 0 1; display: none; }
    RecordList > FilterInput.open { display: block; }
    RecordList > #count { height: 1; padding: 0 1; color: $text-muted; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("list.filter", "slash", "filter", "Filter", "Show only rows that hold what you type.", argument="text", priority=True),
        Action("list.invert", "exclamation_mark", "invert", "Invert", "Show the rows that the filter hides, and hide the others.", in_footer=False),
        Action("list.copy-cell", "y", "copy_cell", "Copy cell", "Copy the cell under the cursor.", in_footer=False),
        Action("list.copy-row", "Y", "copy_row", "Copy row", "Copy the row under the cursor, or the marked ones.", in_footer=False),
        Action("list.export", "E", "export", "Export", "Write the rows that are shown into a CSV file.", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Told(Message):
        """Something about a list."""

        records: "RecordList[Any]"

        @property
        def control(self) -> "RecordList[Any]":
            """The list."""
            return self.records

    @dataclass
    class Filtered(Told):
        """Another filter is asked for."""

        text: str
        inverted: bool

    class TargetsChanged(Told):
        """What an action would be for is another than before."""

    class WantsMore(Told):
        """The next page is wanted."""

    @dataclass
    class Sought(Told):
        """What was sought is under the cursor, or is not in the list."""

        was_found: bool

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], Hashable],
        noun: str,
        markable: bool = True,
        filters_on_server: bool = False,
        completing: Completing | None = None,
        filter_hint: str = PLACEHOLDER,
        idle: str = "",
        id: str | None = None,  # noqa: A002  Textual's own name
    ) -> None:
        super().__init__(id=id)
        self.table: RecordTable[R] = self.make_table(columns, key=key, markable=markable)
        self.noun = noun
        self.filters_on_server = filters_on_server
        self.records: list[R] = []
        self.total: int | None = None
        self.total_is_exact = True
        self.has_more = False
        self.filter_text = ""
        self.inverted = False
        self._is_loading = not idle
        self._was_loaded = False
        self._idle, self._refused = idle, ""
        self._sought: Hashable | None = None
        self._completing, self._filter_hint = completing, filter_hint
        self._arranging = Arranging(self.table.row_text)
        self._steps: Steps[R] = iter(())
        self._is_whole = True
        self.notice = ""

    def make_table(self, columns: Sequence[Column[R]], *, key: Callable[[R], Hashable], markable: bool) -> RecordTable[R]:
        """Return the table for the rows."""
        return RecordTable(columns, key=key, markable=markable)

    def compose(self) -> ComposeResult:
        """Lay out the filter, the rows and their count."""
        yield FilterInput(self._completing, placeholder=self._filter_hint)
        yield self.table
        yield Static("", id="count", markup=False)

    def on_mount(self) -> None:
        """Say it too where rows that never came can't come now."""
        self.operating.link_changed.subscribe(self, self._link_changed)

    def on_unmount(self) -> None:
        """Follow the line no longer: a watcher of it would be kept until it changes."""
        self.operating.link_changed.unsubscribe(self)

    def _link_changed(self, _state: LinkState) -> None:
        self._count()

    def applies(self, action: str) -> bool | None:
        """Leave the slash to whoever types a text."""
        return action != "filter" or not is_typing(self.screen)

    @property
    def current(self) -> R | None:
        """The record under the cursor."""
        return self.table.current

    @property
    def marked(self) -> list[R]:
        """The marked records, hidden ones too."""
        return list(self.table.marks.values())

    @property
    def targets(self) -> list[R]:
        """What an action is for: the marked records, hidden ones too; where none is marked, the one under the cursor."""
        return self.marked or ([self.current] if self.current is not None else [])

    @property
    def hidden_targets(self) -> list[R]:
        """Those of the targets that the filter hides."""
        visible = self.table.keys_shown
        return [record for record in self.targets if self.table.key(record) not in visible]

    def show(
        self, records: Sequence[R], *, total: int | None = None, has_more: bool = False, total_is_exact: bool = True
    ) -> None:
        """Show these records in place of those before."""
        self.records = list(records)
        self.table.prune_marks(self.records)
        self._arranging.forget()
        self._set(total=total, has_more=has_more, total_is_exact=total_is_exact)

    def add(self, records: Sequence[R], *, total: int | None = None, has_more: bool = False, total_is_exact: bool = True) -> None:
        """Add the next page; records that are there already are renewed, not doubled."""
        self.records = list({**self._by_key(), **{self.table.key(record): record for record in records}}.values())
        self._set(total=total if total is not None else self.total, has_more=has_more, total_is_exact=total_is_exact)

    def put_first(self, records: Sequence[R], *, most: int | None = None) -> None:
        """Put new records before the others, the newest first, and keep no more than `most`; the view stays where it was."""
        fresh = {self.table.key(record): record for record in records}
        kept = [*fresh.values(), *(old for old in self.records if self.table.key(old) not in fresh)]
        before, new = self.table.row_count, len(kept) - len(self.records)
        self.records = kept[:most]
        self._set(total=None if self.total is None else self.total + new, has_more=self.has_more)
        self.table.hold_view(self.table.row_count - before if most is None else len(fresh))

    def seek(self, key: Hashable) -> bool:
        """Put the cursor on a record, the filter ended, and return whether that was possible; else as soon as rows are shown that have it."""
        if self.filter_text:
            self.clear()
        self._sought = key
        return self._found()

    def _found(self) -> bool:
        at = next((at for at, row in enumerate(self.table.rows) if self.table.key(row) == self._sought), None)
        if at is not None:
            self._sought = None
            self.table.cursor = at
            self.post_message(self.Sought(self, was_found=True))
        return at is not None

    def _go_on(self) -> None:
        """Ask for more rows while what is sought may be among them, or what a filter or an order would show on this screen."""
        is_sought = self._sought is not None and not self._found()
        is_filtered = bool(self.filter_text) and not self.filters_on_server and self.table.row_count < self.table.size.height
        if not (is_sought or is_filtered or self.table.sorted_by) or self._is_loading:
            return
        if self.has_more and len(self.records) < SOUGHT_MAX:
            self._is_loading = True
            self.post_message(self.WantsMore(self))
            self._count()
        elif is_sought:
            self._sought = None
            self.post_message(self.Sought(self, was_found=False))

    def replace(self, record: R) -> None:
        """Show a record as it is now."""
        by_key = self._by_key()
        by_key[self.table.key(record)] = record
        self.records = list(by_key.values())
        if self.table.key(record) in self.table.marks:
            self.table.marks[self.table.key(record)] = record
        self.table.replace(record)

    def drop(self, keys: set[Hashable]) -> None:
        """Take records away."""
        kept = [record for record in self.records if self.table.key(record) not in keys]
        total = None if self.total is None else self.total - (len(self.records) - len(kept))
        self.show(kept, total=total, has_more=self.has_more)

    def _by_key(self) -> dict[Hashable, R]:
        return {self.table.key(record): record for record in self.records}

    def _set(self, *, total: int | None, has_more: bool, total_is_exact: bool = True) -> None:
        self.total, self.has_more, self.total_is_exact = total, has_more, total_is_exact
        self._is_loading, self._was_loaded = False, True
        self._show_rows()

    def say(self, notice: str) -> None:
        """Say something beside the count, or nothing more."""
        self.notice = notice
        self._count()

    def forget(self) -> None:
        """Show no rows, as before any came."""
        self.show([])
        self._is_loading, self._was_loaded = not self._idle, False
        self._count()

    def give_up(self, why: str = "") -> None:
        """Take note that what was asked for does not come now, and why where the server said so."""
        self._is_loading, self._refused = False, why
        self._count()

    def _show_rows(self) -> None:
        sieve = None if self.filters_on_server or not self.filter_text else Sieve(self.filter_text, self.inverted)
        by = self.table.sorted_by
        self._steps = self._arranging.steps(self.records, sieve, self.table.order, ordered_by=by)
        self._arrange(self._steps, pause=FIRST_PAUSE_SECONDS)

    def _arrange(self, steps: Steps[R], *, pause: float = PAUSE_SECONDS) -> None:
        """Take a step, and the next one after whatever else is due; other rows to show end it."""
        if steps is not self._steps:
            return
        rows, self._is_whole = next(steps)
        if rows or self._is_whole:
            self.table.show(rows, is_whole=self._is_whole)
        if self._is_whole:
            self.operating.garbage.count_rows(len(rows))
        else:
            self.table.refresh()
            self.set_timer(pause, partial(self._arrange, steps))
        self._count()
        if self._is_whole:
            self._go_on()

    def _learn(self, steps: Iterator[None]) -> None:
        if self._is_whole and next(steps, self) is None:
            self.set_timer(PAUSE_SECONDS, partial(self._learn, steps))

    def _count(self) -> None:
        with suppress(LookupError):
            self.query_one("#count", Static).update(self.count_text(), layout=False)

    def count_text(self) -> str:
        """Return how many records are shown, of how many, and how many are marked."""
        if not self._was_loaded:
            return self._without_rows()
        count, loaded = len(self.table.rows), len(self.records)
        if not loaded and not self.has_more:
            text = f"No {self.noun}."
        elif count != loaded:
            text = f"{shown.number(count)} of {shown.number(loaded)} loaded {self.noun}"
        else:
            text = f"1–{shown.number(count)} of {self._of_all()} {self.noun}"
        marks = len(self.table.marks)
        hidden = len(self.hidden_targets) if marks else 0
        marked = f" · {marks} marked" + (f", {hidden} of them hidden" if hidden else "") if marks else ""
        asked = (
            f" · {'without' if self.inverted else 'with'} “{shown.line(self.filter_text, most=40)}”" if self.filter_text else ""
        )
        coming = " · Loading…" if self._is_loading else "" if self._is_whole else " · Looking on…"
        return f"{text}{asked}{marked}{f' · {self.notice}' if self.notice else ''}{coming}"

    def _without_rows(self) -> str:
        """Return why nothing can be said of any rows: none ever came."""
        not_loaded = "Loading…" if self._is_loading else self._idle or self._refused or NOT_LOADED
        return self.operating.link_state.why_nothing_came or not_loaded

    def _of_all(self) -> str:
        if self.total is not None:
            return shown.number(max(self.total, len(self.records))) + ("" if self.total_is_exact else "+")
        return f"{shown.number(len(self.records))}{'+' if self.has_more else ''}"

    @on(RecordTable.NearEnd)
    def _near_end(self, event: RecordTable.NearEnd) -> None:
        event.stop()
        if self.has_more and not self._is_loading:
            self._is_loading = True
            self.post_message(self.WantsMore(self))

    @on(RecordTable.Marked)
    @on(RecordTable.Highlighted)
    def _targets_changed(self) -> None:
        self._count()
        self.post_message(self.TargetsChanged(self))

    @on(RecordTable.Sorted)
    def _sorted(self, event: RecordTable.Sorted) -> None:
        event.stop()
        self._show_rows()

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.filter_text:
            self._filter_by(event.value, inverted=self.inverted)

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    def _filter_by(self, text: str, *, inverted: bool) -> None:
        self.filter_text, self.inverted = text, inverted
        if self.filters_on_server:
            self.post_message(self.Filtered(self, text, inverted))
        self._show_rows()

    def action_filter(self, text: str = "") -> None:
        """Open the filter, or filter by a text at once."""
        field = self.query_one("#filter", FilterInput)
        field.add_class("open")
        if not self.filters_on_server:
            self.call_later(self._learn, self._arranging.learn(self.records))
        if text:
            field.value = text
        else:
            self.screen.set_focus(field)

    def action_invert(self) -> None:
        """Turn the filter around."""
        self._filter_by(self.filter_text, inverted=not self.inverted)

    def clear(self) -> bool:
        """End the filter, then the marks; returns whether there was anything to end."""
        field = self.query_one("#filter", FilterInput)
        if field.has_class("open") or self.filter_text:
            field.remove_class("open")
            field.value = ""
            self._filter_by("", inverted=False)
            self.table.hold_view(0)
            self.table.focus()
            return True
        if self.table.marks:
            self.table.marks = {}
            self.table.refresh()
            self._count()
            return True
        return False

    def action_copy_cell(self) -> None:
        """Copy the cell under the cursor."""
        if (record := self.current) is not None:
            self.operating.copy(self.table.cell_text(record, self.table.column), what="cell")

    def action_copy_row(self) -> None:
        """Copy the marked rows, or the one under the cursor."""
        rows = self.targets
        if rows:
            self.operating.copy("\n".join(self.table.row_text(row) for row in rows), what="row" if len(rows) == 1 else "rows")

    def action_export(self) -> None:
        """Write the rows that are shown into a file."""
        header = [column.title for column in self.table.columns]
        cells = [self.table.row_text(row).split("\t") for row in self.table.rows]
        self.operating.export_rows(self.noun, [header, *cells])
