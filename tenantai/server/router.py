"""Which handler a request is for: its path is walked a segment at a time, however many routes there are.

What must stay true: what is found here is what aiohttp's own dispatcher finds; where nothing is, that one decides and refuses.
It tries the patterns below a common prefix in turn, which for most of our routes is some twenty regular expressions a request.
"""

import re
import warnings
from collections.abc import Iterable

from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError

from tenantai.server.middlewares import Handler, attended, public

VARIABLE = re.compile(r"\{([_a-zA-Z][_a-zA-Z0-9]*)\}")
PECULIAR = re.compile(r"[{}%]")  # what a variable may not hold, or holds in another spelling
BODY_BYTES_MAX = 1024**2


def application(routes: Iterable[web.RouteDef], *, body_bytes_max: int = BODY_BYTES_MAX) -> web.Application:
    """Return an application of routes, each of them attended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # aiohttp 3.14 has no other way to give it a router
        app = web.Application(router=Router(), client_max_size=body_bytes_max)
    app.add_routes([web.route(each.method, each.path, attended(each.handler), **each.kwargs) for each in routes])
    return app


class Router(web.UrlDispatcher):
    """The routes as a tree of their paths' segments."""

    def freeze(self) -> None:
        """Take no more routes, and grow the tree of those there are."""
        super().freeze()
        self._root = _Place()
        self._plain: dict[tuple[str, str], web.AbstractRoute] = {}
        for route in self.routes():
            path = route.resource.canonical if route.resource is not None else "{"
            self._root.lead_to(route, path)
            if not PECULIAR.search(path):
                self._plain[route.method, path] = route

    async def resolve(self, request: web.Request) -> web.UrlMappingMatchInfo:
        """Return a request's route with the values of its path's variables."""
        method, path = request.method, request.rel_url.path_safe
        route = self._plain.get((method, path))
        if route is not None:
            return web.UrlMappingMatchInfo({}, route)
        place, values = self._root, []
        for segment in path.split("/"):
            nearer = place.fixed.get(segment)
            if nearer is None:
                nearer = place.variable
                if nearer is None or not segment:
                    break
                values.append(segment)
            place = nearer
        else:
            route = place.routes.get(method)
            if route is not None and not ("%" in path or "{" in path or "}" in path):
                return web.UrlMappingMatchInfo(dict(zip(place.names, values, strict=True)), route)
        found = await super().resolve(request)
        return found if found.http_exception is None else _Nowhere(found.http_exception)


class _Place:
    """Where a path has come to: what may follow, and the routes that end here, by method."""

    __slots__ = ("fixed", "names", "routes", "variable")

    def __init__(self) -> None:
        self.fixed: dict[str, _Place] = {}
        self.variable: _Place | None = None
        self.names: tuple[str, ...] = ()
        self.routes: dict[str, web.AbstractRoute] = {}

    def lead_to(self, route: web.AbstractRoute, path: str) -> None:
        """Put a route at the end of its path; one with patterns of its own is left to aiohttp."""
        place, names = self, []
        for segment in path.split("/"):
            variable = VARIABLE.fullmatch(segment)
            if variable:
                names.append(variable[1])
                place.variable = place = place.variable or _Place()
            elif PECULIAR.search(segment):
                return
            else:
                place = place.fixed.setdefault(segment, _Place())
        if not place.routes:
            place.names = tuple(names)
        if place.names == tuple(names):
            place.routes.setdefault(route.method, route)


class _Nowhere(MatchInfoError):  # noqa: N818  aiohttp calls it so, but it is no exception
    """No route; the refusal is answered as every error is."""

    @property
    def handler(self) -> Handler:
        """What refuses the request."""
        return _refuse_attended


@public
async def _refuse(request: web.Request) -> web.StreamResponse:
    raise request.match_info.http_exception or web.HTTPNotFound


_refuse_attended = attended(_refuse)
