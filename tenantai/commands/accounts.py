"""`accounts`: the people and teams of a tenant, whose chats and files are their own."""

from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.program import example
from tenantai.commands.terminal import Misused, as_json_option, confirm, one_line, say, show, show_json, show_record, yes_option

if TYPE_CHECKING:
    from tenantai.wire.accounts import AccountRecord

ROLES = click.Choice(("admin", "member", "viewer"))


@click.group(epilog=example("accounts list"))
def accounts() -> None:
    """List, create, show, update and delete accounts."""


@accounts.command("list", epilog=example("accounts list --json"))
@as_json_option
@connected_to_tenant
async def list_accounts(connection: Connection, *, as_json: bool) -> None:
    """List the accounts that the key sees."""
    async with connection.opened() as (client, tenant_id):
        found = [account async for account in client.accounts.all(tenant_id)]
    if as_json:
        show_json([account.json_ready() for account in found])
        return
    for account in found:
        show(_line(account))
    if not found:
        say('There are no accounts. Make one: `tenantai accounts create "Front desk"`')


@accounts.command(epilog=example('accounts create "Front desk" --role member'))
@click.argument("name")
@click.option("--role", type=ROLES, default="member", show_default=True, help="What its keys may do.")
@click.option("--email", help="Its e-mail address.")
@click.option("--external-id", help="Its id in another system.")
@as_json_option
@connected_to_tenant
async def create(
    connection: Connection, *, name: str, role: str, email: str | None, external_id: str | None, as_json: bool
) -> None:
    """Make an account; its id goes to stdout."""
    async with connection.opened() as (client, tenant_id):
        made = await client.accounts.create(tenant_id, name=name, role=role, email=email, external_id=external_id)
    if as_json:
        show_json(made.json_ready())
        return
    say(f"{one_line(made.name)}: a {made.role} account")
    show(made.id)


@accounts.command("show", epilog=example("accounts show 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("account_id")
@as_json_option
@connected_to_tenant
async def show_account(connection: Connection, *, account_id: str, as_json: bool) -> None:
    """Show an account."""
    async with connection.opened() as (client, tenant_id):
        found = await client.accounts.get(tenant_id, account_id)
    (show_json if as_json else show_record)(found.json_ready())


@accounts.command(epilog=example("accounts update 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10 --role viewer"))
@click.argument("account_id")
@click.option("--name", help="Another name.")
@click.option("--role", type=ROLES, help="Another role.")
@click.option("--email", help='Another e-mail address; "" takes it away.')
@click.option("--external-id", help='Another id in another system; "" takes it away.')
@as_json_option
@connected_to_tenant
async def update(connection: Connection, *, account_id: str, external_id: str | None, as_json: bool, **given: str | None) -> None:
    """Change what is given of an account."""
    wanted = {name: value for name, value in {**given, "externalId": external_id}.items() if value is not None}
    if not wanted:
        raise Misused("There is nothing to change. Give --name, --role, --email or --external-id.")
    changes = {name: None if not value and name in {"email", "externalId"} else value for name, value in wanted.items()}
    async with connection.opened() as (client, tenant_id):
        changed = await client.accounts.change(tenant_id, account_id, changes=changes)
    (show_json if as_json else show_record)(changed.json_ready())


@accounts.command(epilog=example("accounts delete 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("account_id")
@yes_option
@connected_to_tenant
async def delete(connection: Connection, *, account_id: str, is_sure: bool) -> None:
    """Delete an account with its chats, keys and files."""
    async with connection.opened() as (client, tenant_id):
        found = await client.accounts.get(tenant_id, account_id)
        confirm(f"Delete {one_line(found.name)} with its chats, keys and files, for good?", is_sure=is_sure)
        await client.accounts.delete(tenant_id, account_id)
    show(account_id)


def _line(account: "AccountRecord") -> str:
    known = [one_line(value) for value in (account.email, account.external_id) if value]
    return "  ".join((account.id, one_line(account.name), account.role, *known))
