"""`tools`: a tenant's own functions, which its chats may call."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.program import example
from tenantai.commands.terminal import Misused, as_json_option, confirm, one_line, say, show, show_json, yes_option

if TYPE_CHECKING:
    from tenantai.wire.tools import ToolRecord

NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
KEPT_NOWHERE = "Keep its secret: it is shown this once. Check each call's signature with it."


@click.group(epilog=example("tools list"))
def tools() -> None:
    """List, add and remove functions that chat may call."""


@tools.command("list", epilog=example("tools list --json"))
@as_json_option
@connected_to_tenant
async def list_tools(connection: Connection, *, as_json: bool) -> None:
    """List the functions; never a secret."""
    async with connection.opened() as (client, tenant_id):
        found = [tool async for tool in client.tools.all(tenant_id)]
    if as_json:
        show_json([tool.json_ready() for tool in found])
        return
    for tool in found:
        show(_line(tool))
    if not found:
        say("There are no functions. Add one: `tenantai tools add NAME DESCRIPTION ENDPOINT`")


@tools.command(epilog=example('tools add find_unit "Finds a free unit." https://api.example.com/units --parameters unit.json'))
@click.argument("name")
@click.argument("description")
@click.argument("endpoint")
@click.option(
    "--parameters",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the JSON Schema of its arguments. None: it takes no arguments.",
)
@click.option("--ask", "is_asked", is_flag=True, help="A person must say yes to each call.")
@click.option("--timeout", "timeout_seconds", type=click.FloatRange(1, 30), help="Seconds that a call may take (10).")
@as_json_option
@connected_to_tenant
async def add(
    connection: Connection,
    *,
    name: str,
    description: str,
    endpoint: str,
    parameters: Path | None,
    is_asked: bool,
    timeout_seconds: float | None,
    as_json: bool,
) -> None:
    """Register a function at an HTTPS endpoint; shows its secret once.

    The secret, which signs its calls, goes to stdout.
    """
    approval: Literal["auto", "ask"] = "ask" if is_asked else "auto"
    schema = NO_PARAMETERS if parameters is None else _schema(parameters)
    async with connection.opened() as (client, tenant_id):
        made = await client.tools.create(
            tenant_id,
            name=name,
            description=description,
            parameters=schema,
            endpoint=endpoint,
            timeout_seconds=timeout_seconds,
            approval=approval,
        )
    if as_json:
        show_json(made.json_ready())
        return
    say(f"{made.id}: {one_line(made.name)}. {KEPT_NOWHERE}")
    show(made.signing_secret)


@tools.command(epilog=example("tools remove 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("tool_id")
@yes_option
@connected_to_tenant
async def remove(connection: Connection, *, tool_id: str, is_sure: bool) -> None:
    """Remove a function, for good."""
    confirm("Remove this function? No answer calls it from now on.", is_sure=is_sure)
    async with connection.opened() as (client, tenant_id):
        await client.tools.delete(tenant_id, tool_id)
    show(tool_id)


def _schema(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raises Misused where there is none."""
    try:
        schema = json.loads(path.read_bytes())
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise Misused(f'{path} holds no JSON Schema. It must be a JSON object, such as {{"type": "object", "properties": {{}}}}.')
    return schema


def _line(tool: "ToolRecord") -> str:
    asked = ["asks a person"] if tool.approval == "ask" else []
    return "  ".join((tool.id, one_line(tool.name), one_line(tool.endpoint), *asked, one_line(tool.description)))
