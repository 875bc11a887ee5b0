"""The server's own log, live, for the operator: its last lines, filtered, each in full beside them."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tenantai.client import Client
from tenantai.tui import shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.differences import fields
from tenantai.tui.gathering import Gathering
from tenantai.tui.places import BY_NAME
from tenantai.tui.screens.place import Place
from tenantai.tui.screens.questions import Choice, Choose
from tenantai.tui.terms import TermWrong, completing, parse
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.details_pane import DetailsPane
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.wire.logs import LINES_MAX, LogLevel, LogLine

LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
LINES_KEPT = 5_000
NAMES = ("level", "tenant", "request")
HINT = "level:warning tenant:ID request:ID words; Tab completes, Esc clears"
TYPED_SECONDS = 0.25
AROUND = timedelta(minutes=10)
NOT_YOURS = "The server's log is read with the operator's key only. ctrl+l takes another key."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for, of the server and (where the filter is turned around) of each line here."""

    asked: dict[str, Any]
    passes: Callable[[LogLine], bool] | None = None


class Logs(Place):
    """Lines as they come, the newest first; no more than `LINES_KEPT` are kept."""

    SPOT: ClassVar[str] = "logs"
    DEFAULT_CSS: ClassVar[str] = """
    Logs.-wide #details { width: 36%; min-width: 30; }
    Logs #not-yours { padding: 1 2; display: none; height: auto; }
    Logs.not-yours #not-yours { display: block; }
    Logs.not-yours .columns { display: none; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("logs.follow", "f", "follow_live", "Pause", "Stop where it is, or go on live with all that came meanwhile.", word="follow", scope="system:admin"),
        Action("logs.level", "L", "next_level", "Level", "Show only lines of a graver level; after the gravest all again.", word="level", scope="system:admin"),
        Action("logs.lead", "J", "lead_on", "Go to", "Go to the tenant of the line, or to what its request changed in the audit log.", word="go-to"),
        Action("logs.curl", "c", "copy_curl", "Copy curl", "Copy the request for these lines as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Loaded(Message):
        """The last lines came."""

        wanted: Wanted
        lines: list[LogLine]
        last_event_id: str

    @dataclass
    class Arrived(Message):
        """A line was written."""

        wanted: Wanted
        line: LogLine

    def __init__(self) -> None:
        super().__init__()
        self.is_live = True
        self.wanted = Wanted({})
        self._typing: Timer | None = None
        self._arrivals = Gathering[LogLine](self, self._show_arrivals)

    def compose_middle(self) -> ComposeResult:
        """Lay out the lines and the details."""
        columns = [
            Column[LogLine]("time", lambda line: shown.when(line.time)[11:], width=8),
            Column[LogLine]("level", lambda line: line.level, tone=tone_of, width=8),
            Column[LogLine]("message", message_of, width=40, grows=True),
        ]
        yield Static(NOT_YOURS, id="not-yours", markup=False)
        with Container(classes="columns"):
            yield RecordList[LogLine](
                columns, key=_key, noun="lines", filters_on_server=True, completing=self._completing, filter_hint=HINT
            )
            yield DetailsPane(id="details", classes="side")

    @property
    def records(self) -> RecordList[LogLine]:
        """The list."""
        return self.query_one(RecordList)

    @property
    def is_ours(self) -> bool:
        """Whether the key may read the log."""
        who = self.operating.link_state.who
        return who is not None and who.is_operator

    def load(self) -> None:
        """Ask for the last lines that the filter leaves, and follow from there."""
        self.set_class(not self.is_ours, "not-yours")
        if not self.is_ours:
            return
        try:
            wanted = wanted_of(self.records.filter_text, inverted=self.records.inverted)
        except TermWrong as wrong:
            self.notify(str(wrong), severity="warning", markup=False)
            return
        self.stop("follow")

        async def work(client: Client) -> Message:
            page = await client.logs.page(**wanted.asked, limit=LINES_MAX)
            lines = [line for line in page.lines if wanted.passes is None or wanted.passes(line)]
            return self.Loaded(wanted, lines, page.last_event_id)

        self.ask(work)

    def renew(self) -> None:
        """Leave the lines: they come by themselves."""

    @on(Loaded)
    def _loaded(self, event: Loaded) -> None:
        self.wanted = event.wanted
        self._arrivals.forget()
        self.records.show(event.lines)
        self._say_whether_live()
        if self.is_live:
            self._follow(event.wanted, after=event.last_event_id)

    def _follow(self, wanted: Wanted, *, after: str) -> None:
        last = after

        async def stream(client: Client) -> AsyncIterator[Message]:
            nonlocal last
            async for line in client.logs.follow(**wanted.asked, after=last):
                last = str(line.id)
                if wanted.passes is None or wanted.passes(line):
                    yield self.Arrived(wanted, line)

        self.follow(stream, group="follow")

    @on(Arrived)
    def _arrived(self, event: Arrived) -> None:
        if event.wanted is self.wanted:
            self._arrivals.add(event.line)

    def _show_arrivals(self, lines: Sequence[LogLine]) -> None:
        self.records.put_first(list(reversed(lines)), most=LINES_KEPT)

    @on(Place.Refused)
    def _follow_refused(self, event: Place.Refused) -> None:
        if event.followed == "follow":
            self.is_live = False
            self._say_whether_live()

    def action_follow_live(self) -> None:
        """Pause, or go on live."""
        self.is_live = not self.is_live
        if self.is_live:
            self.load()
        else:
            self.stop("follow")
            self._say_whether_live()

    def _say_whether_live(self) -> None:
        self.records.say("live" if self.is_live else "paused, f goes on")

    def action_next_level(self) -> None:
        """Show only graver lines, or all again."""
        level = self.wanted.asked.get("level")
        following = (None, *LEVELS[1:])
        wanted = following[(following.index(level) + 1) % len(following)]
        rest = [token for token in self.records.filter_text.split() if not token.startswith("level:")]
        self._filter_by(" ".join([*([f"level:{wanted}"] if wanted else []), *rest]))

    def _filter_by(self, text: str) -> None:
        if text:
            self.records.action_filter(text)
        else:
            self.records.clear()

    @on(RecordList.Filtered)
    def _filtered(self) -> None:
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPED_SECONDS, self.load)

    def _completing(self, text: str) -> list[str]:
        tenants = dict.fromkeys(line.tenant_id for line in self.records.table.rows if line.tenant_id)
        requests = dict.fromkeys(line.request_id for line in self.records.table.rows if line.request_id)
        return completing(text, {"level": lambda: LEVELS, "tenant": lambda: tenants, "request": lambda: requests})

    @on(RecordList.TargetsChanged)
    def _show_details(self) -> None:
        line = self.records.current
        self.query_one(DetailsPane).show(described(line) if line is not None else ["No line."])
        self.refresh_bindings()

    def applies(self, action: str) -> bool | None:
        """Grey what needs a line that leads somewhere."""
        if action == "lead_on":
            line = self.records.current
            return True if line is not None and (line.tenant_id or line.request_id) else None
        return True

    @on(RecordTable.Chosen)
    def _chosen(self, event: RecordTable.Chosen) -> None:
        event.stop()
        self.action_lead_on()

    def action_lead_on(self) -> None:
        """Ask where to go from the line, and go there."""
        line = self.records.current
        if line is None:
            return
        choices = leads(line)
        if not choices:
            self.notify("This line leads to nothing else.", markup=False)
            return

        def chosen(choice: object) -> None:
            if isinstance(choice, str):
                if line.tenant_id is not None:
                    self.operating.tenant_id = line.tenant_id
                place, _, what = choice.partition(" ")
                self.show_elsewhere(place, what)

        self.app.push_screen(Choose("Where to, from this line?", choices, noun="ways"), chosen)

    def reveal(self, record_id: str) -> None:
        """Show the lines of something: `name:value`, or words."""
        self._filter_by(record_id)

    def action_copy_curl(self) -> None:
        """Copy the request for these lines."""
        names = {"level": "level", "text": "q", "tenant_id": "tenantId"}
        query = {names[name]: str(value) for name, value in self.wanted.asked.items()}
        self.operating.copy(curl(self.operating.link_url, "GET", "/logs", query=query or None), what="command")


def wanted_of(text: str, *, inverted: bool) -> Wanted:
    """Return what a typed filter asks for; raises TermWrong."""
    terms = parse(text, NAMES)
    level = terms.values.get("level")
    if level is not None and level not in LEVELS:
        raise TermWrong(f"There is no level {shown.line(level)}. There are {', '.join(LEVELS)}.")
    words = " ".join([*([terms.values["request"]] if "request" in terms.values else []), *terms.words])
    given = {"level": level, "text": words or None, "tenant_id": terms.values.get("tenant")}
    asked = {name: value for name, value in given.items() if value is not None}
    if inverted and asked:
        return Wanted({}, lambda line: not _matches(line, asked))
    return Wanted(asked)


def _matches(line: LogLine, asked: dict[str, Any]) -> bool:
    """Tell whether the server would give a line for what is asked."""
    ranks: dict[str, int] = {level: rank for rank, level in enumerate(LEVELS)}
    told = json.dumps([line.message, line.request_id, line.tenant_id, line.fields], ensure_ascii=False).casefold()
    return (
        ranks.get(line.level, 0) >= ranks.get(asked.get("level", LEVELS[0]), 0)
        and asked.get("tenant_id") in {None, line.tenant_id}
        and str(asked.get("text", "")).casefold() in told
    )


def described(line: LogLine) -> list[Content | str]:
    """Return all that a line says."""
    facts = {"level": line.level, "request": line.request_id, "tenant": line.tenant_id}
    return [
        Content.styled(shown.lines(line.message), "bold"),
        shown.when(line.time),
        "",
        *(Content.assemble((f"{name:<9}", "$text-muted"), shown.line(value)) for name, value in facts.items() if value),
        "",
        *fields(line.fields),
    ]


def leads(line: LogLine) -> list[Choice]:
    """Return where one can go from a line."""
    found: list[Choice] = []
    if line.request_id and line.tenant_id and "audit" in BY_NAME:
        moment = datetime.fromisoformat(line.time)
        span = f"from:{(moment - AROUND).isoformat()} to:{(moment + AROUND).isoformat()}"
        found.append(Choice(f"audit request:{line.request_id} {span}", "What the request changed", line.request_id))
    if line.tenant_id and "tenants" in BY_NAME:
        found.append(Choice(f"tenants {line.tenant_id}", "The tenant", line.tenant_id))
    return found


def tone_of(line: LogLine) -> Tone:
    """Return the colour of a line's level."""
    tones: dict[str, Tone] = {"debug": "dim", "warning": "warn", "error": "bad", "critical": "bad"}
    return tones.get(line.level, "")


def message_of(line: LogLine) -> str:
    """Return a line in short: a request as what it was and came to, another as its message and fields."""
    told = line.fields
    if line.message == "request" and "path" in told:
        return f"{told.get('status', '')} {told.get('method', '')} {told['path']}  {told.get('ms', '')} ms"
    return "  ".join([line.message, *(f"{name}={value}" for name, value in told.items())])


def _key(line: LogLine) -> tuple[int, str]:
    """Return what a line is known by: its id, which begins anew with the server, and its time."""
    return line.id, line.time
