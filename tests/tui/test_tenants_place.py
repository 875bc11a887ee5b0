"""The place of tenants: made, changed, limited, deleted and chosen from the keyboard, with their accounts."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

from tenantai.tui.app import Console
from tenantai.tui.screens import tenants
from tenantai.tui.screens.questions import Confirm, Secret
from tenantai.tui.screens.tenant_forms import AccountForm, DeleteTenant, TenantForm, Told
from tenantai.tui.screens.tenants import Tenants
from tests.running import API, Running, Tenant, until
from tests.tui.conftest import Opener, settled


def place_of(console: Console) -> Tenants:
    screen = console.screen
    assert isinstance(screen, Tenants)
    return screen


async def on(console: Console, tenant: Tenant) -> Tenants:
    """Put the cursor on a tenant, and return the place once its accounts and its limits are there."""
    place = place_of(console)
    place.reveal(tenant.id)
    await until(lambda: place.records.current is not None and place.records.current.id == tenant.id)
    await until(lambda: any(account.tenant_id == tenant.id for account in place.accounts.records))
    await until(lambda: bool(place.limits))
    return place


async def typed(console: Console, pilot: Pilot[None], **given: str) -> None:
    """Fill in a form and take it."""
    for name, text in given.items():
        field = console.screen.query_one(f"#{name}")
        assert isinstance(field, Input | Select)
        field.value = text
    await until(lambda: not console.screen.query_one("#yes").has_class("-active"))
    await pilot.click("#yes")


def about(place: Tenants) -> str:
    return str(place.query_one("#about", Static).content)


async def test_the_operator_sees_all_and_a_tenant_itself(
    opened: Opener, running: Running, acme: Tenant, globex: Tenant, operator: str
) -> None:
    """For the operator's key every tenant is a row, for a tenant's its own; beside it stand its limits and accounts."""
    async with opened(operator, place="tenants") as (console, _):
        place = await on(console, globex)
        assert {tenant.id for tenant in place.records.records} == {acme.id, globex.id}
        assert [account.name for account in place.accounts.records] == ["First"]
        assert "requests per minute" in about(place)
        assert "plan" in about(place)
    async with opened(acme.key, place="tenants") as (console, pilot):
        place = await on(console, acme)
        assert [tenant.id for tenant in place.records.records] == [acme.id]
        assert place.check_action("new_tenant", ()) is None
        assert place.check_action("delete_tenant", ()) is None
        await pilot.press("n")
        assert console.screen is place


async def test_accounts_of_the_tenant_before_come_no_more(
    opened: Opener, acme: Tenant, globex: Tenant, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the cursor is on another tenant, what was asked of the one before is not shown beside it any more."""
    async with opened(operator, place="tenants") as (console, pilot):
        place = await on(console, acme)
        monkeypatch.setattr(tenants, "RESTED_SECONDS", 60.0)
        pages = place._pages[place.accounts]
        late = place.PageCame(place.accounts, pages, [], has_more=False)
        place.records.seek(globex.id)
        await pilot.pause()
        place.post_message(late)
        await pilot.pause()
        assert [account.tenant_id for account in place.accounts.records] == [acme.id]


async def test_a_tenant_is_made_and_its_key_shown_once(opened: Opener, running: Running, operator: str, acme: Tenant) -> None:
    """`n` asks for name, e-mail and plan, says what is missing, and shows the first key."""
    async with opened(operator, place="tenants") as (console, pilot):
        await on(console, acme)
        await pilot.press("n")
        await until(lambda: isinstance(console.screen, TenantForm))
        await typed(console, pilot, name="Initech")
        assert "e-mail" in str(console.screen.query_one(".wrong", Static).content)
        await typed(console, pilot, email="ops@initech.example", plan="free")
        await until(lambda: isinstance(console.screen, Secret))
        assert isinstance(console.screen, Secret)
        secret = console.screen.secret
        answer = await running.send("GET", f"{API}/tenants", key=secret)
        assert (answer.data["tenants"][0]["name"], answer.data["tenants"][0]["plan"]) == ("Initech", "free")
        await pilot.press("escape")
        await settled(console, pilot)
        place = place_of(console)
        await until(lambda: place.records.current is not None and place.records.current.name == "Initech")


async def test_the_operator_changes_name_plan_and_limits(opened: Opener, running: Running, operator: str, acme: Tenant) -> None:
    """`e` changes them in one form; a limit that is emptied is the plan's again."""
    async with opened(operator, place="tenants") as (console, pilot):
        place = await on(console, acme)
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, TenantForm))
        await typed(console, pilot, name="Acme Limited", plan="enterprise", requests_per_minute="7")
        await until(lambda: place.records.records[0].plan == "enterprise" and place.records.records[0].limits)
        assert place.records.records[0].limits == {"requests_per_minute": 7}
        await until(lambda: "7  its own" in about(place))
        assert console.tenant_name == "Acme Limited"
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, TenantForm))
        await typed(console, pilot, requests_per_minute="")
        await until(lambda: place.records.records[0].limits is None)


async def test_a_tenant_renames_itself(opened: Opener, running: Running, acme: Tenant) -> None:
    """With a tenant's key `e` asks for the name only."""
    async with opened(acme.key, place="tenants") as (console, pilot):
        place = await on(console, acme)
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, TenantForm))
        assert not console.screen.query("#plan")
        await typed(console, pilot, name="Acme Limited")
        await until(lambda: place.records.records[0].name == "Acme Limited")


async def test_a_tenant_is_deleted_once_its_name_is_typed(
    opened: Opener, running: Running, operator: str, acme: Tenant, globex: Tenant
) -> None:
    """`d` wants the name typed, deletes the tenant with all of it, and says what was erased."""
    async with opened(operator, place="tenants") as (console, pilot):
        await on(console, acme)
        await pilot.press("d")
        await until(lambda: isinstance(console.screen, DeleteTenant))
        await typed(console, pilot, name="acme")
        assert "not its name" in str(console.screen.query_one(".wrong", Static).content)
        assert (await running.send("GET", acme.path, key=acme.key)).status == 200
        await typed(console, pilot, name="Acme")
        await until(lambda: isinstance(console.screen, Told))
        assert isinstance(console.screen, Told)
        assert any("accounts" in line for line in console.screen.lines)
        assert (await running.send("GET", acme.path, key=acme.key)).status == 401
        await pilot.press("escape")
        await settled(console, pilot)
        assert [tenant.id for tenant in place_of(console).records.records] == [globex.id]
        assert console.tenant_id == globex.id


async def test_enter_works_with_a_tenant(opened: Opener, running: Running, operator: str, acme: Tenant, globex: Tenant) -> None:
    """`enter` makes it the tenant of all places."""
    async with opened(operator, place="tenants") as (console, pilot):
        for tenant in (globex, acme):
            await on(console, tenant)
            await pilot.press("enter")
            await until(lambda tenant=tenant: console.tenant_id == tenant.id)  # type: ignore[misc]
            await settled(console, pilot)


async def test_accounts_are_made_changed_and_deleted(opened: Opener, running: Running, acme: Tenant) -> None:
    """In the pane of accounts `n`, `e` and `d` are for accounts; deleting names them all, and counts what goes with them."""
    await running.upload(acme, "Words.", "words.txt")
    await running.issue(acme, account=acme.account)
    asked = {"tenantId": acme.id, "accountId": acme.account.id, "message": "Which words?"}
    await running.send("POST", f"{API}/chat", key=acme.key, json=asked, headers={"Accept": "application/json"})
    async with opened(acme.key, place="tenants") as (console, pilot):
        place = await on(console, acme)
        place.accounts.table.focus()
        await pilot.press("n")
        await until(lambda: isinstance(console.screen, AccountForm))
        await typed(console, pilot, name="Shop", role="viewer", email="shop@example.com")
        await until(lambda: [account.name for account in place.accounts.records] == ["First", "Shop"])
        place.accounts.seek(place.accounts.records[1].id)
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, AccountForm))
        await typed(console, pilot, role="admin", email="")
        await until(lambda: len(place.accounts.records) == 2 and place.accounts.records[1].role == "admin")
        assert place.accounts.records[1].email is None
        await pilot.press("ctrl+a", "d")
        await until(lambda: isinstance(console.screen, Confirm))
        assert isinstance(console.screen, Confirm)
        assert [name.split(" ")[0] for name in console.screen._names] == ["First", "Shop"]
        warning = str(console.screen.query_one(".warning", Static).content)
        assert "1 chat, 1 key, 1 file and no estimates" in warning
        await pilot.press("ctrl+y")
        await until(lambda: not place.accounts.records)
        listed = await running.send("GET", f"{acme.path}/accounts", key=acme.key)
        assert listed.data["accounts"] == []


async def test_nothing_is_changed_where_the_console_only_reads(
    opened: Opener, running: Running, operator: str, acme: Tenant
) -> None:
    """With `--read-only` no form opens."""
    async with opened(operator, place="tenants", read_only=True) as (console, pilot):
        place = await on(console, acme)
        await pilot.press("n", "e", "d")
        place.accounts.table.focus()
        await pilot.press("n", "e", "d")
        assert console.screen is place


async def test_a_name_that_would_steer_the_terminal_is_marked_and_kept(opened: Opener, running: Running, acme: Tenant) -> None:
    """A form draws no control character of a name, and a name that is left as it was is not changed by the mark."""
    name = "Acme \x9b31m [red]Ltd"
    assert (await running.send("PATCH", acme.path, key=acme.key, json={"name": name})).status == 200
    async with opened(acme.key, place="tenants") as (console, pilot):
        place = await on(console, acme)
        assert "\x9b" not in about(place)
        await pilot.press("e")
        await until(lambda: isinstance(console.screen, TenantForm))
        assert "\x9b" not in console.screen.query_one("#name", Input).value
        await pilot.press("enter")
        await until(lambda: console.screen is place)
        await settled(console, pilot)
        assert (await running.send("GET", acme.path, key=acme.key)).data["name"] == name
