"""The questions of the place of tenants: a tenant's name, plan and limits, an account, and whether a tenant is to go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, get_args

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Label, Select, Static

from tenantai.tui import shown
from tenantai.tui.screens.questions import Question
from tenantai.tui.widgets.scrolling import Scrolling
from tenantai.wire.accounts import AccountRecord, Role
from tenantai.wire.tenants import PlanName, TenantLimits, TenantRecord

PLANS: tuple[str, ...] = get_args(PlanName)
ROLES: tuple[str, ...] = get_args(Role)
LIMITS = {name: info.alias or name for name, info in TenantLimits.model_fields.items()}
"""The limits by their names in a record, and their names in a request."""


@dataclass(frozen=True, slots=True)
class TenantWish:
    """A tenant as it is wanted; `limits` are its own, by the names of the record."""

    name: str
    email: str
    plan: str
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountWish:
    """An account as it is wanted."""

    name: str
    role: str
    email: str | None
    external_id: str | None


class Form(Question):
    """A question of several fields, each with its name before it.

    A field begins with a text as it may be drawn; one that is left as it was stands for the text itself.
    """

    DEFAULT_CSS: ClassVar[str] = """
    Form .field { height: auto; align-horizontal: left; }
    Form .field Label { width: 24; height: 1; color: $text-muted; }
    Form .field Input, Form .field Select { width: 1fr; }
    Form .fields { height: auto; max-height: 16; margin-bottom: 1; }
    Form .wrong { height: auto; min-height: 1; color: $text-error; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, str] = {}

    def entry(self, text: str | None, *, placeholder: str = "", id: str) -> Input:  # noqa: A002  Textual's own name
        """Return a field for a text that is there already, or for a new one."""
        self._before[id] = text or ""
        return Input(shown.line(text or ""), placeholder=placeholder, id=id, compact=True)

    def labelled(self, label: str, entry: Input | Select[str]) -> Horizontal:
        """Return a field with its name."""
        return Horizontal(Label(label, markup=False), entry, classes="field")

    def value(self, name: str) -> str:
        """Return what stands in a field."""
        typed, before = self.query_one(f"#{name}", Input).value, self._before.get(name, "")
        return before if typed == shown.line(before) else typed.strip()

    def wrong(self, sentence: str) -> None:
        """Say what is wrong, and stay."""
        self.query_one(".wrong", Static).update(sentence)

    def answers(self, yes: str) -> ComposeResult:
        """Lay out the end of the form."""
        yield Static("", classes="wrong", markup=False)
        with Horizontal():
            yield Button("Cancel", id="cancel")
            yield Button(yes, id="yes", variant="primary")

    def finish(self) -> None:
        """Take what was typed, or say what is wrong with it."""

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#yes")
    @on(Input.Submitted)
    def _taken(self) -> None:
        self.finish()


class TenantForm(Form):
    """A tenant: a new one, or one with its plan and limits; dismisses with a `TenantWish`, or None."""

    def __init__(self, tenant: TenantRecord | None, in_force: Mapping[str, int], *, is_operator: bool = True) -> None:
        super().__init__()
        self._tenant = tenant
        self._in_force = in_force
        self._is_operator = is_operator

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        tenant = self._tenant
        title = "A new tenant" if tenant is None else f"The tenant {shown.line(tenant.name, most=50)}"
        plan = tenant.plan if tenant is not None and tenant.plan in PLANS else PLANS[1]
        with Vertical():
            yield Static(title, classes="title", markup=False)
            with VerticalScroll(classes="fields", can_focus=False):
                yield self.labelled("name", self.entry(tenant.name if tenant else None, id="name"))
                if tenant is None:
                    yield self.labelled("e-mail", Input("", placeholder="ops@example.com", id="email", compact=True))
                if self._is_operator:
                    plans = [(name, name) for name in PLANS]
                    yield self.labelled("plan", Select(plans, value=plan, allow_blank=False, id="plan", compact=True))
                if tenant is not None and self._is_operator:
                    yield from self._limits(tenant)
            yield from self.answers("Make it" if tenant is None else "Change it")

    def _limits(self, tenant: TenantRecord) -> ComposeResult:
        yield Static("Limits of its own; what is left empty is its plan's.", classes="muted", markup=False)
        own = tenant.limits or {}
        for name in LIMITS:
            held = own.get(name)
            plans = "" if held is not None or name not in self._in_force else f"{self._in_force[name]} by its plan"
            entry = Input(
                "" if held is None else str(held),
                placeholder=plans or "as its plan has it",
                type="integer",
                id=name,
                compact=True,
            )
            yield self.labelled(name.replace("_", " "), entry)

    def finish(self) -> None:
        """Take what was typed."""
        name, email = self.value("name"), self.value("email") if self._tenant is None else ""
        if not name or (self._tenant is None and not email):
            self.wrong("A tenant needs a name and an e-mail address." if self._tenant is None else "A tenant needs a name.")
            return
        if not self._is_operator:
            self.dismiss(TenantWish(name, email, ""))
            return
        plan = self.query_one("#plan", Select).value
        typed = {} if self._tenant is None else {limit: self.value(limit) for limit in LIMITS}
        bad = [limit for limit, text in typed.items() if text and not text.isdigit()]
        if bad:
            self.wrong(f"{bad[0].replace('_', ' ').capitalize()} must be a whole number.")
            return
        self.dismiss(TenantWish(name, email, str(plan), {limit: int(text) for limit, text in typed.items() if text}))


class AccountForm(Form):
    """An account: a new one, or another name, role, e-mail or external id; dismisses with an `AccountWish`, or None."""

    def __init__(self, account: AccountRecord | None) -> None:
        super().__init__()
        self._account = account

    def compose(self) -> ComposeResult:
        """Lay out the form."""
        account = self._account
        role = account.role if account is not None and account.role in ROLES else "member"
        title = "A new account" if account is None else f"The account {shown.line(account.name, most=50)}"
        with Vertical():
            yield Static(title, classes="title", markup=False)
            with Vertical(classes="fields"):
                yield self.labelled("name", self.entry(account.name if account else None, id="name"))
                yield self.labelled(
                    "role", Select([(name, name) for name in ROLES], value=role, allow_blank=False, id="role", compact=True)
                )
                yield self.labelled("e-mail", self.entry(account.email if account else None, placeholder="none", id="email"))
                yield self.labelled(
                    "external id", self.entry(account.external_id if account else None, placeholder="none", id="external")
                )
            yield from self.answers("Make it" if account is None else "Change it")

    def finish(self) -> None:
        """Take what was typed."""
        if not self.value("name"):
            self.wrong("An account needs a name.")
            return
        role = str(self.query_one("#role", Select).value)
        self.dismiss(AccountWish(self.value("name"), role, self.value("email") or None, self.value("external") or None))


class DeleteTenant(Form):
    """Whether a tenant is to go with everything of it; its name must be typed. Dismisses with True, or None."""

    def __init__(self, tenant: TenantRecord, *, accounts: str) -> None:
        super().__init__()
        self._tenant = tenant
        self._accounts = accounts

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        name = shown.line(self._tenant.name, most=200)
        with Vertical():
            yield Static(f"Delete the tenant {name}?", classes="title", markup=False)
            yield Static(
                f"Everything of it goes for good: its {self._accounts} account(s), its keys, files, chats, estimates, index, usage and audit log.",
                classes="warning",
                markup=False,
            )
            yield Static("Type its name to delete it:", markup=False)
            yield Input(placeholder=name, id="name", compact=True)
            yield from self.answers("Delete it")

    def finish(self) -> None:
        """Answer yes where the name is right."""
        if self.value("name") in {self._tenant.name, shown.line(self._tenant.name)}:
            self.dismiss(True)
        else:
            self.wrong("That is not its name.")


class Told(Question):
    """Something that was done, in lines, to be read and closed."""

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title, self.lines = title, lines

    def compose(self) -> ComposeResult:
        """Lay out the lines."""
        with Vertical():
            yield Static(self._title, classes="title", markup=False)
            with Scrolling(classes="names"):
                yield Static("\n".join(shown.line(line) for line in self.lines), markup=False)
            with Horizontal():
                yield Button("Close", id="close", variant="primary")

    @on(Button.Pressed, "#close")
    def _read(self) -> None:
        self.dismiss(None)
