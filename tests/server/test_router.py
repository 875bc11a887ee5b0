"""The walk along a path finds what aiohttp's own dispatcher finds, and refuses what that refuses."""

import itertools

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from tenantai.server.router import Router, application
from tenantai.server.routes import ROUTES

ODD = ["", "%2F", "a%2Fb", "a%20b", "100%25", "%7Bx%7D", "é", "..", "a:b", "a\u2028", "history", "{tenant_id}"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
PATHS = sorted({route.path for route in ROUTES})


@pytest.fixture(scope="module")
def router() -> Router:
    """The product's routes, as they are served."""
    found = application(ROUTES).router
    found.freeze()
    assert isinstance(found, Router)
    return found


def filled(path: str, value: str) -> str:
    """Return a route's path with the same value for each of its variables."""
    return "/".join(value if segment.startswith("{") else segment for segment in path.split("/"))


def told(found: web.UrlMappingMatchInfo) -> object:
    """Return what tells two findings apart."""
    if found.http_exception is not None:
        return found.http_exception.status, found.http_exception.headers.get("Allow")
    return found.route, dict(found)


@pytest.mark.parametrize("path", [*PATHS, "", "/", "/api", "/api/v1/nothing", "/metrics/more", "//api/v1/health"])
async def test_same_as_aiohttp(router: Router, path: str) -> None:
    """Route, values and refusals are aiohttp's, for each route, whatever stands in the place of an id."""
    for method, value, tail in itertools.product(METHODS, ["0193-id", *ODD], ["", "/", "/more", "?a=b/c"]):
        request = make_mocked_request(method, filled(path, value) + tail)
        assert told(await router.resolve(request)) == told(await web.UrlDispatcher.resolve(router, request))


async def test_walk_is_enough(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request for a route that exists, with ids like ours, is left to aiohttp's search."""
    monkeypatch.setattr(web.UrlDispatcher, "resolve", None)
    for route in ROUTES:
        request = make_mocked_request(route.method, filled(route.path, "01a21d13-0fab-74b3-87a5-e3df77e2793f"))
        found = await router.resolve(request)
        assert (found.route.method, found.route.resource and found.route.resource.canonical) == (route.method, route.path)
