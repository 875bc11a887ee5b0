"""The description of the API, and a page to read it on that needs no internet."""

import json
from functools import cache
from importlib import resources

from aiohttp import web

from tenantai.errors import NotFound
from tenantai.server.keys import DESCRIPTION
from tenantai.server.middlewares import public

TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "start.js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
GUARDS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@public
async def openapi(request: web.Request) -> web.Response:
    """Return the OpenAPI description of what runs."""
    body = await request.app[DESCRIPTION]()
    return web.Response(body=body, content_type="application/json", charset="utf-8")


@public
async def docs(_request: web.Request) -> web.Response:
    """Return a page that shows the description."""
    return web.Response(body=_asset("index.html"), content_type="text/html", charset="utf-8", headers=GUARDS)


@public
async def asset(request: web.Request) -> web.Response:
    """Return a part of that page."""
    name = request.match_info["name"]
    if name not in TYPES:
        raise NotFound("There is no such part of the page.")
    is_packed = not name.startswith("start")
    headers = {**GUARDS, "Cache-Control": "public, max-age=86400", **({"Content-Encoding": "gzip"} if is_packed else {})}
    return web.Response(
        body=_asset(f"{name}.gz" if is_packed else name), content_type=TYPES[name], charset="utf-8", headers=headers
    )


def rendered(document: dict[str, object]) -> bytes:
    """Return the description as it is sent."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


@cache
def _asset(name: str) -> bytes:
    return resources.files("tenantai.server").joinpath("docs_page", name).read_bytes()
