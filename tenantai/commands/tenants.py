"""`tenants`: who works on this server; the operator makes them, anyone registers one where that is open."""

from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected_to_server
from tenantai.commands.program import example
from tenantai.commands.terminal import Misused, as_json_option, confirm, one_line, say, show, show_json, show_record, yes_option

if TYPE_CHECKING:
    from tenantai.wire.tenants import TenantRecord

PLANS = click.Choice(("free", "pro", "enterprise"))
KEPT_NOWHERE = "The key is shown this once. Put it where the commands look: export TENANTAI_API_KEY=…"


@click.group(epilog=example("tenants list"))
def tenants() -> None:
    """Register, list, show, create, update and delete tenants."""


@tenants.command(epilog=example("tenants register --name Acme --email you@example.org"))
@click.option("--name", required=True, help="The organization's name.")
@click.option("--email", required=True, help="Its e-mail address; each has one tenant.")
@as_json_option
@connected_to_server
async def register(connection: Connection, *, name: str, email: str, as_json: bool) -> None:
    """Register a tenant of your own; needs no key."""
    async with connection.client(needs_key=False) as client:
        made = await client.tenants.register(email=email, organization_name=name)
    _show_made({"tenantId": made.tenant_id, "apiKey": made.api_key}, made.json_ready(), as_json=as_json)


@tenants.command("list", epilog=example("tenants list --json"))
@as_json_option
@connected_to_server
async def list_tenants(connection: Connection, *, as_json: bool) -> None:
    """List the key's own tenant; for the operator all."""
    async with connection.client() as client:
        found = [tenant async for tenant in client.tenants.all()]
    if as_json:
        show_json([tenant.json_ready() for tenant in found])
        return
    for tenant in found:
        show(_line(tenant))
    if not found:
        say("There are no tenants. Make one: `tenantai tenants create --name Acme --email you@example.org`")


@tenants.command("show", epilog=example("tenants show 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("tenant_id", required=False)
@as_json_option
@connected_to_server
async def show_tenant(connection: Connection, *, tenant_id: str | None, as_json: bool) -> None:
    """Show a tenant (the key's own)."""
    async with connection.client() as client:
        found = await client.tenants.get(tenant_id or await connection.tenant_in(client))
    _show(found, as_json=as_json)


@tenants.command(epilog=example("tenants create --name Acme --email you@example.org --plan pro"))
@click.option("--name", required=True, help="The organization's name.")
@click.option("--email", required=True, help="Its e-mail address; each has one tenant.")
@click.option("--plan", type=PLANS, help="What it may use (pro).")
@as_json_option
@connected_to_server
async def create(connection: Connection, *, name: str, email: str, plan: str | None, as_json: bool) -> None:
    """Make a tenant and its first key, as the operator."""
    async with connection.client() as client:
        made = await client.tenants.create(name=name, email=email, plan=plan)
    _show_made({"tenantId": made.id, "apiKey": made.api_key}, made.json_ready(), as_json=as_json)


@tenants.command(epilog=example('tenants update --name "Acme Storage"'))
@click.argument("tenant_id", required=False)
@click.option("--name", help="Another name.")
@click.option("--plan", type=PLANS, help="Another plan; the operator's to set.")
@as_json_option
@connected_to_server
async def update(connection: Connection, *, tenant_id: str | None, name: str | None, plan: str | None, as_json: bool) -> None:
    """Change a tenant's name or plan."""
    if name is None and plan is None:
        raise Misused("There is nothing to change. Give --name or --plan.")
    async with connection.client() as client:
        changed = await client.tenants.change(tenant_id or await connection.tenant_in(client), name=name, plan=plan)
    _show(changed, as_json=as_json)


@tenants.command(epilog=example("tenants delete 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("tenant_id")
@yes_option
@as_json_option
@connected_to_server
async def delete(connection: Connection, *, tenant_id: str, is_sure: bool, as_json: bool) -> None:
    """Delete a tenant with everything of it, as the operator."""
    async with connection.client() as client:
        found = await client.tenants.get(tenant_id)
        confirm(f"Delete {one_line(found.name)} with its accounts, files, chats, keys and audit log, for good?", is_sure=is_sure)
        erased = await client.tenants.delete(tenant_id)
    if as_json:
        show_json(erased.json_ready())
    else:
        say(f"{one_line(found.name)} is gone. Erased: " + ", ".join(f"{count} {kind}" for kind, count in erased.erased.items()))


def _show(tenant: "TenantRecord", *, as_json: bool) -> None:
    (show_json if as_json else show_record)(tenant.json_ready())


def _show_made(shown: dict[str, str], whole: dict[str, object], *, as_json: bool) -> None:
    """Show a new tenant with its key, which nothing shows again."""
    (show_json if as_json else show_record)(whole if as_json else shown)
    say(KEPT_NOWHERE)


def _line(tenant: "TenantRecord") -> str:
    return f"{tenant.id}  {one_line(tenant.name)}  {one_line(tenant.email)}  {tenant.plan}"
