"""What a tenant used: over time and by what, how much of each limit, and whatever SQL can ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static, TabbedContent, TabPane, TextArea

from tenantai.client import Client, ClientError
from tenantai.tui import names, shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.clipboard import export_name
from tenantai.tui.curl import curl
from tenantai.tui.saving import save
from tenantai.tui.screens.place import Place
from tenantai.tui.screens.questions import Choice, Choose
from tenantai.tui.usage_series import (
    GROUPS,
    MEASURES,
    SPANS,
    Line,
    Quota,
    bar,
    intervals_for,
    lines_of,
    quotas_of,
    series_of,
    since_of,
)
from tenantai.tui.widgets.column_chart import ColumnChart
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.sql_box import SqlBox
from tenantai.wire.analytics import AnalyticsAnswer
from tenantai.wire.usage import UsageReport
from tenantai.wire.usage_history import Group, Interval, UsageHistory

VIEWS = ("time", "limits", "sql-view")
FORMS = {"csv": "CSV, for spreadsheets", "jsonl": "JSON lines, for programs", "parquet": "Parquet, for data tools"}
NEARLY, WARNED = 95.0, 80.0


class Usage(Place):
    """Three views: the chart with its groups, the limits, and SQL."""

    SPOT: ClassVar[str] = "usage"
    DEFAULT_CSS: ClassVar[str] = """
    Usage TabbedContent { height: 1fr; }
    Usage ContentSwitcher { height: 1fr; }
    Usage TabPane { padding: 0; height: 1fr; }
    Usage #groups { height: 45%; }
    Usage #period { height: 1; padding: 0 1; color: $text-muted; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("usage.view", "v", "next_view", "View", "The next of the views: over time, limits, SQL.", word="view"),
        Action("usage.group", "b", "next_group", "By", "Divide it by another thing: endpoint, key, account, model, status.", word="by"),
        Action("usage.measure", "m", "next_measure", "Measure", "Show requests, tokens, errors, or what limits refused.", word="measure"),
        Action("usage.span", "s", "choose_span", "Span", "Choose how far back it goes.", word="span"),
        Action("usage.interval", "i", "next_interval", "Interval", "Divide the time by hours, days or months.", word="interval", in_footer=False),
        Action("usage.everyone", "O", "everyone", "Everyone's", "Let SQL ask all tenants' rows, or only the tenant's again.", word="everyone", scope="system:admin", in_footer=False),
        Action("usage.export", "X", "export_events", "Export events", "Write every event of the span into a file: CSV, JSON lines or Parquet.", word="export-events", scope="usage:read", in_footer=False),
        Action("usage.curl", "c", "copy_curl", "Copy curl", "Copy the request for what is shown as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Loaded(Message):
        """What was used came, with the names of what it is divided by."""

        history: UsageHistory
        names: dict[str, str]

    @dataclass
    class Reported(Message):
        """How much of each limit is used came."""

        report: UsageReport

    @dataclass
    class Answered(Message):
        """A question in SQL has its answer, or the sentence why not."""

        answer: AnalyticsAnswer | None
        problem: str = ""

    @dataclass
    class Saved(Message):
        """A file was written, or could not be."""

        sentence: str
        was_written: bool

    def __init__(self) -> None:
        super().__init__()
        self.span = "30 days"
        self.interval: Interval = "day"
        self.group: Group = "endpoint"
        self.measure = "requests"
        self.is_everyones = False
        self.history: UsageHistory | None = None
        self.names: dict[str, str] = {}

    def compose_middle(self) -> ComposeResult:
        """Lay out the views."""
        with TabbedContent(initial="time"):
            with TabPane("Over time", id="time"):
                yield ColumnChart(id="chart")
                yield RecordList(_group_columns(), key=lambda line: line.name, noun="groups", markable=False, id="groups")
            with TabPane("Limits", id="limits"):
                yield RecordList(_quota_columns(), key=lambda quota: quota.name, noun="limits", markable=False, id="quotas")
                yield Static("", id="period", markup=False)
            with TabPane("SQL", id="sql-view"):
                yield SqlBox()

    @property
    def groups(self) -> RecordList[Line]:
        """What each group used."""
        return self.query_one("#groups", RecordList)

    @property
    def quotas(self) -> RecordList[Quota]:
        """How much of each limit is used."""
        return self.query_one("#quotas", RecordList)

    @property
    def box(self) -> SqlBox:
        """The box for SQL."""
        return self.query_one(SqlBox)

    def load(self) -> None:
        """Ask for what was used, and how much of each limit that is."""
        self._load_history()
        tenant_id = self.tenant_id

        async def work(client: Client) -> Message:
            return self.Reported(await client.usage.report(tenant_id=tenant_id))

        self.ask(work, group="report")

    def _load_history(self) -> None:
        tenant_id, since, interval, group = self.tenant_id, since_of(self.span), self.interval, self.group

        async def work(client: Client) -> Message:
            history = await client.usage.history(tenant_id=tenant_id, since=since, interval=interval, group_by=group)
            return self.Loaded(history, await names_of(client, tenant_id, group))

        self.ask(work)

    @on(Loaded)
    def _loaded(self, event: Loaded) -> None:
        self.history, self.names = event.history, event.names
        self._show_history()

    def _show_history(self) -> None:
        if self.history is not None:
            self.groups.show(lines_of(self.history, measure=self.measure, names=self.names))
            self._draw()

    @on(RecordList.TargetsChanged, "#groups")
    def _draw(self) -> None:
        """Draw what the group under the cursor used."""
        history, line = self.history, self.groups.current
        if history is None:
            return
        series = series_of(history, measure=self.measure, line=line)
        of_what = "" if line is None or line.is_all else f" of {shown.line(line.name, most=40)}"
        total = shown.number(sum(number for _, number in series))
        title = f"{total} {self.measure}{of_what} in {self.span}, by {history.interval}, grouped by {self.group}"
        self.query_one(ColumnChart).show(title, series)

    @on(Reported)
    def _reported(self, event: Reported) -> None:
        report = event.report
        self.quotas.show(quotas_of(report))
        period = f"{report.period.start[:10]} to {report.period.end[:10]}"
        self.query_one("#period", Static).update(
            shown.line(f"Plan {report.plan} · the month is {period} · the day ends at midnight UTC")
        )

    def action_next_view(self) -> None:
        """Show the next view."""
        tabs = self.query_one(TabbedContent)
        tabs.active = VIEWS[(VIEWS.index(tabs.active) + 1) % len(VIEWS)]
        self.call_after_refresh(self.focus_main)

    def focus_main(self) -> None:
        """Give the focus to the view's own."""
        view = self.query_one(TabbedContent).active
        if view == "sql-view":
            self.box.query_one(TextArea).focus()
        else:
            (self.groups if view == "time" else self.quotas).table.focus()

    def go_back(self) -> bool:
        """End a question in SQL, leave its box, or what else Escape ends."""
        if self.box.is_asking:
            self.box.action_end()
            return True
        if isinstance(self.focused, TextArea):
            records = self.box.records
            if records is not None:
                records.table.focus()
            else:
                self.query_one(TabbedContent).active = "time"
                self.call_after_refresh(self.focus_main)
            return True
        return super().go_back()

    def action_next_group(self) -> None:
        """Divide it by another thing."""
        self.group = GROUPS[(GROUPS.index(self.group) + 1) % len(GROUPS)]
        self._load_history()

    def action_next_measure(self) -> None:
        """Show another number."""
        measures = list(MEASURES)
        self.measure = measures[(measures.index(self.measure) + 1) % len(measures)]
        self._show_history()

    def action_next_interval(self) -> None:
        """Divide the time otherwise."""
        intervals = intervals_for(self.span)
        at = intervals.index(self.interval) if self.interval in intervals else -1
        self.interval = intervals[(at + 1) % len(intervals)]
        self._load_history()

    @work(exit_on_error=False)
    async def action_choose_span(self) -> None:
        """Choose how far back it goes."""
        span = await self.app.push_screen_wait(Choose("How far back?", [Choice(name, name) for name in SPANS], noun="spans"))
        if isinstance(span, str):
            self.span = span
            self.interval = SPANS[span][1]
            self._load_history()

    def action_everyone(self) -> None:
        """Let SQL ask all tenants' rows, or only the tenant's again."""
        self.is_everyones = not self.is_everyones
        self.box.say(
            "SQL asks the rows of all tenants." if self.is_everyones else "SQL asks the rows of the tenant that is shown."
        )

    @on(SqlBox.Asked)
    def _asked_in_sql(self, event: SqlBox.Asked) -> None:
        tenant_id = None if self.is_everyones else self.tenant_id

        async def work(client: Client) -> Message:
            try:
                return self.Answered(await client.analytics.query(event.sql, tenant_id=tenant_id))
            except ClientError as error:
                if error.code == "VALIDATION_ERROR" and isinstance(error.details, list):
                    return self.Answered(None, "\n".join(str(one.get("problem", "")) for one in error.details))
                return self.Answered(None, error.message)

        self.ask(work, group="sql")

    @on(SqlBox.Ended)
    def _ended(self) -> None:
        self.stop("sql")

    @on(Answered)
    async def _answered(self, event: Answered) -> None:
        if event.answer is None:
            self.box.refuse(event.problem)
        else:
            await self.box.show(event.answer)

    @work(exit_on_error=False)
    async def action_export_events(self) -> None:
        """Write every event of the span into a file."""
        tenant_id, since = self.tenant_id, since_of(self.span)
        forms = [Choice(form, about) for form, about in FORMS.items()]
        form = await self.app.push_screen_wait(
            Choose(f"Write the events of {self.span} into a file. Which kind?", forms, noun="kinds")
        )
        if not isinstance(form, str):
            return
        folder, name = self.operating.folder / "exports", export_name("usage", form)

        async def work(client: Client) -> Message:
            try:
                path = await save(folder, name, client.usage.export(form, tenant_id=tenant_id, since=since))
            except OSError as error:
                return self.Saved(f"The file could not be written: {error.strerror}.", was_written=False)
            return self.Saved(f"Written: {path}", was_written=True)

        self.ask(work, group="export")

    @on(Saved)
    def _saved(self, event: Saved) -> None:
        self.notify(shown.line(event.sentence), severity="information" if event.was_written else "error", markup=False)

    def action_copy_curl(self) -> None:
        """Copy the request for what is shown."""
        whose = {"tenantId": self.tenant_id} if self.tenant_id else {}
        if self.query_one(TabbedContent).active == "sql-view":
            line = curl(
                self.operating.link_url,
                "POST",
                "/analytics/query",
                body={"sql": self.box.text, **({} if self.is_everyones else whose)},
            )
        else:
            query = {**whose, "interval": self.interval, "groupBy": self.group, "from": since_of(self.span)}
            line = curl(self.operating.link_url, "GET", "/usage/history", query=query)
        self.operating.copy(line, what="command")


async def names_of(client: Client, tenant_id: str | None, group: Group) -> dict[str, str]:
    """Return the names of what is used by, where it is divided by things that have names of their own."""
    asked = {"key": names.of_keys, "account": names.of_accounts}.get(group)
    return await asked(client, tenant_id) if asked is not None else {}


def _group_columns() -> Sequence[Column[Line]]:
    return [
        Column("name", lambda line: line.name, grows=True),
        Column("share", lambda line: f"{bar(line.share, width=6)} {line.share:4.0%}", sort=lambda line: line.share, width=11),
        Column("requests", lambda line: shown.number(line.requests), right=True, sort=lambda line: line.requests),
        Column("errors", lambda line: shown.number(line.errors), right=True, sort=lambda line: line.errors, tone=_errors),
        Column("refused", lambda line: shown.number(line.refused), right=True, sort=lambda line: line.refused),
        Column("tokens", lambda line: shown.number(line.tokens), right=True, sort=lambda line: line.tokens),
    ]


def _errors(line: Line) -> Tone:
    return "bad" if line.errors else "dim"


def _quota_columns() -> Sequence[Column[Quota]]:
    return [
        Column("limit", lambda quota: quota.name, width=20),
        Column("", _filled, tone=_fullness, width=18, sort=lambda quota: quota.percent),
        Column("used", lambda quota: f"{quota.used} of {quota.limit}", width=18),
        Column("outlook", lambda quota: quota.outlook, tone=_outlook, width=14, grows=True),
    ]


def _filled(quota: Quota) -> str:
    return f"{bar(quota.percent / 100, width=9)} {quota.percent:5.1f} %"


def _fullness(quota: Quota) -> Tone:
    return "bad" if quota.percent >= NEARLY else "warn" if quota.percent >= WARNED else "good"


def _outlook(quota: Quota) -> Tone:
    return "bad" if quota.outlook.startswith("USED UP") else "dim"
