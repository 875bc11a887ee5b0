"""A file's bytes as an answer: whole or a part of them, never held in memory whole.

What must stay true: bytes that are named by their content are never other ones, so their SHA-256 is a strong ETag.
"""

import asyncio
from base64 import b64encode
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from aiohttp import web

from tenantai.errors import NotFound, RangeNotSatisfiable
from tenantai.server.keys import REQUEST_ID, REQUEST_ID_HEADER
from tenantai.server.metering import begin

PIECE_BYTES = 256 * 1024


async def send_file(request: web.Request, place: Path, *, sha256: str, media_type: str, name: str) -> web.StreamResponse:
    """Send a file: 206 where a part is asked for, 304 where the client has it. Raises RangeNotSatisfiable or NotFound."""
    etag = f'"{sha256}"'
    try:
        file = await opened(place)
    except FileNotFoundError as error:
        raise NotFound("The bytes of this file are gone from the server's disk. Tell the operator.") from error
    with file:
        size = await asyncio.to_thread(file.seek, 0, 2)
        if _has_it(request, etag):
            return web.Response(status=304, headers={"ETag": etag})
        part = _part_of(request, etag, size)
        response = web.StreamResponse(status=200 if part is None else 206, headers=_headers(request, sha256, name))
        response.content_type = media_type
        first, end = part or (0, size)
        if part is not None:
            response.headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        response.content_length = end - first
        begin(request, response)
        await response.prepare(request)
        if request.method != "HEAD":
            await _write(response, file, first, end)
    return response


async def opened(place: Path) -> BinaryIO:
    """Open a file to be read; where the request ends meanwhile it is closed again. Raises OSError."""
    opening: asyncio.Future[BinaryIO] = asyncio.ensure_future(asyncio.to_thread(place.open, "rb"))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: "asyncio.Future[BinaryIO]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _write(response: web.StreamResponse, file: BinaryIO, first: int, end: int) -> None:
    await asyncio.to_thread(file.seek, first)
    while first < end:
        piece = await asyncio.to_thread(file.read, min(PIECE_BYTES, end - first))
        if not piece:
            raise ConnectionResetError("the file ends before its end")
        await response.write(piece)
        first += len(piece)


def _has_it(request: web.Request, etag: str) -> bool:
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or etag in {known.strip().removeprefix("W/") for known in given.split(",")}


def _part_of(request: web.Request, etag: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last that are asked for, None for all; a range that is none is passed over."""
    if request.headers.get("If-Range", etag) != etag:
        return None
    try:
        wanted = request.http_range
    except ValueError:
        return None
    if wanted.start is None and wanted.stop is None:
        return None
    first = wanted.start or 0
    first = max(0, size + first) if first < 0 else first
    if first >= size or wanted.start == 0 == wanted.stop:
        raise RangeNotSatisfiable(size)
    return first, size if wanted.stop is None else min(size, wanted.stop)


def _headers(request: web.Request, sha256: str, name: str) -> dict[str, str]:
    digest = b64encode(bytes.fromhex(sha256)).decode()
    return {
        "ETag": f'"{sha256}"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{digest}:",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        REQUEST_ID_HEADER: request[REQUEST_ID],
    }
