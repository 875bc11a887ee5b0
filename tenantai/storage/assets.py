"""Assets of the vault: a path each, with every version of its bytes that there was.

What must stay true: an asset's newest version is in its row and among its versions alike; a path is a name, no place on a disk.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled, insertion
from tenantai.storage.schema import asset_versions as versions
from tenantai.storage.schema import assets as table

LAST_CHARACTER = "\U0010ffff"
LEVEL_ROWS = 50
BEHIND_SLASH = chr(ord("/") + 1)


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as it is now; `sha256` is that of its newest version."""

    id: str
    tenant_id: str
    path: str
    version: int
    media_type: str
    bytes: int
    sha256: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class AssetVersion:
    """One version of an asset's bytes."""

    asset_id: str
    version: int
    tenant_id: str
    media_type: str
    bytes: int
    sha256: str
    created_at: str


COLUMNS = tuple(table.c[name] for name in Asset.__slots__)
VERSION_COLUMNS = tuple(versions.c[name] for name in AssetVersion.__slots__)
TENANT = table.c.tenant_id == sa.bindparam("of_tenant")
GET = compiled(sa.select(*COLUMNS).where(TENANT, table.c.id == sa.bindparam("asset")))
BY_PATH = compiled(sa.select(*COLUMNS).where(TENANT, table.c.path == sa.bindparam("at_path")))
PAGE = compiled(
    sa.select(*COLUMNS)
    .where(
        TENANT,
        table.c.id > sa.bindparam("after"),
        table.c.path >= sa.bindparam("first_path"),
        table.c.path < sa.bindparam("last_path"),
    )
    .order_by(table.c.id)
    .limit(sa.bindparam("row_count"))
)
LEVEL = compiled(
    sa.select(*COLUMNS)
    .where(TENANT, table.c.path >= sa.bindparam("first_path"), table.c.path < sa.bindparam("last_path"))
    .order_by(table.c.path)
    .limit(sa.bindparam("row_count"))
)
INSERT = insertion(table, Asset.__slots__)
INSERT_VERSION = insertion(versions, AssetVersion.__slots__)
RENEW = compiled(
    sa.update(table)
    .where(TENANT, table.c.id == sa.bindparam("asset"))
    .values(
        version=sa.bindparam("new_version"),
        media_type=sa.bindparam("new_kind"),
        bytes=sa.bindparam("new_bytes"),
        sha256=sa.bindparam("new_content"),
        updated_at=sa.bindparam("moment"),
    )
)
OF_ASSET = sa.and_(versions.c.tenant_id == sa.bindparam("of_tenant"), versions.c.asset_id == sa.bindparam("asset"))
VERSIONS = compiled(sa.select(*VERSION_COLUMNS).where(OF_ASSET).order_by(versions.c.version.desc()))
VERSION = compiled(sa.select(*VERSION_COLUMNS).where(OF_ASSET, versions.c.version == sa.bindparam("wanted")))
DELETE = compiled(sa.delete(table).where(TENANT, table.c.id == sa.bindparam("asset")))
BYTES_USED = compiled(
    sa.select(sa.func.coalesce(sa.func.sum(versions.c.bytes), 0)).where(versions.c.tenant_id == sa.bindparam("of_tenant"))
)


async def get(reading: Reading, tenant_id: str, *, asset_id: str) -> Asset | None:
    """Return the asset, or None where this tenant has none by that id."""
    row = await reading.one(GET, of_tenant=tenant_id, asset=asset_id)
    return None if row is None else Asset(*row)


async def at_path(reading: Reading, tenant_id: str, *, path: str) -> Asset | None:
    """Return the asset at a path, or None."""
    row = await reading.one(BY_PATH, of_tenant=tenant_id, at_path=path)
    return None if row is None else Asset(*row)


async def page(reading: Reading, tenant_id: str, *, prefix: str, after: str, row_count: int) -> list[Asset]:
    """Return assets whose path begins with `prefix`, by creation, behind the id `after`."""
    rows = await reading.all(
        PAGE,
        of_tenant=tenant_id,
        first_path=prefix,
        last_path=prefix + LAST_CHARACTER,
        after=after,
        row_count=row_count,
    )
    return [Asset(*row) for row in rows]


async def level(reading: Reading, tenant_id: str, *, prefix: str, after: str, row_count: int) -> list[Asset | str]:
    """Return what lies directly below `prefix` in the order of paths, behind the name `after`: assets, and the paths of folders.

    Each folder costs one step of the index, however much is in it.
    """
    found: list[Asset | str] = []
    first_path, last_path = prefix + _behind(after), prefix + LAST_CHARACTER
    while len(found) < row_count:
        wanted = row_count - len(found)
        rows = await reading.all(
            LEVEL, of_tenant=tenant_id, first_path=first_path, last_path=last_path, row_count=min(wanted, LEVEL_ROWS)
        )
        for asset in (Asset(*row) for row in rows):
            name, slash, _ = asset.path.removeprefix(prefix).partition("/")
            first_path = prefix + _behind(name + slash)
            found.append(prefix + name + slash if slash else asset)
            if slash:
                break
        if not rows:
            break
    return found


def _behind(name: str) -> str:
    """Return the first text that sorts behind a name, or behind all that lies in a folder: no path has control characters."""
    if name.endswith("/"):
        return f"{name[:-1]}{BEHIND_SLASH}"
    return f"{name}\x01" if name else ""


async def create(transaction: Transaction, tenant_id: str, *, asset: Asset) -> None:
    """Keep a new asset with its first version; its path must be free (sqlite3.IntegrityError)."""
    await transaction.run(INSERT, **{**asdict(asset), "tenant_id": tenant_id})
    await transaction.run(INSERT_VERSION, **asdict(_newest(asset)))


async def renew(transaction: Transaction, tenant_id: str, *, asset: Asset) -> None:
    """Give an asset the newest version that `asset` tells of; earlier ones stay."""
    await transaction.run(
        RENEW,
        of_tenant=tenant_id,
        asset=asset.id,
        new_version=asset.version,
        new_kind=asset.media_type,
        new_bytes=asset.bytes,
        new_content=asset.sha256,
        moment=asset.updated_at,
    )
    await transaction.run(INSERT_VERSION, **asdict(_newest(asset)))


async def versions_of(reading: Reading, tenant_id: str, *, asset_id: str) -> Sequence[AssetVersion]:
    """Return an asset's versions, the newest first."""
    return [AssetVersion(*row) for row in await reading.all(VERSIONS, of_tenant=tenant_id, asset=asset_id)]


async def version(reading: Reading, tenant_id: str, *, asset_id: str, number: int) -> AssetVersion | None:
    """Return a version of an asset, or None."""
    row = await reading.one(VERSION, of_tenant=tenant_id, asset=asset_id, wanted=number)
    return None if row is None else AssetVersion(*row)


async def delete(transaction: Transaction, tenant_id: str, *, asset_id: str) -> None:
    """Delete an asset with all its versions."""
    await transaction.run(DELETE, of_tenant=tenant_id, asset=asset_id)


async def bytes_used(reading: Reading, tenant_id: str) -> int:
    """Return the bytes of all versions of all the tenant's assets."""
    row = await reading.one(BYTES_USED, of_tenant=tenant_id)
    return int(row[0]) if row else 0


def _newest(asset: Asset) -> AssetVersion:
    return AssetVersion(asset.id, asset.version, asset.tenant_id, asset.media_type, asset.bytes, asset.sha256, asset.updated_at)
