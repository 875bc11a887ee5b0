"""Tenants with their plans and limits, and the accounts of the one under the cursor."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tenantai.client import Client
from tenantai.tui import account_contents, shown
from tenantai.tui.actions import Action, bindings
from tenantai.tui.curl import curl
from tenantai.tui.screens.paged import Paged
from tenantai.tui.screens.questions import Confirm, Secret
from tenantai.tui.screens.tenant_facts import changed, described, limits_of, report_of
from tenantai.tui.screens.tenant_forms import AccountForm, AccountWish, DeleteTenant, TenantForm, TenantWish, Told
from tenantai.tui.widgets.accounts_pane import AccountsPane
from tenantai.tui.widgets.columns import Column
from tenantai.tui.widgets.record_list import RecordList
from tenantai.tui.widgets.record_table import RecordTable
from tenantai.wire.accounts import AccountRecord
from tenantai.wire.answers import Erased
from tenantai.wire.tenants import TenantCreated, TenantRecord
from tenantai.wire.usage import UsageReport

RESTED_SECONDS = 0.12
KEPT_NOWHERE = "This is the first key of the tenant, and the only time that it is shown. Keep it where secrets are kept."


class Tenants(Paged):
    """The tenants in a list: for the operator all of them, for another key its own."""

    SPOT: ClassVar[str] = "tenants"
    DEFAULT_CSS: ClassVar[str] = """
    Tenants.-wide .side { width: 48%; min-width: 36; }
    Tenants.-narrow .columns > .side { height: 60%; }
    Tenants #about { height: auto; max-height: 50%; overflow-y: auto; }
    """
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("tenants.new", "n", "new_tenant", "New tenant", "Make a tenant; its first key is shown once.", changes=True, scope="system:admin"),
        Action("tenants.edit", "e", "edit_tenant", "Edit", "Change the tenant's name; with the operator's key its plan and limits too.", changes=True, scope="tenant:write"),
        Action("tenants.delete", "d,delete", "delete_tenant", "Delete", "Delete the tenant with everything of it; its name must be typed.", changes=True, scope="system:admin"),
        Action("tenants.use", "w", "use_tenant", "Work with", "Make it the tenant whose things all places show; enter does the same.", word="work-with"),
        Action("tenants.curl", "c", "copy_curl", "Copy curl", "Copy the request for this tenant as a line for curl.", word="curl", in_footer=False),
    )  # fmt: skip
    BINDINGS = bindings(ACTIONS)

    @dataclass
    class Limited(Message):
        """What a tenant's limits are came, where the key may read them."""

        tenant_id: str
        report: UsageReport | None

    @dataclass
    class Made(Message):
        """There is a new tenant."""

        made: TenantCreated

    @dataclass
    class Changed(Message):
        """A tenant is another than before."""

        tenant: TenantRecord

    @dataclass
    class Deleted(Message):
        """A tenant is gone with all of it."""

        tenant: TenantRecord
        erased: Erased

    @dataclass
    class AccountsChanged(Message):
        """Accounts of a tenant were made, changed or deleted."""

        tenant_id: str
        sentence: str

    def __init__(self) -> None:
        super().__init__()
        self.limits: dict[str, int] = {}
        self._resting: Timer | None = None
        self._about_tenant: str | None = None
        self._account_sought: str | None = None

    def compose_middle(self) -> ComposeResult:
        """Lay out the tenants, and what belongs to the one under the cursor."""
        columns = [
            Column[TenantRecord]("tenant", lambda tenant: tenant.name, grows=True),
            Column[TenantRecord]("plan", lambda tenant: tenant.plan + (" +own" if tenant.limits else "")),
            Column[TenantRecord]("e-mail", lambda tenant: tenant.email),
            Column[TenantRecord](
                "created", lambda tenant: shown.when(tenant.created_at)[:10], sort=lambda tenant: tenant.created_at
            ),
        ]
        with Container(classes="columns"):
            yield RecordList(columns, key=lambda tenant: tenant.id, noun="tenants", markable=False, id="tenants")
            with Vertical(id="details", classes="side"):
                yield Static("", id="about", markup=False)
                yield AccountsPane()

    @property
    def records(self) -> RecordList[TenantRecord]:
        """The list of tenants."""
        return self.query_one("#tenants", RecordList)

    @property
    def accounts(self) -> RecordList[AccountRecord]:
        """The list of accounts."""
        return self.query_one(AccountsPane).records

    def load(self) -> None:
        """Ask for the tenants."""
        self._about_tenant = None
        self.load_pages(self.records, lambda client: client.tenants.all())

    def page_came(self, records: RecordList[Any]) -> None:
        """Look at the tenant under the cursor, or at the account that another place named."""
        if records is self.records:
            self._tenant_looked_at()
        elif self._account_sought is not None:
            self.accounts.seek(self._account_sought)
            self.accounts.table.focus()
            self._account_sought = None

    @on(RecordList.TargetsChanged, "#tenants")
    def _tenant_looked_at(self) -> None:
        """Ask for what belongs to the tenant once the cursor rests on it."""
        self.refresh_bindings()
        tenant = self.records.current
        self.leave_pages(self.accounts, unless_of=tenant.id if tenant else None)
        if tenant is None or tenant.id == self._about_tenant:
            return
        self._about_tenant = tenant.id
        self._describe(tenant, None)
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(RESTED_SECONDS, self._ask_about)

    def _ask_about(self) -> None:
        tenant = self.records.current
        if tenant is None:
            return
        tenant_id = tenant.id

        async def work(client: Client) -> Message:
            return self.Limited(tenant_id, await report_of(client, tenant_id))

        self.ask(work, group="limits")
        self.load_pages(self.accounts, lambda client: client.accounts.all(tenant_id), owner=tenant_id, group="accounts")

    @on(Limited)
    def _limited(self, event: Limited) -> None:
        tenant = self.records.current
        if tenant is not None and tenant.id == event.tenant_id:
            self._describe(tenant, event.report)

    def _describe(self, tenant: TenantRecord, report: UsageReport | None) -> None:
        self.limits = limits_of(report) if report is not None else {}
        self.query_one("#about", Static).update(Content("\n").join(described(tenant, self.limits)))

    def reveal(self, record_id: str) -> None:
        """Put the cursor on a tenant, or on an account of one: `tenant/account`."""
        tenant_id, _, account_id = record_id.partition("/")
        self._account_sought = account_id or None
        if self.records.seek(tenant_id):
            self._about_tenant = None
            self._tenant_looked_at()
        else:
            self.load()

    def applies(self, action: str) -> bool | None:
        """Grey what needs a tenant."""
        return True if action == "new_tenant" or self.records.current is not None else None

    @on(RecordTable.Chosen)
    def _chosen(self) -> None:
        if self.focused is self.records.table:
            self.action_use_tenant()

    def action_use_tenant(self) -> None:
        """Make it the console's tenant."""
        tenant = self.records.current
        if tenant is not None:
            self.operating.tenants[tenant.id] = tenant
            self.operating.tenant_id = tenant.id
            self.operating.memory.set("tenant", tenant.id)
            self.notify(f"All places show {shown.line(tenant.name, most=60)} now.", timeout=3, markup=False)

    @work(exit_on_error=False)
    async def action_new_tenant(self) -> None:
        """Make a tenant."""
        wish = await self.app.push_screen_wait(TenantForm(None, {}))
        if isinstance(wish, TenantWish):

            async def work(client: Client) -> Message:
                return self.Made(await client.tenants.create(name=wish.name, email=wish.email, plan=wish.plan))

            self.change(work)

    @on(Made)
    def _made(self, event: Made) -> None:
        made = event.made
        self.operating.tenants[made.id] = TenantRecord.model_validate(made)
        self.app.push_screen(Secret(f"The key of {shown.line(made.name, most=60)}", made.api_key, warning=KEPT_NOWHERE))
        self.records.seek(made.id)
        self.load()

    @work(exit_on_error=False)
    async def action_edit_tenant(self) -> None:
        """Change the tenant under the cursor."""
        tenant, who = self.records.current, self.operating.link_state.who
        if tenant is None:
            return
        is_operator = who is not None and who.is_operator
        form = TenantForm(tenant, self.limits, is_operator=is_operator)
        wish = await self.app.push_screen_wait(form)
        if isinstance(wish, TenantWish):

            async def work(client: Client) -> Message:
                return self.Changed(await changed(client, tenant, wish, is_operator=is_operator))

            self.change(work)

    @on(Changed)
    def _changed(self, event: Changed) -> None:
        self.operating.tenants[event.tenant.id] = event.tenant
        self.notify(f"{shown.line(event.tenant.name, most=60)} is changed.", timeout=3, markup=False)
        self.load()

    @work(exit_on_error=False)
    async def action_delete_tenant(self) -> None:
        """Delete the tenant under the cursor."""
        tenant = self.records.current
        if tenant is None:
            return
        count = f"{len(self.accounts.records)}{'+' if self.accounts.has_more else ''}"
        if await self.app.push_screen_wait(DeleteTenant(tenant, accounts=count)):

            async def work(client: Client) -> Message:
                return self.Deleted(tenant, await client.tenants.delete(tenant.id))

            self.change(work)

    @on(Deleted)
    def _deleted(self, event: Deleted) -> None:
        console = self.operating
        console.tenants.pop(event.tenant.id, None)
        if console.tenant_id == event.tenant.id:
            console.tenant_id = next(iter(console.tenants), None)
        lines = [f"{count:>8,}  {name.replace('_', ' ')}" for name, count in event.erased.erased.items() if count]
        self.app.push_screen(
            Told(f"{shown.line(event.tenant.name, most=60)} is gone. Erased were:", lines or ["Nothing but itself."])
        )
        self.load()

    @on(AccountsPane.Asked)
    @work(exit_on_error=False)
    async def _accounts_asked(self, event: AccountsPane.Asked) -> None:
        """Ask what belongs to a change of accounts, and make it."""
        tenant = self.records.current
        if tenant is None:
            return
        if event.what == "delete":
            await self._delete_accounts(tenant.id, event.accounts)
            return
        account = event.accounts[0] if event.accounts else None
        wish = await self.app.push_screen_wait(AccountForm(account))
        if isinstance(wish, AccountWish):
            self._save_account(tenant.id, account, wish)

    def _save_account(self, tenant_id: str, account: AccountRecord | None, wish: AccountWish) -> None:
        async def work(client: Client) -> Message:
            if account is None:
                await client.accounts.create(
                    tenant_id, name=wish.name, role=wish.role, email=wish.email, external_id=wish.external_id
                )
                return self.AccountsChanged(tenant_id, "The account is made.")
            changes = {"name": wish.name, "role": wish.role, "email": wish.email, "externalId": wish.external_id}
            await client.accounts.change(tenant_id, account.id, changes=changes)
            return self.AccountsChanged(tenant_id, "The account is changed.")

        self.change(work)

    async def _delete_accounts(self, tenant_id: str, accounts: list[AccountRecord]) -> None:
        is_online = self.operating.link_state.status == "online"
        client = await self.operating.link.client() if is_online else None
        question = Confirm(
            f"Delete {len(accounts)} account(s), with all that is theirs?",
            names=[f"{account.name} ({account.role})" for account in accounts],
            hidden=len([account for account in self.accounts.hidden_targets if account in accounts]),
            yes="Delete",
            warning=await account_contents.told(client, tenant_id, [account.id for account in accounts]),
        )
        if await self.app.push_screen_wait(question):

            async def work(client: Client) -> Message:
                for account in accounts:
                    await client.accounts.delete(tenant_id, account.id)
                return self.AccountsChanged(tenant_id, f"{len(accounts)} account(s) deleted.")

            self.change(work)

    @on(AccountsChanged)
    def _accounts_changed(self, event: AccountsChanged) -> None:
        self.notify(event.sentence, timeout=3, markup=False)
        self.accounts.table.marks.clear()
        if self._about_tenant == event.tenant_id:
            self._ask_about()

    def action_copy_curl(self) -> None:
        """Copy the request for this tenant."""
        tenant = self.records.current
        if tenant is not None:
            self.operating.copy(curl(self.operating.link_url, "GET", f"/tenants/{tenant.id}"), what="command")
