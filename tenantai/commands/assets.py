"""`assets`: files of the vault, which the store is made from."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantai.commands.connection import Connection, connected_to_tenant
from tenantai.commands.file_paths import FilePath
from tenantai.commands.program import example
from tenantai.commands.terminal import as_json_option, confirm, one_line, say, say_paused, show, show_json, yes_option
from tenantai.sizes import size_words

if TYPE_CHECKING:
    from tenantai.client import Client
    from tenantai.wire.assets import AssetRecord, AssetUploaded


@click.group(epilog=example("assets upload contracts/*.pdf --to contracts/2026"))
def assets() -> None:
    """List, upload, download and delete files of the vault."""


@assets.command("list", epilog=example("assets list --prefix contracts/"))
@click.option("--prefix", help="How their paths begin.")
@as_json_option
@connected_to_tenant
async def list_assets(connection: Connection, *, prefix: str | None, as_json: bool) -> None:
    """List the files of the vault."""
    async with connection.opened() as (client, tenant_id):
        found = [asset async for asset in client.assets.all(tenant_id, prefix=prefix)]
    if as_json:
        show_json([asset.json_ready() for asset in found])
        return
    for asset in found:
        show(_line(asset))
    if not found:
        there = f"There are no files whose path begins with {prefix}." if prefix else "The vault is empty."
        say(f"{there} Upload some: `tenantai assets upload lease.pdf`")


@assets.command(epilog=example("assets upload lease.pdf --to contracts/2026"))
@click.argument("paths", nargs=-1, required=True, type=FilePath())
@click.option("--to", "folder", default="", help="The folder of the vault.")
@connected_to_tenant
async def upload(connection: Connection, *, paths: Sequence[Path], folder: str) -> None:
    """Upload files; where a path is taken, as a new version. The ids go to stdout."""
    from tenantai.client.pausing import with_pauses  # noqa: PLC0415  what a command works with is imported when it runs

    async with connection.opened() as (client, tenant_id):
        for path in paths:
            there = "/".join(part for part in (folder.strip("/"), path.name) if part)
            made = await with_pauses(partial(_send, client, tenant_id, path, there), paused=say_paused)
            say(f"{one_line(made.asset.path)}: " + (f"version {made.asset.version}" if made.is_new else "unchanged"))
            show(made.asset.id)


async def _send(client: "Client", tenant_id: str, path: Path, there: str) -> "AssetUploaded":
    with path.open("rb") as file:
        return await client.assets.upload(tenant_id, path=there, file=file)


@assets.command(epilog=example("assets download 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10 -o lease.pdf"))
@click.argument("asset_id")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to; its own name here.")
@click.option("--version", type=click.IntRange(1), help="Which version; the newest.")
@connected_to_tenant
async def download(connection: Connection, *, asset_id: str, output: Path | None, version: int | None) -> None:
    """Download a file; one that is there in part is gone on with."""
    async with connection.opened() as (client, tenant_id):
        asset = await client.assets.get(tenant_id, asset_id)
        held = next((v for v in asset.versions if v.version == (version or asset.version)), None)
        place = output or Path(asset.name)
        await _fetch(client, tenant_id, asset_id, place, size=held.bytes if held else None, version=version)
    show(str(place))


@assets.command("show", epilog=example("assets show 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("asset_id")
@as_json_option
@connected_to_tenant
async def show_asset(connection: Connection, *, asset_id: str, as_json: bool) -> None:
    """Show a file with its versions."""
    async with connection.opened() as (client, tenant_id):
        asset = await client.assets.get(tenant_id, asset_id)
    if as_json:
        show_json(asset.json_ready())
        return
    show(_line(asset))
    for version in asset.versions:
        show(f"  version {version.version}  {version.created_at}  {size_words(version.bytes)}  {version.sha256}")


@assets.command(epilog=example("assets delete 0198c7a2-5b0e-7c7e-8a55-2f8a3c1d9e10"))
@click.argument("asset_id")
@yes_option
@connected_to_tenant
async def delete(connection: Connection, *, asset_id: str, is_sure: bool) -> None:
    """Delete a file with all its versions."""
    confirm("Delete this file of the vault with all its versions?", is_sure=is_sure)
    async with connection.opened() as (client, tenant_id):
        await client.assets.delete(tenant_id, asset_id)
    show(asset_id)


@assets.command(epilog=example("assets password"))
@connected_to_tenant
async def password(connection: Connection) -> None:
    """Set the Asset Manager's password, from a prompt or a pipe.

    It grants what your key may do in the vault, and no more.
    """
    from tenantai.client.assets import told_of  # noqa: PLC0415

    given = (
        click.prompt("New password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline()
    )
    async with connection.opened() as (client, tenant_id):
        made = await client.assets.set_password(tenant_id, password=given.rstrip("\n"))
    say(told_of(made))


async def _fetch(client: "Client", tenant_id: str, asset_id: str, place: Path, *, size: int | None, version: int | None) -> None:
    """Write a file beside its place, going on where an earlier download of the same version ended, then move it there."""
    part = place.with_name(f"{place.name}.{asset_id[-12:]}-{version or 'newest'}.part")
    held = part.stat().st_size if part.exists() else 0
    if size is None or held < size or not size:
        async with client.assets.content(tenant_id, asset_id, version=version, first_byte=held) as pieces:
            with part.open("ab") as file:
                async for piece in pieces:
                    file.write(piece)
    part.replace(place)


def _line(asset: "AssetRecord") -> str:
    return "  ".join((asset.id, f"v{asset.version}", size_words(asset.bytes), one_line(asset.path)))
