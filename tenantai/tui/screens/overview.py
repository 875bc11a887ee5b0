"""The first place: how the server and the tenants are now.

What must stay true: it imports nothing of the client before the server is there; while it is shown, it asks for what counts against
a tenant's limits no more than once in half a minute.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Sparkline, Static

from tenantai.tui import refusals, shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.places import BY_NAME
from tenantai.tui.screens.place import Place
from tenantai.tui.widgets import overview_text as says
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.tui.widgets.scrolling import Scrolling

if TYPE_CHECKING:
    from tenantai.client import Client, ClientError
    from tenantai.wire.answers import Health, Readiness
    from tenantai.wire.files import Progress
    from tenantai.wire.overview import Overview as ServerOverview
    from tenantai.wire.overview import RunningOperation, UsageAlert, UsageSpan
    from tenantai.wire.usage import UsageReport
    from tenantai.wire.usage_history import UsageHistory

EVERY_SECONDS = 5.0
METERED_EVERY_SECONDS = 30.0
LOADING = "Loading…"
NOTHING = "There is no tenant yet, or the key may not read its use (usage:read)."
MAY_NOT = "the key may not read it ({})."
HOW_OFTEN = "Asked every 5 s; what counts against limits, every 30 s. ctrl+r asks now."
FULL = 100


class Overview(Place):
    """Health, use, quotas, what is under way, and alerts, at a glance."""

    SPOT: ClassVar[str] = "overview"
    DEFAULT_CSS: ClassVar[str] = """
    Overview #panels { layout: grid; grid-size: 2; grid-rows: 12 1fr; height: 1fr; }
    Overview.operator #panels { grid-rows: 12 9 1fr; }
    Overview .panel { border: round $panel; border-title-color: $text-accent; padding: 0 1; height: 100%; scrollbar-size-vertical: 1; }
    Overview .panel:focus-within { border: round $primary; }
    Overview .panel Static { height: auto; }
    Overview Sparkline { height: 1fr; min-height: 2; max-height: 6; margin-bottom: 1; }
    Overview #tokens-bars { margin-bottom: 0; }
    Overview #foot { height: auto; padding: 0 1; color: $text-muted; dock: bottom; }
    Overview #foot.trouble { color: $text-warning; }
    Overview.-narrow #panels, Overview.operator.-narrow #panels { layout: vertical; overflow-y: auto; scrollbar-size-vertical: 1; }
    Overview.-narrow .panel { height: auto; }
    Overview.-narrow Sparkline { height: 2; }
    Overview.-narrow .rows { height: 9; }
    Overview .of-all { display: none; }
    Overview.operator .of-all { display: block; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("overview.span", "s", "switch_span", "Hour or day", "Show the use of the last hour by minutes, or of the last day by hours.", word="span"),
        Action("overview.curl", "c", "copy_curl", "Copy curl", "Copy the request for what is shown as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    span: "reactive[UsageSpan]" = reactive("hour", init=False)

    @dataclass
    class Seen(Message):
        """How the server is; over all tenants, too, where the operator asks."""

        health: "Health"
        ready: "Readiness"
        overview: "ServerOverview | None"

    @dataclass
    class Used(Message):
        """What the tenant used came."""

        report: "UsageReport"

    @dataclass
    class UsedBefore(Message):
        """What the tenant used hour by hour came."""

        history: "UsageHistory"

    @dataclass
    class Progressed(Message):
        """How far the tenant's store is came."""

        progress: "Progress"

    @dataclass
    class Trouble(Message):
        """Something could not be asked."""

        error: "ClientError"

    def __init__(self) -> None:
        super().__init__()
        self._asked_metered = 0.0
        self._not_before = 0.0
        self._said_until = 0.0
        self._turn = 0
        self._seen_by: tuple[str | None, str | None] | None = None
        self._report: UsageReport | None = None
        self._progress: Progress | None = None

    def compose_middle(self) -> ComposeResult:
        """Lay out the panels."""
        operations: list[Column[RunningOperation]] = [
            Column("tenant", lambda running: running.tenant_name or running.tenant_id, grows=True),
            Column("what", lambda running: f"{running.kind} {running.stage or ''}"),
            Column("done", lambda running: f"{running.percentage:.0f} %", right=True, sort=lambda running: running.percentage),
            Column("files", lambda running: f"{running.processed_files}/{running.total_files}", right=True),
            Column("left", lambda running: shown.duration(running.eta_seconds) if running.eta_seconds is not None else "–"),
        ]
        alerts: list[Column[UsageAlert]] = [
            Column("tenant", lambda alert: alert.tenant_name or alert.tenant_id, grows=True),
            Column("limit", lambda alert: says.limit_name(alert.limit)),
            Column(
                "used",
                lambda alert: f"{alert.percent} %",
                right=True,
                tone=lambda alert: "bad" if alert.percent >= FULL else "warn",
            ),
            Column("at", lambda alert: shown.when(alert.created_at)[5:16], sort=lambda alert: alert.created_at),
        ]
        with Scrolling(id="panels"):
            yield _panel("Server", Static(LOADING, id="health", markup=False))
            yield _panel("Limits", Static("", id="quotas", markup=False), id="limits")
            yield self._use_panel()
            yield _panel("Now", Static(LOADING, id="now", markup=False))
            yield _rows(
                "Syncs and indexing",
                RecordList(operations, key=lambda one: one.operation_id, noun="operations", markable=False, id="operations"),
            )
            yield _rows(
                "Alerts of 30 days",
                RecordList(
                    alerts,
                    key=lambda one: (one.tenant_id, one.limit, one.percent, one.created_at),
                    noun="alerts",
                    markable=False,
                    id="alerts",
                ),
            )
        yield Static(HOW_OFTEN, id="foot", markup=False)

    def _use_panel(self) -> Vertical:
        lines = (
            Static("", id="requests", markup=False),
            Sparkline([], id="requests-bars"),
            Static("", id="tokens", markup=False),
            Sparkline([], id="tokens-bars"),
        )
        panel = Vertical(*lines, classes="panel", id="use")
        panel.border_title = "Use"
        return panel

    def on_mount(self) -> None:
        """Ask again while it is shown."""
        self.set_interval(EVERY_SECONDS, self._tick)

    def focus_main(self) -> None:
        """Give the focus to the first list; to the panels, which scroll then, where it is narrow or the key sees one tenant."""
        has_lists = self.is_of_all and not self.has_class("-narrow")
        (self.query_one("#operations", RecordList).table if has_lists else self.query_one("#panels")).focus()

    @property
    def is_of_all(self) -> bool:
        """Whether the key may see all tenants."""
        who = self.operating.link_state.who
        return who is not None and who.is_operator

    def load(self) -> None:
        """Ask for everything."""
        self.set_class(self.is_of_all, "operator")
        if self.focused in {None, self.query_one("#panels")}:
            self.call_after_refresh(self.focus_main)
        who = self.operating.link_state.who
        seen_by = (self.tenant_id, who.key_id if who is not None else None)
        if seen_by != self._seen_by:
            self._seen_by, self._report, self._progress = seen_by, None, None
            self._begin_with()
        self.query_one("#limits").border_title = f"Limits of {self.operating.tenant_name}"
        self._not_before = self._said_until = 0.0
        self._ask_free()
        for ask in self._metered():
            ask()
        self._asked_metered = time.monotonic()

    def _begin_with(self) -> None:
        """Say of another tenant, or another key, what is coming and what the key may not read."""
        may_see_use = self.tenant_id is not None and self._may("usage:read")
        self.query_one("#quotas", Static).update(LOADING if may_see_use else NOTHING)
        if not self._may("usage:read"):
            for name in ("requests", "tokens"):
                self.query_one(f"#{name}", Static).update(f"{name}: {MAY_NOT.format('usage:read')}")
        self._say_now()

    def _may(self, scope: str) -> bool:
        who = self.operating.link_state.who
        return self.is_of_all or (who is not None and scope in who.scopes)

    def renew(self) -> None:
        """Leave it to the clock that renews it while it is shown."""

    def _tick(self) -> None:
        if not self.is_current or self.operating.link_state.status != "online" or time.monotonic() < self._not_before:
            return
        self._ask_free()
        metered = self._metered()
        if metered and time.monotonic() - self._asked_metered >= METERED_EVERY_SECONDS:
            self._asked_metered = time.monotonic()
            self._turn += 1
            metered[self._turn % len(metered)]()

    def _metered(self) -> list[Callable[[], None]]:
        """Return what can be asked that counts against limits: all of it in turn, one at a time."""
        if self.tenant_id is None:
            return []
        if self.is_of_all:
            return [self._ask_report]
        asks = [self._ask_report, self._ask_history] if self._may("usage:read") else []
        return [*asks, *([self._ask_progress] if self._may("store:read") else [])]

    def _ask_quietly(self, work: "Callable[[Client], Awaitable[Message]]", *, group: str) -> None:
        """Ask; what goes wrong is said in the last line, for it would come again every few seconds."""

        async def quiet(client: "Client") -> Message:
            from tenantai.client import ClientError  # noqa: PLC0415  the first frame does not wait for it

            try:
                return await work(client)
            except ClientError as error:
                return self.Trouble(error)

        self.ask(quiet, group=group)

    def _ask_free(self) -> None:
        is_of_all, span = self.is_of_all, self.span

        async def work(client: "Client") -> Message:
            health, ready = await client.probes.health(), await client.probes.ready()
            return self.Seen(health, ready, await client.probes.overview(span) if is_of_all else None)

        self._ask_quietly(work, group="load")

    def _ask_report(self) -> None:
        tenant_id = self.tenant_id

        async def work(client: "Client") -> Message:
            return self.Used(await client.usage.report(tenant_id=tenant_id))

        self._ask_quietly(work, group="load-report")

    def _ask_history(self) -> None:
        since = (datetime.now(tz=UTC) - timedelta(hours=says.HOURS)).strftime("%Y-%m-%dT%H:00:00Z")

        async def work(client: "Client") -> Message:
            return self.UsedBefore(await client.usage.history(since=since, interval="hour"))

        self._ask_quietly(work, group="load-history")

    def _ask_progress(self) -> None:
        tenant_id = self.tenant_id or ""

        async def work(client: "Client") -> Message:
            return self.Progressed(await client.store.progress(tenant_id))

        self._ask_quietly(work, group="load-progress")

    @on(Seen)
    def _seen(self, event: Seen) -> None:
        if time.monotonic() >= self._said_until:
            self._foot("")
        self.query_one("#health", Static).update(says.health_text(event.health, event.ready))
        overview = event.overview
        if overview is None:
            return
        self.query_one("#now", Static).update(says.now_text(overview))
        self.query_one("#operations", RecordList).show(overview.operations)
        self.query_one("#alerts", RecordList).show(overview.alerts)
        if overview.usage is None:
            self.query_one("#requests", Static).update("Analytics can't be asked now.")
            return
        buckets = overview.usage.buckets
        tokens = [float(bucket.input_tokens + bucket.output_tokens) for bucket in buckets]
        self._bars([float(bucket.requests) for bucket in buckets], tokens, in_hour=overview.usage.span == "hour")

    def _bars(self, requests: list[float], tokens: list[float], *, in_hour: bool) -> None:
        for name, counts in (("requests", requests), ("tokens", tokens)):
            self.query_one(f"#{name}", Static).update(says.counts_text(name, counts, in_hour=in_hour))
            self.query_one(f"#{name}-bars", Sparkline).data = counts

    @on(Used)
    def _used(self, event: Used) -> None:
        self._report = event.report
        self.query_one("#quotas", Static).update(says.quotas_text(event.report))
        self._say_now()

    @on(UsedBefore)
    def _used_before(self, event: UsedBefore) -> None:
        requests, tokens = says.by_hours(event.history.buckets, datetime.now(tz=UTC))
        self._bars(requests, tokens, in_hour=False)

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        self._progress = event.progress
        self._say_now()

    def _say_now(self) -> None:
        if not self.is_of_all:
            streams = self._report.streams if self._report is not None else self._unknown("usage:read")
            self.query_one("#now", Static).update(says.tenant_now_text(streams, self._progress or self._unknown("store:read")))

    def _unknown(self, scope: str) -> str:
        """Return why something is not known: it is coming, or the key may not read it."""
        return LOADING if self._may(scope) else MAY_NOT.format(scope)

    @on(Trouble)
    def _troubled(self, event: Trouble) -> None:
        error = event.error
        if not self.operating.link.lost(error):
            wait = error.retry_after or 0
            self._not_before = time.monotonic() + wait
            self._said_until = time.monotonic() + max(wait, METERED_EVERY_SECONDS)
            said = f"{error.message} Asked again in {wait} s." if wait else refusals.sentence(error)
            self._foot(shown.line(said))

    def _foot(self, trouble: str) -> None:
        foot = self.query_one("#foot", Static)
        foot.set_class(bool(trouble), "trouble")
        foot.update(trouble or HOW_OFTEN)

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        """Work with the tenant of an operation or an alert, where more is to be seen of it."""
        tenant_id, place = event.record.tenant_id, "store" if hasattr(event.record, "operation_id") else "usage"
        self.operating.tenant_id = tenant_id
        if place in BY_NAME:
            self.operating.go_to(place)

    def applies(self, action: str) -> bool | None:
        """Grey the choice of a span where only the day is known."""
        return self.is_of_all or None if action == "switch_span" else True

    def action_switch_span(self) -> None:
        """Show the last day instead of the last hour, or the other way."""
        self.span = "day" if self.span == "hour" else "hour"
        self._ask_free()

    def action_copy_curl(self) -> None:
        """Copy the request for what is shown."""
        path, query = ("/overview", {"span": f"{self.span}"}) if self.is_of_all else ("/usage", None)
        self.operating.copy(curl(self.operating.link_url, "GET", path, query=query), what="command")


def _panel(title: str, *widgets: Any, id: str | None = None) -> VerticalScroll:  # noqa: A002  Textual's own name
    panel = VerticalScroll(*widgets, classes="panel", can_focus=False, id=id)
    panel.border_title = title
    return panel


def _rows(title: str, records: RecordList[Any]) -> Vertical:
    panel = Vertical(records, classes="panel rows of-all")
    panel.border_title = title
    return panel
