"""The vault of a tenant."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import BinaryIO

import aiohttp

from tenantai.client.shaping import present, step, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.assets import VAULT_SCOPES, AssetPage, AssetRecord, AssetUploaded, AssetWithVersions, PasswordSet

PIECE_BYTES = 256 * 1024


class Assets:
    """`/tenants/{tenantId}/assets` and `/asset-auth`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self, tenant_id: str, *, prefix: str | None = None) -> AsyncGenerator[AssetRecord]:
        """Yield the assets whose path begins with `prefix`."""
        path = f"{tenant_path(tenant_id)}/assets"
        return self._transport.pages(path, "assets", AssetRecord, query=present(prefix=prefix or None))

    async def level(self, tenant_id: str, folder: str) -> AsyncGenerator[AssetPage]:
        """Yield pages of what lies directly in a folder, by path. `folder` ends with `/`; empty is the top."""
        cursor: str | None = None
        while True:
            query = present(prefix=folder or None, delimiter="/", limit="200", cursor=cursor)
            page = await self._transport.call("GET", f"{tenant_path(tenant_id)}/assets", AssetPage, params=query)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    async def get(self, tenant_id: str, asset_id: str) -> AssetWithVersions:
        """Return an asset with its versions."""
        return await self._transport.call("GET", _path(tenant_id, asset_id), AssetWithVersions)

    async def upload(self, tenant_id: str, *, path: str, file: BinaryIO) -> AssetUploaded:
        """Upload a file to a path of the vault."""
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", file, filename="file", content_type="application/octet-stream")
        return await self._transport.call(
            "POST", f"{tenant_path(tenant_id)}/assets", AssetUploaded, data=form, params={"path": path}
        )

    @asynccontextmanager
    async def content(
        self, tenant_id: str, asset_id: str, *, version: int | None = None, first_byte: int = 0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield the pieces of an asset's bytes from a byte on, to be read while the block runs."""
        headers = {"Range": f"bytes={first_byte}-"} if first_byte else {}
        path = f"{_path(tenant_id, asset_id)}/content"
        async with self._transport.response("GET", path, headers=headers, params=present(version=version)) as response:
            yield response.content.iter_chunked(PIECE_BYTES)

    async def delete(self, tenant_id: str, asset_id: str) -> None:
        """Delete an asset with all its versions."""
        await self._transport.do("DELETE", _path(tenant_id, asset_id))

    async def set_password(self, tenant_id: str, *, password: str) -> PasswordSet:
        """Set the Asset Manager's password, which grants what this key may do in the vault; every session ends."""
        body = {"newPassword": password, "confirmPassword": password}
        return await self._transport.call("POST", f"{tenant_path(tenant_id)}/asset-auth/password", PasswordSet, json=body)


def told_of(password: PasswordSet) -> str:
    """Return what a person is told of a password that was set, with what it does not grant because the key lacks it."""
    return f"The password is set, and every session has ended. {bounds_of(password.scopes)}".rstrip()


def bounds_of(scopes: Collection[str]) -> str:
    """Return what a password opens that a key of these scopes sets; empty where that is the whole vault."""
    lacking = [scope for scope in VAULT_SCOPES if scope not in scopes]
    opened = "the vault in part" if len(lacking) < len(VAULT_SCOPES) else "nothing in the vault"
    return f"It opens {opened}: this key lacks {', '.join(lacking)}." if lacking else ""


def _path(tenant_id: str, asset_id: str) -> str:
    return f"{tenant_path(tenant_id)}/assets/{step(asset_id)}"
