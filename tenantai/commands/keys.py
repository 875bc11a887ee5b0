"""`keys`: the API keys of a tenant."""

from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.program import example
from tenantai.commands.terminal import as_json_option, confirm, one_line, say, show, show_json, yes_option

if TYPE_CHECKING:
    from tenantai.wire.api_keys import ApiKeyMade, ApiKeyRecord

KEPT_NOWHERE = "Keep it: it is shown this once and stored nowhere."


@click.group(epilog=example("keys list"))
def keys() -> None:
    """List, create, rotate and revoke API keys."""


@keys.command("list", epilog=example("keys list --json"))
@as_json_option
@connected_to_tenant
async def list_keys(connection: Connection, *, as_json: bool) -> None:
    """List the keys, revoked ones too; never a secret."""
    async with connection.opened() as (client, tenant_id):
        found = [key async for key in client.api_keys.all(tenant_id)]
    if as_json:
        show_json([key.json_ready() for key in found])
        return
    for key in found:
        show(_line(key))
    if not found:
        say('There are no keys. Make one: `tenantai keys create "Web shop"`')


@keys.command(epilog=example('keys create "Web shop" --scope chat:create --scope chat:read'))
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What it may do; again for each. None: what your key may, but keys.")
@click.option("--account", "account_id", help="The account that it is bound to.")
@click.option("--expires", "expires_at", help="When it ends, such as 2027-01-31T12:00:00Z.")
@as_json_option
@connected_to_tenant
async def create(
    connection: Connection,
    *,
    name: str,
    scopes: tuple[str, ...],
    account_id: str | None,
    expires_at: str | None,
    as_json: bool,
) -> None:
    """Make a key; its secret goes to stdout, once."""
    async with connection.opened() as (client, tenant_id):
        made = await client.api_keys.create(tenant_id, name=name, scopes=scopes, account_id=account_id, expires_at=expires_at)
    _show_secret(made, f"{made.id}: {one_line(made.name)}. {KEPT_NOWHERE}", as_json=as_json)


@keys.command(epilog=example("keys rotate 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10 --grace 3600"))
@click.argument("key_id")
@click.option("--grace", "grace_seconds", type=click.IntRange(0, 604_800), default=0, help="Seconds the old secret still works.")
@as_json_option
@connected_to_tenant
async def rotate(connection: Connection, *, key_id: str, grace_seconds: int, as_json: bool) -> None:
    """Give a key another secret, which goes to stdout, once."""
    async with connection.opened() as (client, tenant_id):
        made = await client.api_keys.rotate(tenant_id, key_id, grace_seconds=grace_seconds)
    until = f"The old one works until {made.previous_works_until}." if made.previous_works_until else "The old one works no more."
    _show_secret(made, f"{one_line(made.name)} has a new secret. {until} {KEPT_NOWHERE}", as_json=as_json)


@keys.command(epilog=example("keys revoke 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("key_id")
@yes_option
@connected_to_tenant
async def revoke(connection: Connection, *, key_id: str, is_sure: bool) -> None:
    """Revoke a key at once, for good."""
    confirm("Revoke this key? Whoever uses it is refused from now on.", is_sure=is_sure)
    async with connection.opened() as (client, tenant_id):
        await client.api_keys.revoke(tenant_id, key_id)
    show(key_id)


def _show_secret(made: "ApiKeyMade", told: str, *, as_json: bool) -> None:
    if as_json:
        show_json(made.json_ready())
        return
    say(told)
    show(made.api_key)


def _line(key: "ApiKeyRecord") -> str:
    state = "revoked" if key.revoked_at else f"used {key.last_used_at}" if key.last_used_at else "never used"
    ends = [f"expires {key.expires_at}"] if key.expires_at else []
    return "  ".join((key.id, f"{key.first_characters}…{key.last_characters}", one_line(key.name), state, *ends))
