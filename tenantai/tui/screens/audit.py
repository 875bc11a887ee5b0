"""The audit log: ten million entries to scroll, filter, follow, prove and take away."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tenantai.client import AuditFilters, Client
from tenantai.tui import names, shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.audit_export import FORMS, HERE, pieces
from tenantai.tui.audit_rows import Log, Part, SiftedLog, WholeLog
from tenantai.tui.audit_terms import HINT, Asked, asked, values
from tenantai.tui.clipboard import export_name
from tenantai.tui.curl import curl
from tenantai.tui.gathering import Gathering
from tenantai.tui.saving import save
from tenantai.tui.screens.audit_entry import described, leads
from tenantai.tui.screens.place import Place
from tenantai.tui.screens.questions import Choice, Choose
from tenantai.tui.terms import TermWrong, completing
from tenantai.tui.widgets.columns import Column, Tone
from tenantai.tui.widgets.details_pane import DetailsPane
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.tui.widgets.vast_list import VastList
from tenantai.wire.audit import AuditProof, AuditRecord

TYPED_SECONDS = 0.25
GOOD = frozenset({"created", "uploaded", "indexed", "included", "approved", "completed"})
BAD = frozenset({"deleted", "revoked", "failed", "refused", "unauthenticated", "denied", "erased", "alert"})


class Audit(Place):
    """The entries in a vast list, the one under the cursor in full beside it."""

    SPOT: ClassVar[str] = "audit"
    DEFAULT_CSS: ClassVar[str] = """
    Audit.-wide #details { width: 36%; min-width: 30; }
    Audit #proof { height: auto; max-height: 4; padding: 0 1; background: $panel; display: none; }
    Audit #proof.told { display: block; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("audit.follow", "f", "follow_live", "Live", "Show new entries as they are written, or no longer.", word="follow", scope="audit:read"),
        Action("audit.lead", "J", "lead_on", "Go to", "Go to the tenant, the file, the key or the account that the entry is about.", word="go-to"),
        Action("audit.verify", "v", "verify", "Prove", "Prove the chain of hashes, from the first entry to the last; with an anchor, that it is the one that gave it.", argument="anchor", scope="audit:read"),
        Action("audit.anchor", "a", "copy_anchor", "Copy anchor", "Copy the anchor of the proof, to keep it where this server can't reach.", word="anchor", in_footer=False),
        Action("audit.operator", "O", "turn_to_operator", "Operator's", "Show the operator's own log, or the tenant's again.", word="operators-log", scope="system:admin", in_footer=False),
        Action("audit.curl", "c", "copy_curl", "Copy curl", "Copy the request for these entries as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Loaded(Message):
        """The first entries of a log came."""

        log: Log
        part: Part

    @dataclass
    class Named(Message):
        """The names of the tenant's keys came."""

        names: dict[str, str]

    @dataclass
    class Came(Message):
        """Entries came for rows that are looked at."""

        log: Log
        part: Part | None

    @dataclass
    class Arrived(Message):
        """An entry was written."""

        log: Log
        entry: AuditRecord

    @dataclass
    class Proved(Message):
        """Another part of the chain was proved."""

        proof: AuditProof
        checked: int

    @dataclass
    class Saved(Message):
        """A file was written, or could not be."""

        sentence: str
        was_written: bool

    def __init__(self) -> None:
        super().__init__()
        self.log_shown: Log | None = None
        self.asked = Asked(AuditFilters())
        self.is_following = False
        self.is_operators = False
        self.proof: AuditProof | None = None
        self.key_names: dict[str, str] = {}
        self._typing: Timer | None = None
        self._arrivals = Gathering[AuditRecord](self, self._show_arrivals)

    def compose_middle(self) -> ComposeResult:
        """Lay out the entries, the proof and the details."""
        columns = [
            Column[AuditRecord]("time", lambda entry: shown.when(entry.created_at), width=19),
            Column[AuditRecord]("event", lambda entry: entry.event_type, tone=tone_of, width=20),
            Column[AuditRecord]("who", self._who, width=15),
            Column[AuditRecord]("what", what_of, width=30, grows=True),
        ]
        with Container(classes="columns"):
            with Vertical():
                yield VastList[AuditRecord](
                    columns, key=lambda entry: entry.sequence, noun="entries", completing=self._completing, filter_hint=HINT
                )
                yield Static("", id="proof", markup=False)
            yield DetailsPane(id="details", classes="side")

    def _who(self, entry: AuditRecord) -> str:
        return self.key_names.get(entry.key_id or "", _short(entry.actor))

    @property
    def records(self) -> VastList[AuditRecord]:
        """The list."""
        return self.query_one(VastList)

    @property
    def chain(self) -> str | None:
        """Whose log is asked for; None is the key's own, which for the operator is the operator's."""
        return None if self.is_operators else self.tenant_id

    def load(self) -> None:
        """Ask for the newest entries that the filter leaves, and for the names of the keys that they tell of."""
        self.run_filter()
        chain = self.chain

        async def work(client: Client) -> Message:
            return self.Named(await names.of_keys(client, chain))

        self.ask(work, group="names")

    def renew(self) -> None:
        """Ask for the newest entries, where one looks at these and they do not come by themselves."""
        if not self.is_following and not self.records.vast.scroll_offset.y:
            self.run_filter()

    @on(Named)
    def _named(self, event: Named) -> None:
        self.key_names = event.names
        self.records.table.refresh()
        self._show_details()

    def run_filter(self) -> None:
        """Ask for what is typed in the filter, or say what is wrong with it."""
        try:
            self.asked = asked(self.records.filter_text, inverted=self.records.inverted, tenant_id=self.chain)
        except TermWrong as wrong:
            self.records.say(str(wrong))
            return
        self.records.say("live" if self.is_following else "")
        log: Log = WholeLog(self.asked.filters) if self.asked.is_whole else SiftedLog(self.asked.filters, self.asked.passes)

        async def work(client: Client) -> Message:
            return self.Loaded(log, await log.first_part(client))

        self.ask(work)

    @on(Loaded)
    def _loaded(self, event: Loaded) -> None:
        self.log_shown = event.log
        self._arrivals.forget()
        event.log.take(event.part)
        self.records.begin(event.log)
        if self.is_following:
            self._follow(event.log, after=event.part.last_event_id)

    @on(VastList.WantsRows)
    def _wants_rows(self, event: VastList.WantsRows) -> None:
        log = self.log_shown
        if log is None:
            return

        async def work(client: Client) -> Message:
            return self.Came(log, await log.part(client, event.first, event.last))

        self.ask(work, group="rows")

    @on(Came)
    def _came(self, event: Came) -> None:
        if event.log is self.log_shown:
            if event.part is not None:
                event.log.take(event.part)
            self.records.renew()

    @on(RecordList.Filtered)
    def _filtered(self) -> None:
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPED_SECONDS, self.run_filter)

    def _completing(self, text: str) -> list[str]:
        return completing(text, values(self.records.table.rows))

    @on(RecordList.TargetsChanged)
    def _show_details(self) -> None:
        entry = self.records.current
        self.query_one(DetailsPane).show(described(entry, self.key_names) if entry is not None else ["No entry."])
        self.refresh_bindings()

    def applies(self, action: str) -> bool | None:
        """Grey what needs an entry or a proof."""
        if action == "lead_on":
            return True if self.records.current is not None else None
        if action == "copy_anchor":
            return True if self.proof is not None else None
        return True

    @on(Place.Refused)
    def _follow_refused(self, event: Place.Refused) -> None:
        if event.followed == "follow":
            self.is_following = False
            self.records.say("no longer live")
        elif event.error.retry_after:
            self.set_timer(event.error.retry_after, self.records.renew)

    def action_follow_live(self) -> None:
        """Follow, or no longer."""
        self.is_following = not self.is_following
        if self.is_following:
            self.load()
        else:
            self.stop("follow")
            self.records.say("")

    def _follow(self, log: Log, *, after: int) -> None:
        last = str(after)

        async def stream(client: Client) -> AsyncIterator[Message]:
            nonlocal last
            async for entry in client.audit.follow(log.filters, after=last):
                last = str(entry.sequence)
                yield self.Arrived(log, entry)

        self.follow(stream, group="follow")

    @on(Arrived)
    def _arrived(self, event: Arrived) -> None:
        if event.log is self.log_shown:
            self._arrivals.add(event.entry)

    def _show_arrivals(self, entries: Sequence[AuditRecord]) -> None:
        log = self.log_shown
        if log is None:
            return
        self.records.renew(shifted=log.put_first(entries))
        if log.is_overfull:
            self.load()

    @on(RecordTable.Chosen)
    def _chosen(self) -> None:
        self.action_lead_on()

    @work(exit_on_error=False)
    async def action_lead_on(self) -> None:
        """Go to what the entry is about."""
        entry, who = self.records.current, self.operating.link_state.who
        if entry is None:
            return
        choices = leads(entry, can_read_logs=who is not None and who.is_operator)
        if not choices:
            self.notify("This entry leads to nothing else.", markup=False)
            return
        title = f"Where to, from {shown.line(entry.event_type)}?"
        chosen = choices[0].value if len(choices) == 1 else await self.app.push_screen_wait(Choose(title, choices, noun="ways"))
        if isinstance(chosen, str):
            place, _, what = chosen.partition(" ")
            self.show_elsewhere(place, what)

    def reveal(self, record_id: str) -> None:
        """Show the entries about something: `name:value`, or an id."""
        field = self.records.query_one("#filter")
        self.records.action_filter(record_id if ":" in record_id else f"subject:{record_id}")
        field.refresh()

    def action_verify(self, anchor: str = "") -> None:
        """Prove the chain."""
        chain = self.chain
        self._tell_proof("Proving the chain …")

        async def stream(client: Client) -> AsyncIterator[Message]:
            checked = 0
            async for proof in client.audit.proofs(tenant_id=chain, anchor=anchor or None):
                checked += proof.checked
                yield self.Proved(proof, checked)

        self.follow(stream, group="proof")

    @on(Proved)
    def _proved(self, event: Proved) -> None:
        proof = event.proof
        self.proof = proof
        checked = shown.number(event.checked)
        if proof.broken is not None:
            self._tell_proof(
                f"The chain is BROKEN at entry {shown.number(proof.broken.sequence)}: {shown.line(proof.broken.fault)}."
            )
            self.notify("The chain of the audit log is broken.", severity="error", timeout=20, markup=False)
        elif proof.is_complete:
            self._tell_proof(
                f"The chain holds: {checked} entries proved. Its anchor (a copies it): {shown.line(proof.proved.anchor)}"
            )
        else:
            self._tell_proof(f"Proving the chain … {checked} entries hold so far.")
        self.refresh_bindings()

    def _tell_proof(self, text: str) -> None:
        strip = self.query_one("#proof", Static)
        strip.update(text)
        strip.add_class("told")

    def go_back(self) -> bool:
        """End a proof's message, or what else Escape ends."""
        strip = self.query_one("#proof", Static)
        if strip.has_class("told") and not self.records.filter_text:
            self.stop("proof")
            strip.remove_class("told")
            return True
        return super().go_back()

    def action_copy_anchor(self) -> None:
        """Copy the anchor of the proof."""
        if self.proof is not None:
            self.operating.copy(self.proof.proved.anchor, what="anchor")

    def action_turn_to_operator(self) -> None:
        """Show the operator's own log, or the tenant's again."""
        self.is_operators = not self.is_operators
        self.records.noun = "entries of the operator's own log" if self.is_operators else "entries"
        self.load()

    @on(VastList.ExportWanted)
    @work(exit_on_error=False)
    async def _export_wanted(self) -> None:
        """Write all entries that the filter leaves into a file."""
        wanted = self.asked
        forms = [Choice(form, about) for form, about in FORMS.items() if wanted.passes is None or form in HERE]
        form = await self.app.push_screen_wait(Choose("Write all these entries into a file. Which kind?", forms, noun="kinds"))
        if not isinstance(form, str):
            return
        folder, name = self.operating.folder / "exports", export_name("audit", form)

        async def work(client: Client) -> Message:
            try:
                return self.Saved(f"Written: {await save(folder, name, pieces(client, wanted, form))}", was_written=True)
            except OSError as error:
                return self.Saved(f"The file could not be written: {error.strerror}.", was_written=False)

        self.notify("Writing the file …", timeout=3, markup=False)
        self.ask(work, group="export")

    @on(Saved)
    def _saved(self, event: Saved) -> None:
        self.notify(shown.line(event.sentence), severity="information" if event.was_written else "error", markup=False)

    def action_copy_curl(self) -> None:
        """Copy the request for these entries."""
        self.operating.copy(curl(self.operating.link_url, "GET", "/audit", query=self.asked.filters.query), what="command")


def tone_of(entry: AuditRecord) -> Tone:
    """Return the colour of an event: made, gone or refused, or just changed."""
    verb = entry.event_type.rpartition(".")[2]
    return "good" if verb in GOOD else "bad" if verb in BAD else ""


def what_of(entry: AuditRecord) -> str:
    """Return in a few words what an entry is about."""
    details = entry.details
    sides = [side for name in ("after", "before") if isinstance(side := details.get(name), dict)]
    named = next((str(side["name"]) for side in (details, *sides) if side.get("name")), "")
    before, after = details.get("before"), details.get("after")
    changed = ", ".join(after) if isinstance(before, dict) and isinstance(after, dict) else ""
    told = details.get("error_message") or details.get("reason") or details.get("route") or ""
    return "  ".join(filter(None, (named, changed, str(told), _short(entry.subject_id or ""))))


def _short(identifier: str) -> str:
    """Return an id by its last characters, which tell ids of one hour apart."""
    kind, colon, name = identifier.rpartition(":")
    return f"{kind}{colon}…{name[-8:]}" if len(name) == 36 else identifier  # noqa: PLR2004  a UUID
