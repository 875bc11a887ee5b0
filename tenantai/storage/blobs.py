"""Bytes of files, named by their content, in a folder for each tenant.

What must stay true: a blob appears whole or not at all, and no name from outside becomes part of a path.
"""

import asyncio
import errno
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal
from weakref import WeakValueDictionary

from tenantai.errors import NotReady, PayloadTooLarge
from tenantai.identifiers import new_id

WRITE_BYTES = 1024 * 1024
NAMES_AT_ONCE = 500
CONTENT, TENANT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f-]{36}")
DISK_FULL = "The server's disk is full, so the file was not taken. Tell the operator."
NO_DISK = "The server cannot write to its data folder, so the file was not taken. Tell the operator."

Condition = Literal["whole", "missing", "changed"]


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes on disk that are not in the store yet."""

    path: Path
    sha256: str
    bytes: int

    def discard(self) -> None:
        """Remove them, if they are still there."""
        self.path.unlink(missing_ok=True)


class Blobs:
    """The blobs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def prepare(self) -> None:
        """Make the folders and clear what a crash left half received."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(mode=0o700, parents=True)

    async def receive(self, pieces: AsyncIterable[bytes], *, bytes_max: int) -> Received:
        """Write pieces to disk as they come; raises PayloadTooLarge, and leaves nothing behind on any failure."""
        path = self._incoming / new_id()
        try:
            with _telling_of_the_disk():
                return await _received(path, pieces, bytes_max)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[Path]:
        """Give a folder for files that are needed while the block runs; a crash leaves it to `prepare`."""
        folder = self._incoming / new_id()
        with _telling_of_the_disk():
            await asyncio.to_thread(folder.mkdir, mode=0o700)
        try:
            yield folder
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    def lock(self, tenant_id: str) -> asyncio.Lock:
        """Return the lock to hold from keeping bytes to recording them, and from forgetting them to removing them."""
        return self._locks.setdefault(tenant_id, asyncio.Lock())

    def keep(self, tenant_id: str, *, received: Received) -> None:
        """Move received bytes to their place; blocking. The same bytes arriving twice end as one blob."""
        path = self.path(tenant_id, sha256=received.sha256)
        with _telling_of_the_disk():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            received.path.replace(path)

    def path(self, tenant_id: str, *, sha256: str) -> Path:
        """Return where a tenant's blob lies."""
        if not re.fullmatch(CONTENT, sha256) or not re.fullmatch(TENANT, tenant_id):
            raise ValueError("a blob is named by a tenant's id and a SHA-256")
        return self._folder / tenant_id / sha256[:2] / sha256

    def folder_of(self, tenant_id: str) -> Path:
        """Return where all blobs of a tenant lie."""
        if not re.fullmatch(TENANT, tenant_id):
            raise ValueError("a folder is named by a tenant's id")
        return self._folder / tenant_id

    def condition(self, tenant_id: str, *, sha256: str) -> Condition:
        """Return whether a blob is there and what its name says; blocking."""
        try:
            with self.path(tenant_id, sha256=sha256).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return "missing"
        return "whole" if found == sha256 else "changed"

    def kept(self) -> Iterator[tuple[str, list[str]]]:
        """Yield tenants with some of their blobs, a folder's at a time, whether anything names them or not; blocking."""
        for tenant in self._folder.iterdir():
            if not re.fullmatch(TENANT, tenant.name):
                continue
            for folder in tenant.iterdir():
                names = (path.name for path in folder.iterdir() if re.fullmatch(CONTENT, path.name))
                while some := list(islice(names, NAMES_AT_ONCE)):
                    yield tenant.name, some

    def remove(self, tenant_id: str, *, sha256: str) -> None:
        """Remove a blob; blocking."""
        self.path(tenant_id, sha256=sha256).unlink(missing_ok=True)


async def _received(path: Path, pieces: AsyncIterable[bytes], bytes_max: int) -> Received:
    """Write pieces to a new file, and have the disk hold them."""
    digest, size, buffer = hashlib.sha256(), 0, bytearray()
    file = await asyncio.to_thread(path.open, "xb")
    try:
        async for piece in pieces:
            size += len(piece)
            _refuse_over(size, bytes_max)
            buffer += piece
            if len(buffer) >= WRITE_BYTES:
                await asyncio.to_thread(_write, file, digest, bytes(buffer))
                buffer.clear()
        await asyncio.to_thread(_write, file, digest, bytes(buffer))
        await asyncio.to_thread(os.fsync, file.fileno())
    finally:
        with suppress(OSError):
            file.close()
    return Received(path, digest.hexdigest(), size)


@contextmanager
def _telling_of_the_disk() -> Iterator[None]:
    """Raise NotReady where the disk has no room, or the folder is gone or can't be written."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NotReady(DISK_FULL) from error
        if error.errno in {errno.ENOENT, errno.EROFS, errno.EIO, errno.EACCES}:
            raise NotReady(NO_DISK) from error
        raise


def _refuse_over(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise PayloadTooLarge(f"The file is larger than the {bytes_max} bytes that are taken.")


def _write(file: BinaryIO, digest: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    digest.update(piece)
