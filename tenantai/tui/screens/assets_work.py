"""What the place of the vault asks of the server for several assets, and the bytes that it fetches.

What must stay true: a file is at its place only once it is whole and has the checksum that the vault told.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tenantai.client import Client, ClientError
from tenantai.client.pausing import with_pauses
from tenantai.client.sending import opened
from tenantai.tui.link import BROKEN
from tenantai.tui.screens.outcomes import Outcome
from tenantai.tui.screens.store_work import NOT_SENT
from tenantai.tui.sending import Sending
from tenantai.tui.vault_tree import Node
from tenantai.wire.assets import AssetRecord, AssetUploaded, AssetVersionRecord

ASSETS_MAX = 1000
DAMAGED = "What came is not what the vault says that it has. Try again."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version of an asset, and where on this machine it is to be."""

    asset: AssetRecord
    version: AssetVersionRecord
    place: Path


async def assets_of(client: Client, tenant_id: str, nodes: Iterable[Node]) -> list[AssetRecord]:
    """Return the assets that nodes stand for, a folder for all that lies below it; one more than `ASSETS_MAX` where there are more."""
    found: dict[str, AssetRecord] = {}
    for node in nodes:
        if node.asset is not None:
            found[node.asset.id] = node.asset
        elif node.is_folder:
            async with aclosing(client.assets.all(tenant_id, prefix=node.path)) as below:
                async for asset in below:
                    found[asset.id] = asset
                    if len(found) > ASSETS_MAX:
                        return list(found.values())
    return list(found.values())


async def upload_all(client: Client, tenant_id: str, folder: str, paths: Sequence[Path], *, sending: Sending) -> list[Outcome]:
    """Send files into a folder one after the other, and say how far each is; returns what came of each."""
    outcomes: list[Outcome] = []
    is_gone = False
    for at, path in enumerate(paths):
        if is_gone:
            outcomes.append(Outcome(path.name, ok=False, sentence=NOT_SENT))
            continue
        sending.begin(at, path)
        try:
            made = await with_pauses(partial(_send, client, tenant_id, folder, path, sending), paused=sending.paused)
        except ClientError as error:
            is_gone = error.code in BROKEN
            outcomes.append(Outcome(path.name, ok=False, sentence=error.message))
        except OSError as error:
            outcomes.append(Outcome(path.name, ok=False, sentence=f"It can't be read: {error.strerror or error}."))
        else:
            outcomes.append(Outcome(path.name, ok=True, sentence=f"version {made.asset.version}" if made.is_new else "unchanged"))
    return outcomes


async def _send(client: Client, tenant_id: str, folder: str, path: Path, sending: Sending) -> AssetUploaded:
    with await opened(path, sent=sending.sent) as file:
        return await client.assets.upload(tenant_id, path=f"{folder}{path.name}", file=file)


async def delete_all(client: Client, tenant_id: str, assets: Sequence[AssetRecord]) -> list[Outcome]:
    """Delete assets one after the other; what came of each."""
    outcomes: list[Outcome] = []
    for asset in assets:
        try:
            await client.assets.delete(tenant_id, asset.id)
        except ClientError as error:
            outcomes.append(Outcome(asset.path, ok=False, sentence=error.message))
            if error.code in BROKEN:
                break
        else:
            outcomes.append(Outcome(asset.path, ok=True, sentence="deleted"))
    return outcomes


async def download(
    client: Client, tenant_id: str, wanted: Wanted, *, received: Callable[[int], None], lost: Callable[[ClientError], Awaitable[bool]]
) -> Outcome:  # fmt: skip
    """Write a version to its place, and say how many bytes there are; where the server goes away, go on once `lost` has waited."""
    part = wanted.place.with_name(f"{wanted.place.name}.part")
    digest, held = hashlib.sha256(), 0
    try:
        with await asyncio.to_thread(part.open, "wb") as file:
            while held < wanted.version.bytes:
                try:
                    async with client.assets.content(
                        tenant_id, wanted.asset.id, version=wanted.version.version, first_byte=held
                    ) as pieces:
                        async for piece in pieces:
                            await asyncio.to_thread(file.write, piece)
                            digest.update(piece)
                            held += len(piece)
                            received(held)
                except ClientError as error:
                    if not await lost(error):
                        raise
        return await asyncio.to_thread(_finished, part, wanted, digest.hexdigest())
    except ClientError as error:
        return Outcome(wanted.asset.name, ok=False, sentence=error.message)
    except OSError as error:
        return Outcome(wanted.asset.name, ok=False, sentence=f"It can't be written: {error.strerror or error}.")
    finally:
        part.unlink(missing_ok=True)


def _finished(part: Path, wanted: Wanted, digest: str) -> Outcome:
    if digest != wanted.version.sha256:
        return Outcome(wanted.asset.name, ok=False, sentence=DAMAGED)
    part.replace(wanted.place)
    return Outcome(wanted.asset.name, ok=True, sentence=f"in {wanted.place}")
