"""A file that each counted request is appended to before its answer goes out, so that a killed process loses none.

Lines wait here until they are taken into the database, a second or so. A line of its own tells the second of those that follow;
otherwise the lines of like requests are alike, and are counted together. What must stay true: a line is written whole or not at
all, in order; a file is removed only once the database has all of it.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from mmap import mmap
from pathlib import Path

import structlog

from tenantai.identifiers import timestamp_of
from tenantai.storage.usage import UsageEvent

TICK, FIELD, END, UNWRITTEN = b"\x1e", b"\x1f", b"\n", b"\0"
SEGMENT_BYTES = 1024 * 1024
OWED_BYTES_MAX = 1024 * 1024
READ_BYTES = 1024 * 1024
UNPRINTABLE = dict.fromkeys(range(32))

logger = structlog.get_logger("tenantai.usage")


class UsageJournal:
    """The segments of the journal; one process writes, a new one at each start.

    A segment is room taken on the disk beforehand and mapped into memory, so that a line costs no call of the system. Where no
    room is left for another, lines are owed: they stay in memory and are written with a later one; `is_full` once too many are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.current = ""
        self.size = 0
        self.is_full = False
        self._room: mmap | None = None
        self._left = 0
        self._second = -1
        self._owed = b""

    def open(self) -> None:
        """Begin a new segment; blocking. Raises OSError where the disk has no room for one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._begin(SEGMENT_BYTES)

    def close(self) -> None:
        """Write what is owed, if it can be, and close the segment."""
        if self._room is not None:
            if self._owed:
                self._write_where_there_is_room(b"")
            self._room.close()
            self._room, self._left, self.current = None, 0, ""

    def write(self, second: int, line: bytes) -> None:
        """Append a line; never raises."""
        if second != self._second:
            self._second = second
            line = _tick(second) + line
        if self._room is None or self._owed or len(line) > self._left:
            self._write_where_there_is_room(line)
            return
        end = self.size + len(line)
        self._room[self.size : end] = line
        self._left -= len(line)
        self.size = end

    def segments(self) -> list[str]:
        """Return the names of all segments, the oldest first; blocking."""
        return sorted(path.name for path in self.folder.glob("*.log"))

    def read(self, name: str, *, offset: int) -> bytes:
        """Return whole lines from an offset on, not too many; blocking."""
        with (self.folder / name).open("rb") as file:
            file.seek(offset)
            data = file.read(min(READ_BYTES, self.size - offset) if name == self.current else READ_BYTES)
        written = data.find(UNWRITTEN)
        return data[: data.rfind(END, 0, written if written >= 0 else len(data)) + 1]

    def remove(self, name: str) -> None:
        """Remove a segment that the database has all of; blocking."""
        (self.folder / name).unlink(missing_ok=True)

    def _write_where_there_is_room(self, line: bytes) -> None:
        """Write what is owed and a line, each with its second, in a new segment where this one is full."""
        data = self._owed + line if self._owed else _tick(self._second) + line
        if len(data) > self._left:
            try:
                self._begin(max(SEGMENT_BYTES, len(data)))
            except OSError:
                self._owe(data)
                return
        if self._room is not None:
            self._room[self.size : self.size + len(data)] = data
            self.size += len(data)
            self._left -= len(data)
            self._owed, self.is_full = b"", False

    def _owe(self, data: bytes) -> None:
        if not self._owed:
            logger.warning("usage can't be written down; it is kept in memory until it can")
        self._owed, self.is_full = data, len(data) > OWED_BYTES_MAX

    def _begin(self, size: int) -> None:
        name = f"{time.time_ns():020d}.log"
        room = _taken(self.folder / name, size)
        if self._room is not None:
            self._room.close()
        self.current, self._room, self.size, self._left = name, room, 0, size


def _taken(path: Path, size: int) -> mmap:
    """Return room of a new file, taken on the disk to its end; raises OSError and leaves no file where there is none."""
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(UNWRITTEN * size)
        with path.open("r+b") as file:
            return mmap(file.fileno(), size)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _tick(second: int) -> bytes:
    return b"%b%d%b" % (TICK, second, END)


def line_of(*fields: str | int) -> bytes:
    """Return a line: tenant, month's first day, endpoint, key, account, model, status, requests, refused, tokens in and out."""
    return FIELD.join(str(field).translate(UNPRINTABLE).encode() for field in fields) + END


def parsed(data: bytes, *, second: int) -> Iterator[tuple[UsageEvent, str]]:
    """Yield an event for each kind of line within a second, with the first day of its month.

    `second` is that of the lines before the first one that tells it.
    """
    for stretch in data.split(TICK):
        lines = stretch.split(END)
        if stretch is not data and lines[0].isdigit():
            second = int(lines.pop(0))
        moment = timestamp_of(second)
        for line, count in Counter(line for line in lines if line).items():
            yield _event(line, moment, count)


def last_second(data: bytes, *, second: int) -> int:
    """Return the second of the last line."""
    last = data.rfind(TICK)
    return second if last < 0 else int(data[last + 1 : data.index(END, last)])


def _event(line: bytes, moment: str, count: int) -> tuple[UsageEvent, str]:
    tenant_id, month, endpoint, key_id, account_id, model, *numbers = line.decode().split(FIELD.decode())
    status, requests, refused, input_tokens, output_tokens = map(int, numbers)
    event = UsageEvent(
        tenant_id=tenant_id,
        created_at=moment,
        endpoint=endpoint,
        key_id=key_id,
        account_id=account_id or None,
        model=model or None,
        status=status,
        requests=requests * count,
        refused=refused * count,
        input_tokens=input_tokens * count,
        output_tokens=output_tokens * count,
    )
    return event, month
