"""What differs between a tenant's vault and its store, by path and content; nothing is changed here.

What must stay true: bytes that left one path and appeared at another are one move, never a deletion and something new.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tenantai.storage import synced
from tenantai.storage.database import Database
from tenantai.storage.synced import Place, Standing

PAGE_ROWS = 500
MAY_GO_WELL_NEXT_TIME = frozenset(("provider_error", "not_ready", "internal_error", "bytes_missing", "bytes_changed"))

Kind = Literal["new", "changed", "moved", "retried", "deleted", "unchanged"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `asset_id` is None only for what is no longer in the vault, `file_id` the file that it is about."""

    kind: Kind
    path: str
    asset_id: str | None
    file_id: str | None = None
    from_path: str | None = None
    is_older: bool = False  # the file is one of an asset that the vault still has, with other bytes
    is_anew: bool = False  # the file stands for an asset that was deleted and is there again, under another id


async def compare(database: Database, tenant_id: str, *, asset_ids: Sequence[str] | None) -> AsyncIterator[list[Change]]:
    """Yield the differences in slices, all or those of some assets: first what the vault has, then what it no longer has."""
    homeless = await homeless_files(database, tenant_id)
    by_content: dict[str, list[Standing]] = {}
    for file in sorted(homeless, key=lambda file: (file.has_asset, file.state != "ready")):
        by_content.setdefault(file.sha256, []).append(file)
    moved, occupied = set[str](), frozenset(file.path for file in homeless)
    async for places in _pages(database, tenant_id, asset_ids):
        changes = [_change(place, by_content, occupied) for place in places]
        moved |= {change.file_id for change in changes if change.kind == "moved" and change.file_id}
        yield changes
    chosen = None if asset_ids is None else set(asset_ids)
    left = [file for file in homeless if file.file_id not in moved and (chosen is None or file.asset_id in chosen)]
    for slice_ in _slices(left):
        yield [Change("deleted", file.path, file.asset_id, file.file_id, is_older=file.has_asset) for file in slice_]


async def homeless_files(database: Database, tenant_id: str) -> list[Standing]:
    """Return the synced files whose path has other bytes in the vault, or is gone."""
    found: list[Standing] = []
    after = ("", "")
    while slice_ := await synced.standings(database.reading, tenant_id, after=after, row_count=PAGE_ROWS):
        found += [file for file in slice_ if not file.is_home]
        after = (slice_[-1].path, slice_[-1].sha256)
    return found


def may_go_well_next_time(state: str, error_code: str | None) -> bool:
    """Whether it is worth indexing again what is in this state."""
    return state == "cancelled" or (state == "failed" and error_code in MAY_GO_WELL_NEXT_TIME)


async def _pages(database: Database, tenant_id: str, asset_ids: Sequence[str] | None) -> AsyncIterator[list[Place]]:
    if asset_ids is not None:
        yield await synced.chosen(database.reading, tenant_id, asset_ids=asset_ids)
        return
    after = ""
    while places := await synced.page(database.reading, tenant_id, after=after, row_count=PAGE_ROWS):
        yield places
        after = places[-1].path


def _change(place: Place, homeless: dict[str, list[Standing]], occupied: frozenset[str]) -> Change:
    """Return what is to be done for an asset; a file that is to move there is taken from the homeless ones.

    `occupied` are the paths where the store had other bytes before anything was done.
    """
    if place.file_id is not None and place.file_state is not None:
        again = may_go_well_next_time(place.file_state, place.file_error)
        is_anew = place.file_asset_id != place.asset_id
        return Change("retried" if again else "unchanged", place.path, place.asset_id, place.file_id, is_anew=is_anew)
    if candidates := homeless.get(place.sha256):
        own = next((at for at, file in enumerate(candidates) if file.asset_id == place.asset_id), 0)
        file = candidates.pop(own)
        return Change("moved", place.path, place.asset_id, file.file_id, from_path=file.path)
    return Change("changed" if place.path in occupied else "new", place.path, place.asset_id)


def _slices(files: Sequence[Standing]) -> Iterator[Sequence[Standing]]:
    return (files[first : first + PAGE_ROWS] for first in range(0, len(files), PAGE_ROWS))
