"""The vault: files as they are, by path, with every version there was.

What must stay true: bytes never leave their tenant; a blob is removed only where neither a file nor a version of an asset has
it; a change and its audit entry are one transaction.
"""

import asyncio
import mimetypes
import sqlite3
import unicodedata
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import puremagic

from tenantai.errors import NotFound, ValidationFailed
from tenantai.identifiers import new_id, timestamp
from tenantai.server.services.documents import remove_unused
from tenantai.server.services.upload_room import UploadRoom, refuse_over_quota
from tenantai.storage import assets, audit, room, tenants
from tenantai.storage.assets import Asset, AssetVersion
from tenantai.storage.audit import Actor
from tenantai.storage.blobs import Blobs, Received
from tenantai.storage.database import Database, Transaction

PATH_CHARACTERS_MAX = 1024
HEAD_BYTES = 8192
UNKNOWN = "application/octet-stream"
NO_TENANT = "There is no such tenant. Check the id."
NO_ASSET = "There is no such asset in this tenant. Check the id."
NO_VERSION = "This asset has no such version. Its record lists those that it has."


class Vault:
    """The vaults of all tenants, one at a time."""

    def __init__(self, database: Database, blobs: Blobs, *, room: UploadRoom, upload_bytes_max: int) -> None:
        self._database = database
        self._blobs = blobs
        self._room = room
        self._upload_bytes_max = upload_bytes_max

    async def receive(
        self, tenant_id: str, *, path: str, pieces: AsyncGenerator[bytes, None], storage_bytes_max: int, actor: Actor
    ) -> tuple[Asset, bool]:
        """Keep bytes at a path, as a new version where it has other ones; returns the asset, and whether anything is new.

        Raises NotFound, PayloadTooLarge, or LimitExceeded where the tenant's storage is full; then nothing is kept.
        """
        if await tenants.get(self._database.reading, tenant_id) is None:
            raise NotFound(NO_TENANT)
        async with self._room.reserving(tenant_id, limit=storage_bytes_max) as reserved:
            received = await self._blobs.receive(reserved.counted(pieces), bytes_max=self._upload_bytes_max)
            try:
                media_type = await asyncio.to_thread(_media_type, received.path, path)
                async with self._blobs.lock(tenant_id):
                    return await self._record(tenant_id, path, received, media_type, storage_bytes_max, actor=actor)
            finally:
                received.discard()

    async def delete(self, tenant_id: str, *, asset_id: str, actor: Actor) -> None:
        """Delete an asset with all its versions. Raises NotFound."""

        async def unit(transaction: Transaction) -> set[str]:
            held = await assets.get(transaction, tenant_id, asset_id=asset_id)
            if held is None:
                raise NotFound(NO_ASSET)
            versions = await assets.versions_of(transaction, tenant_id, asset_id=asset_id)
            await assets.delete(transaction, tenant_id, asset_id=asset_id)
            details = {"path": held.path, "versions": len(versions)}
            await audit.record(
                transaction,
                tenant_id,
                event_type="asset.deleted",
                actor=actor,
                subject_id=asset_id,
                asset_id=asset_id,
                before=_told(held),
                details=details,
            )
            return {version.sha256 for version in versions}

        async with self._blobs.lock(tenant_id):
            await remove_unused(self._database, self._blobs, tenant_id, await self._database.write(unit))

    async def version(self, tenant_id: str, *, asset_id: str, number: int | None) -> tuple[Asset, AssetVersion, Path]:
        """Return an asset, one of its versions (None: the newest) and where its bytes lie. Raises NotFound."""
        reading = self._database.reading
        asset = await assets.get(reading, tenant_id, asset_id=asset_id)
        if asset is None:
            raise NotFound(NO_ASSET)
        version = await assets.version(reading, tenant_id, asset_id=asset_id, number=number or asset.version)
        if version is None:
            raise NotFound(NO_VERSION)
        return asset, version, self._blobs.path(tenant_id, sha256=version.sha256)

    async def _record(
        self, tenant_id: str, path: str, received: Received, media_type: str, storage_bytes_max: int, *, actor: Actor
    ) -> tuple[Asset, bool]:
        async def unit(transaction: Transaction) -> tuple[Asset, bool]:
            held = await assets.at_path(transaction, tenant_id, path=path)
            if held is not None and held.sha256 == received.sha256:
                return held, False
            used = await room.bytes_used(transaction, tenant_id)
            refuse_over_quota(used, received.bytes, storage_bytes_max)
            asset = _renewed(held, received, media_type) if held else _new(tenant_id, path, received, media_type)
            await (assets.renew if held else assets.create)(transaction, tenant_id, asset=asset)
            await audit.record(
                transaction,
                tenant_id,
                event_type="asset.uploaded",
                actor=actor,
                subject_id=asset.id,
                asset_id=asset.id,
                before=_told(held) if held else None,
                after=_told(asset),
                details={"path": path},
            )
            return asset, True

        await asyncio.to_thread(self._blobs.keep, tenant_id, received=received)
        try:
            return await self._database.write(unit)
        except BaseException as error:
            await remove_unused(self._database, self._blobs, tenant_id, (received.sha256,))
            if isinstance(error, sqlite3.IntegrityError):
                raise NotFound(NO_TENANT) from error
            raise


def checked_path(given: str) -> str:
    """Return a path as the vault has it (NFC); raises ValidationFailed with the rule that it breaks."""
    path = unicodedata.normalize("NFC", given)
    problem = next((sentence for is_broken, sentence in _rules(path) if is_broken), None)
    if problem is not None:
        raise ValidationFailed([{"field": "path", "problem": problem}])
    return path


def _rules(path: str) -> tuple[tuple[bool, str], ...]:
    steps = path.split("/")
    return (
        (not path, "is empty"),
        (len(path) > PATH_CHARACTERS_MAX, f"is longer than {PATH_CHARACTERS_MAX} characters"),
        ("\\" in path, "holds a backslash; separate folders with /"),
        (any(unicodedata.category(c) in {"Cc", "Cs"} for c in path), "holds control characters"),
        (not all(steps), "begins or ends with /, or has // in it"),
        (bool({".", ".."} & set(steps)), "has . or .. as a folder or a name"),
    )


def _media_type(place: Path, name: str) -> str:
    """Return what the bytes are, where they do not say by themselves, what the name says."""
    with place.open("rb") as file:
        head = file.read(HEAD_BYTES)
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        found = []
    by_content = next((match.mime_type for match in found if match.mime_type), "")
    return by_content or mimetypes.guess_type(name, strict=False)[0] or UNKNOWN


def _new(tenant_id: str, path: str, received: Received, media_type: str) -> Asset:
    moment = timestamp()
    return Asset(new_id(), tenant_id, path, 1, media_type, received.bytes, received.sha256, moment, moment)


def _renewed(held: Asset, received: Received, media_type: str) -> Asset:
    return replace(
        held,
        version=held.version + 1,
        media_type=media_type,
        bytes=received.bytes,
        sha256=received.sha256,
        updated_at=timestamp(),
    )


def _told(asset: Asset) -> dict[str, object]:
    """Return what the audit log tells of an asset."""
    return {name: getattr(asset, name) for name in ("path", "version", "media_type", "bytes", "sha256")}
