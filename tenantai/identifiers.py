"""Identifiers and times as every record and message writes them."""

from datetime import UTC, datetime

import uuid_utils


def new_id() -> str:
    """Return a UUID of version 7, so that ids sort by their time of creation."""
    return str(uuid_utils.uuid7())


def now() -> datetime:
    """Return the present in UTC."""
    return datetime.now(UTC)


def timestamp(moment: datetime | None = None) -> str:
    """Return a time (the present by default) as RFC 3339 in UTC to the millisecond, with a `Z`; texts sort as times do."""
    return (moment or now()).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
