"""Downloads of pinned files: streamed to the disk, hashed on their way.

What must stay true: `download` returns only when the file holds exactly the bytes asked for; what is wrong with a
transfer is told by DownloadFailed, what is wrong with the disk by OSError.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import aiohttp

_PIECE_BYTES = 1 << 18


class DownloadFailed(Exception):  # noqa: N818  read as a sentence, like the errors of tenantai.errors
    """The source can't be reached, refuses, or breaks off."""


class Mismatch(DownloadFailed):
    """The source gave something else than what is pinned."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a file must be."""

    size_bytes: int
    sha256: str


async def download(
    session: aiohttp.ClientSession,
    url: str,
    *,
    to: Path,
    pin: Pin,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write what `url` gives to the new file `to`; `progress` is told the bytes done and in all."""
    # Content-Encoding would make the bytes on the wire others than the file's.
    request = session.get(url, headers={"Accept-Encoding": "identity"})
    sink = await asyncio.to_thread(to.open, "wb")
    try:
        async with request as response:
            response.raise_for_status()
            digest = await _copy(response.content, sink, size_bytes=pin.size_bytes, progress=progress)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise DownloadFailed(type(error).__name__) from error
    finally:
        await asyncio.to_thread(sink.close)
    if digest != pin.sha256:
        raise Mismatch("another SHA-256")


async def _copy(
    content: aiohttp.StreamReader,
    sink: BinaryIO,
    *,
    size_bytes: int,
    progress: Callable[[int, int], None] | None,
) -> str:
    """Return the SHA-256 of what was copied; stops at the first byte too many."""
    digest = hashlib.sha256()
    done = 0
    async for piece in content.iter_chunked(_PIECE_BYTES):
        done += len(piece)
        if done > size_bytes:
            raise Mismatch("too long")
        await asyncio.to_thread(sink.write, piece)
        digest.update(piece)
        if progress:
            progress(done, size_bytes)
    if done < size_bytes:
        raise DownloadFailed("too short")
    return digest.hexdigest()
