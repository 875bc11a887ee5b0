"""Files that are made for one request: sent piece by piece and gone with their end."""

import asyncio
from typing import BinaryIO

from aiohttp import web

from tenantai.server.keys import AUDIT_TAIL, REQUEST_ID, REQUEST_ID_HEADER
from tenantai.server.metering import begin

PIECE_BYTES = 256 * 1024
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


async def send_file(request: web.Request, file: BinaryIO, *, name: str, form: str) -> web.StreamResponse:
    """Send an open file and close it; a shutdown breaks the connection, so that half never seems whole."""
    headers = {
        "Content-Type": MEDIA_TYPES[form],
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
        REQUEST_ID_HEADER: request[REQUEST_ID],
    }
    try:
        response = web.StreamResponse(headers=headers)
        begin(request, response)
        await response.prepare(request)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            await response.write(piece)
            if request.app[AUDIT_TAIL].is_draining and request.transport is not None:
                request.transport.abort()
                break
    finally:
        await asyncio.to_thread(file.close)
    return response
