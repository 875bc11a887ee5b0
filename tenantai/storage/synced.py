"""Files that stand for an asset of the vault, and how the two compare: by path and content.

A file is at home where the vault has its very bytes at its path. What must stay true: at one path there is at most one live file
with the same bytes, and a synced file is shared by all of its tenant's accounts.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from tenantai.storage.database import Reading, Row, Transaction, compiled
from tenantai.storage.files import File
from tenantai.storage.schema import assets
from tenantai.storage.schema import files as table


@dataclass(frozen=True, slots=True)
class Place:
    """An asset, and the file that is at home there (None: none is)."""

    asset_id: str
    path: str
    sha256: str
    bytes: int
    file_id: str | None
    file_state: str | None
    file_error: str | None
    file_asset_id: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A synced file, whether it is at home, and what stands at its path else.

    `newer_state` is the state of the file with the bytes that the vault has there now, None where there is none.
    """

    file_id: str
    path: str
    sha256: str
    asset_id: str
    state: str
    is_home: bool
    has_asset: bool
    newer_state: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many assets the vault has, how many of them are in the store by state, and files that are not at home."""

    in_vault: int
    by_state: dict[str, int]
    homeless: int


@dataclass(frozen=True, slots=True)
class Problem:
    """An asset whose file can't be searched, and why."""

    asset_id: str
    path: str
    state: Literal["failed", "skipped", "cancelled"]
    code: str | None
    message: str | None


def _live(of: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return the condition of the indexes of synced files, to the letter."""
    return sa.and_(of.c.asset_path.is_not(None), of.c.state != sa.literal_column("'deleting'"))


def _at_home(of: sa.FromClause) -> sa.ColumnElement[bool]:
    own = sa.and_(of.c.tenant_id == assets.c.tenant_id, of.c.asset_path == assets.c.path, of.c.sha256 == assets.c.sha256)
    return sa.and_(own, _live(of))


newer = table.alias("newer")
wanted = sa.func.json_each(sa.bindparam("asset_ids")).table_valued("value", name="wanted")
VAULT, STORE = assets.c.tenant_id == sa.bindparam("of_tenant"), table.c.tenant_id == sa.bindparam("of_tenant")
AT_PATH_OF_FILE = sa.and_(assets.c.tenant_id == table.c.tenant_id, assets.c.path == table.c.asset_path)
FILE = tuple(table.c[name] for name in File.__slots__)

PLACES = (
    sa.select(
        *(assets.c.id, assets.c.path, assets.c.sha256, assets.c.bytes),
        *(table.c.id, table.c.state, table.c.error_code, table.c.asset_id),
    )
    .select_from(assets.outerjoin(table, _at_home(table)))
    .where(VAULT)
)
PAGE = compiled(PLACES.where(assets.c.path > sa.bindparam("after")).order_by(assets.c.path).limit(sa.bindparam("row_count")))
PLACE = compiled(PLACES.where(assets.c.id == sa.bindparam("asset")))
CHOSEN = compiled(PLACES.where(assets.c.id.in_(sa.select(wanted.c.value))))
STANDINGS = (
    sa.select(
        *(table.c.id, table.c.asset_path, table.c.sha256, table.c.asset_id, table.c.state),
        assets.c.sha256.is_not_distinct_from(table.c.sha256),
        assets.c.id.is_not(None),
        newer.c.state,
    )
    .select_from(table.outerjoin(assets, AT_PATH_OF_FILE).outerjoin(newer, _at_home(newer)))
    .where(STORE, _live(table))
)
STANDING_PAGE = compiled(
    STANDINGS.where(sa.tuple_(table.c.asset_path, table.c.sha256) > sa.tuple_(sa.bindparam("path"), sa.bindparam("content")))
    .order_by(table.c.asset_path, table.c.sha256)
    .limit(sa.bindparam("row_count"))
)
STANDING = compiled(STANDINGS.where(table.c.id == sa.bindparam("file")))
AT_PATH = compiled(sa.select(*FILE).where(STORE, table.c.asset_path == sa.bindparam("path"), _live(table)))
PUT_AT = compiled(
    sa.update(table)
    .where(STORE, table.c.id == sa.bindparam("file"), table.c.state != "deleting")
    .values(
        asset_id=sa.bindparam("asset"),
        asset_path=sa.bindparam("path"),
        name=sa.bindparam("new_name"),
        updated_at=sa.bindparam("moment"),
    )
    .returning(*FILE)
)
EXCLUDE_AT_PATH = compiled(
    sa.update(table)
    .where(STORE, table.c.asset_path == sa.bindparam("path"), _live(table), table.c.excluded != sa.bindparam("new_excluded"))
    .values(excluded=sa.bindparam("new_excluded"), updated_at=sa.bindparam("moment"))
)
IN_VAULT_OR_STORE = compiled(
    sa.union(
        sa.select(assets.c.id).where(VAULT, assets.c.id.in_(sa.select(wanted.c.value))),
        sa.select(table.c.asset_id).where(
            STORE,
            table.c.asset_id.in_(sa.select(wanted.c.value)),
            table.c.asset_id.is_not(None),
            table.c.state != sa.literal_column("'deleting'"),
        ),
    )
)
IN_VAULT = compiled(sa.select(sa.func.count()).select_from(assets).where(VAULT))
AT_HOME = assets.join(table, _at_home(table))
BY_STATE = compiled(sa.select(table.c.state, sa.func.count()).select_from(AT_HOME).where(VAULT).group_by(table.c.state))
IN_STORE = compiled(sa.select(sa.func.count()).select_from(table).where(STORE, _live(table)))
NOT_SEARCHED = sa.or_(*(table.c.state == state for state in ("failed", "skipped", "cancelled")))
PROBLEMS = compiled(
    sa.select(assets.c.id, assets.c.path, table.c.state, table.c.error_code, table.c.error_message)
    .select_from(AT_HOME)
    .where(VAULT, NOT_SEARCHED)
    .order_by(assets.c.path)
    .limit(sa.bindparam("row_count"))
)


async def page(reading: Reading, tenant_id: str, *, after: str, row_count: int) -> list[Place]:
    """Return assets by their paths, behind the path `after`, with what the store has of them."""
    return [_place(row) for row in await reading.all(PAGE, of_tenant=tenant_id, after=after, row_count=row_count)]


async def place(reading: Reading, tenant_id: str, *, asset_id: str) -> Place | None:
    """Return an asset with what the store has of it, None where the vault has no such asset."""
    row = await reading.one(PLACE, of_tenant=tenant_id, asset=asset_id)
    return None if row is None else _place(row)


async def chosen(reading: Reading, tenant_id: str, *, asset_ids: Sequence[str]) -> list[Place]:
    """Return those of these assets that the vault has, with what the store has of them."""
    return [_place(row) for row in await reading.all(CHOSEN, of_tenant=tenant_id, asset_ids=json.dumps(list(asset_ids)))]


async def standings(reading: Reading, tenant_id: str, *, after: tuple[str, str], row_count: int) -> list[Standing]:
    """Return synced files by path and content, behind the one at `after`."""
    path, content = after
    rows = await reading.all(STANDING_PAGE, of_tenant=tenant_id, path=path, content=content, row_count=row_count)
    return [_standing(row) for row in rows]


async def standing(reading: Reading, tenant_id: str, *, file_id: str) -> Standing | None:
    """Return how a synced file stands, None where there is no such file."""
    row = await reading.one(STANDING, of_tenant=tenant_id, file=file_id)
    return None if row is None else _standing(row)


async def at_path(reading: Reading, tenant_id: str, *, path: str) -> list[File]:
    """Return the synced files at a path: the one in use, and one that is to take its place."""
    return [File(*row) for row in await reading.all(AT_PATH, of_tenant=tenant_id, path=path)]


async def put_at(
    transaction: Transaction, tenant_id: str, *, file_id: str, asset_id: str, path: str, name: str, moment: str
) -> File | None:
    """Let a file stand for an asset at a path; None where there is no such file."""
    rows = await transaction.run(
        PUT_AT, of_tenant=tenant_id, file=file_id, asset=asset_id, path=path, new_name=name, moment=moment
    )
    return File(*rows[0]) if rows else None


async def set_excluded_at(transaction: Transaction, tenant_id: str, *, path: str, excluded: bool, moment: str) -> None:
    """Take all that stands at a path out of answers, or back in: also what is to take the place of what is there."""
    await transaction.run(EXCLUDE_AT_PATH, of_tenant=tenant_id, path=path, new_excluded=excluded, moment=moment)


async def known(reading: Reading, tenant_id: str, *, asset_ids: Sequence[str]) -> set[str]:
    """Return those of these ids that an asset of the vault has, or that one had of which the store still holds a file."""
    rows = await reading.all(IN_VAULT_OR_STORE, of_tenant=tenant_id, asset_ids=json.dumps(list(asset_ids)))
    return {str(row[0]) for row in rows}


async def tally(reading: Reading, tenant_id: str) -> Tally:
    """Return how the store compares with the vault in numbers."""
    in_vault = await reading.one(IN_VAULT, of_tenant=tenant_id)
    by_state = {str(state): int(count) for state, count in await reading.all(BY_STATE, of_tenant=tenant_id)}
    in_store = await reading.one(IN_STORE, of_tenant=tenant_id)
    return Tally(int(in_vault[0]) if in_vault else 0, by_state, (int(in_store[0]) if in_store else 0) - sum(by_state.values()))


async def problems(reading: Reading, tenant_id: str, *, row_count: int) -> list[Problem]:
    """Return assets whose files can't be searched, with the reason of each."""
    return [Problem(*row) for row in await reading.all(PROBLEMS, of_tenant=tenant_id, row_count=row_count)]


def _place(row: Row) -> Place:
    return Place(*row)


def _standing(row: Row) -> Standing:
    file_id, path, sha256, asset_id, state, is_home, has_asset, newer_state = row
    newer = None if is_home else newer_state
    return Standing(file_id, path, sha256, asset_id, state, bool(is_home), bool(has_asset), newer)
