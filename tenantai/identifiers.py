"""Identifiers and times as every record and message writes them."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from secrets import randbits
from uuid import UUID

import uuid_utils

STEP_BITS = 32


class _Ids:
    """Makes ids; `newest` is the newest of those that a clock ahead of this one made before this process."""

    def __init__(self) -> None:
        self.newest = ""

    def make(self) -> str:
        made = str(uuid_utils.uuid7())  # they rise within a process, also where its clock is set back
        if made <= self.newest:
            made = self.newest = str(UUID(int=UUID(self.newest).int + 1 + randbits(STEP_BITS)))
        return made


_ids = _Ids()


def new_id() -> str:
    """Return a UUID of version 7, so that ids sort by their creation."""
    return _ids.make()


def make_ids_after(newest: str) -> None:
    """Make ids from now on that sort behind this one, whatever the clock says."""
    _ids.newest = max(_ids.newest, newest)


def now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None = None) -> str:
    """Return a time (the present by default) as RFC 3339 in UTC to the millisecond, with a `Z`; texts sort as times do."""
    if moment is None:
        return _of_milliseconds(time.time_ns() // 1_000_000)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_of(seconds: float) -> str:
    """Return a time in seconds since 1970 as `timestamp` does."""
    return _of_milliseconds(int(seconds * 1000))


@lru_cache(maxsize=64)
def _of_milliseconds(given: int) -> str:
    second, milliseconds = divmod(given, 1000)
    return f"{_to_the_second(second)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
