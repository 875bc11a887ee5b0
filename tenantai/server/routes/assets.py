"""The vault: its assets, and the password and sessions of the Asset Manager."""

from dataclasses import asdict
from pathlib import PurePosixPath

from aiohttp import web

from tenantai.errors import NotFound
from tenantai.server.addresses import address_of
from tenantai.server.binding import body_of, query_of
from tenantai.server.idempotency import idempotent
from tenantai.server.keys import ASSET_AUTH, DATABASE, KEY_RING, LOGIN_GATE, VAULT
from tenantai.server.metering import plan_in_path
from tenantai.server.middlewares import public, success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, in_vault, refuse_below_vault, tenant_in_path
from tenantai.server.sending import send_file
from tenantai.server.services.vault import NO_ASSET, checked_path
from tenantai.server.uploads import upload_of
from tenantai.storage import assets
from tenantai.storage.assets import Asset
from tenantai.wire.assets import (
    AssetPage,
    AssetRecord,
    AssetsQuery,
    AssetVersionRecord,
    ContentQuery,
    Login,
    NewPassword,
    UploadQuery,
)


async def page(request: web.Request) -> web.Response:
    """Return assets by their first upload, all or those whose path begins as asked; with a delimiter, a folder's own by path."""
    _, tenant_id = in_vault(request, "file:read")
    query, reading = query_of(request, AssetsQuery), request.app[DATABASE].reading
    asked = page_of(request, "assets", tenant_id, query.prefix, query.delimiter)
    level: list[Asset | str] = []
    if query.delimiter is None:
        level += await assets.page(reading, tenant_id, prefix=query.prefix, after=asked.after_id, row_count=asked.row_count)
        shown, following = asked.cut(level, _id_of)
    else:
        level += await assets.level(reading, tenant_id, prefix=query.prefix, after=asked.after_id, row_count=asked.row_count)
        shown, following = asked.cut(level, lambda entry: (_path_of(entry).removeprefix(query.prefix),))
    told = AssetPage(
        assets=[record_of(entry) for entry in shown if not isinstance(entry, str)],
        folders=[entry for entry in shown if isinstance(entry, str)],
        next_cursor=following,
    )
    return success(told.json_ready())


@idempotent
async def upload(request: web.Request) -> web.Response:
    """Keep a file at a path, as a new version where there is one."""
    principal, tenant_id = in_vault(request, "file:upload")
    asked = query_of(request, UploadQuery)
    given = await upload_of(request)
    path = checked_path(given.name if asked.path is None else asked.path)
    plan = await plan_in_path(request, principal)
    asset, is_new = await request.app[VAULT].receive(
        tenant_id, path=path, pieces=given.pieces(), storage_bytes_max=plan.storage_bytes, actor=acting(request)
    )
    return success({"asset": record_of(asset).json_ready(), "isNew": is_new}, status=201 if is_new else 200)


async def show(request: web.Request) -> web.Response:
    """Return an asset with its versions."""
    _, tenant_id = in_vault(request, "file:read")
    reading, asset_id = request.app[DATABASE].reading, request.match_info["asset_id"]
    asset = await assets.get(reading, tenant_id, asset_id=asset_id)
    if asset is None:
        raise NotFound(NO_ASSET)
    versions = await assets.versions_of(reading, tenant_id, asset_id=asset_id)
    told = [AssetVersionRecord.model_validate(version).json_ready() for version in versions]
    return success({**record_of(asset).json_ready(), "versions": told})


async def content(request: web.Request) -> web.StreamResponse:
    """Send an asset's bytes, whole or a part."""
    _, tenant_id = in_vault(request, "file:read")
    number = query_of(request, ContentQuery).version
    asset, version, place = await request.app[VAULT].version(tenant_id, asset_id=request.match_info["asset_id"], number=number)
    name = PurePosixPath(asset.path).name
    return await send_file(request, place, sha256=version.sha256, media_type=version.media_type, name=name)


async def delete(request: web.Request) -> web.Response:
    """Delete an asset with all its versions."""
    _, tenant_id = in_vault(request, "file:delete")
    asset_id = request.match_info["asset_id"]
    await request.app[VAULT].delete(tenant_id, asset_id=asset_id, actor=acting(request))
    return success({"id": asset_id, "deleted": True})


async def set_password(request: web.Request) -> web.Response:
    """Set the Asset Manager's password, which grants what the caller's own key may do in the vault; every session ends."""
    principal, tenant_id = tenant_in_path(request, "asset-auth:write")
    refuse_below_vault(principal)
    body = await body_of(request, NewPassword)
    told = await request.app[ASSET_AUTH].set_password(
        tenant_id,
        password=body.new_password.get_secret_value(),
        confirmed=body.confirm_password.get_secret_value(),
        by=principal,
        actor=acting(request),
    )
    request.app[KEY_RING].forget_all()
    return success(told.json_ready())


@public
async def login(request: web.Request) -> web.Response:
    """Open a session of the Asset Manager; a right password counts as no try of the address."""
    gate, address = request.app[LOGIN_GATE], address_of(request) or ""
    gate.require_room(address)
    body = await body_of(request, Login)
    gate.enter(address)
    session = await request.app[ASSET_AUTH].open_session(
        request.match_info["tenant_id"], password=body.password.get_secret_value(), actor=acting(request)
    )
    gate.take_back(address)
    return success(session.json_ready())


def record_of(asset: Asset) -> AssetRecord:
    """Return an asset as a client reads it."""
    return AssetRecord.model_validate({**asdict(asset), "name": PurePosixPath(asset.path).name})


def _path_of(entry: Asset | str) -> str:
    return entry if isinstance(entry, str) else entry.path


def _id_of(entry: Asset | str) -> tuple[str]:
    return ("" if isinstance(entry, str) else entry.id,)
