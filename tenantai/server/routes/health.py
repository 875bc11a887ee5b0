"""Probes: alive, and ready."""

import sys
import time

from aiohttp import web

from tenantai import __version__
from tenantai.server.keys import READINESS, REQUEST_ID, STARTED
from tenantai.server.middlewares import json_response, public, success

PAGE_BYTES = 4096
MEBIBYTE = 1024 * 1024


@public
async def health(request: web.Request) -> web.Response:
    """Say that the process is alive; asks nobody."""
    uptime = round(time.monotonic() - request.app[STARTED], 3)
    memory = {"rssMb": resident_megabytes()}
    return success({"status": "healthy", "version": __version__, "uptime": uptime, "memory": memory})


@public
async def ready(request: web.Request) -> web.Response:
    """Ask every dependency; 503 where a critical one fails."""
    is_ready, report = await request.app[READINESS].report()
    if is_ready:
        return success(report)
    message = "The server is not ready; details says why."
    error = {"code": "NOT_READY", "message": message, "details": report, "requestId": request[REQUEST_ID]}
    return json_response({"success": False, "error": error, "data": report}, status=503)


def resident_megabytes() -> float | None:
    """Return the memory the process holds now, None where the platform does not tell cheaply."""
    if sys.platform != "linux":
        return None
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  a third of pathlib's cost, on every probe
        return round(int(file.read().split()[1]) * PAGE_BYTES / MEBIBYTE, 1)
