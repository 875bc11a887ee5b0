"""What is served while the database can't be: alive, not ready, and why; everything else is 503."""

import time

from aiohttp import web

from tenantai.errors import NotReady
from tenantai.server.keys import METRICS, REQUEST_ID, STARTED
from tenantai.server.middlewares import json_response, public
from tenantai.server.router import application
from tenantai.server.routes import API, health
from tenantai.server.services.metrics import Metrics


def create_maintenance_app(sentence: str) -> web.Application:
    """Return an application that says `sentence` to whoever asks whether it is ready."""

    @public
    async def ready(request: web.Request) -> web.Response:
        database = {"status": "down", "latencyMs": 0.0, "critical": True, "error": sentence}
        report = {"status": "not_ready", "checks": {"database": database}, "totalLatencyMs": 0.0}
        error = {"code": "NOT_READY", "message": sentence, "details": report, "requestId": request[REQUEST_ID]}
        return json_response({"success": False, "error": error, "data": report}, status=503)

    @public
    async def refuse(_request: web.Request) -> web.StreamResponse:
        raise NotReady(
            "The database must be restored before this server can work. The operator finds the command at /api/v1/ready."
        )

    app = application(
        [web.get(f"{API}/health", health.health), web.get(f"{API}/ready", ready), web.route("*", "/{tail:.*}", refuse)]
    )
    app[METRICS] = Metrics()
    app[STARTED] = time.monotonic()
    return app
