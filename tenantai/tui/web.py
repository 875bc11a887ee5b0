"""The console in a browser: textual-serve behind a door.

What must stay true: nobody reaches a console but from this machine, or with the password; no page of another site can open one; a
console's key is in the environment of its process and never in what the browser is sent.
"""

import asyncio
import hashlib
import hmac
import html
import ipaddress
import secrets
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

PAGES = Path(__file__).with_name("web_pages")
COOKIE = "tenantai_console"
SESSION_SECONDS = 12 * 3600
SHUTDOWN_SECONDS = 5.0
TRIES, TRIES_SECONDS = 5, 15 * 60
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NOT_HERE = "This console is served to this machine only. Set TENANTAI_WEB_PASSWORD to serve it to others."
NOT_FROM_THERE = "Another site may not open this console."
TOO_MANY = "Too many tries. Come back in 15 minutes."
WRONG = "That is not the password."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Who may come in: whoever is on this machine, or has given the password within 12 hours."""

    def __init__(self, password: str | None) -> None:
        self._password = _digest(password) if password else None
        self._sessions: dict[bytes, float] = {}
        self._tries: deque[float] = deque()

    @property
    def has_password(self) -> bool:
        """Whether a password is asked for."""
        return self._password is not None

    def lets_in(self, request: web.Request) -> bool:
        """Tell whether a request may go on."""
        if self._password is None:
            return True
        ends = self._sessions.get(_digest(request.cookies.get(COOKIE, "")))
        return ends is not None and ends > time.monotonic()

    def opened_by(self, password: str) -> str | None:
        """Return a session's token for the right password, None for a wrong one; raises HTTPTooManyRequests."""
        now = time.monotonic()
        while self._tries and now - self._tries[0] > TRIES_SECONDS:
            self._tries.popleft()
        if len(self._tries) >= TRIES:
            raise web.HTTPTooManyRequests(text=TOO_MANY, headers={"Retry-After": str(TRIES_SECONDS)})
        if self._password is None or not hmac.compare_digest(_digest(password), self._password):
            self._tries.append(now)
            return None
        self._sessions = {key: ends for key, ends in self._sessions.items() if ends > now}
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = now + SESSION_SECONDS
        return token


class ConsoleServer(Server):
    """Serves a console of its own to each browser that comes in."""

    def __init__(self, command: str, *, host: str, port: int, password: str | None, public_url: str | None = None) -> None:
        super().__init__(command, host=host, port=port, title="tenantai", public_url=public_url, templates_path=PAGES)
        self.door = Door(password)
        self._given_public_url = public_url
        self._consoles: set[asyncio.Task[Any]] = set()

    def initialize_logging(self) -> None:
        """Leave logging as it is."""

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the command does."""

    async def application(self) -> web.Application:
        """Return what is served: textual-serve's application, with the door before it."""
        app = await self._make_app()
        app.middlewares.append(self._guard)
        app.add_routes(
            [web.get("/login", self._login_page), web.post("/login", self._log_in), web.get("/page/console.js", _script)]
        )
        app.on_shutdown.append(self._close_consoles)
        return app

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a console for a browser until either leaves."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a handler runs in a task
        self._consoles.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._consoles.discard(task)

    async def _close_consoles(self, app: web.Application) -> None:
        """End the consoles of all browsers."""
        del app
        for task in self._consoles:
            task.cancel()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may come in, from where they may."""
        self._refuse_strangers(request)
        if request.path != "/login" and not self.door.lets_in(request):
            raise web.HTTPSeeOther("/login", headers=HEADERS)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _refuse_strangers(self, request: web.Request) -> None:
        """Raise HTTPForbidden for a name that is not this machine's (where no password is set), and for other sites' pages."""
        if not self.door.has_password and not is_loopback(_host_of(f"//{request.host}")):
            raise web.HTTPForbidden(text=NOT_HERE)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host and origin != self._given_public_url:
            raise web.HTTPForbidden(text=NOT_FROM_THERE)
        if origin is None and request.path == "/ws":
            raise web.HTTPForbidden(text=NOT_FROM_THERE)

    async def handle_index(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp gives it
        """Send the page with the terminal; its addresses are those that the browser came by."""
        return web.Response(text=_page("console.html"), content_type="text/html")

    async def _login_page(self, request: web.Request) -> web.Response:  # noqa: ARG002  aiohttp gives it
        return _login("")

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        token = self.door.opened_by(str(form.get("password", "")))
        if token is None:
            return _login(WRONG, status=403)
        response = web.HTTPSeeOther("/")
        secure = request.secure or (self._given_public_url or "").startswith("https")
        response.set_cookie(COOKIE, token, max_age=SESSION_SECONDS, httponly=True, samesite="Strict", secure=secure)
        raise response


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve_console(server: ConsoleServer, *, told: Callable[[str], Any]) -> None:
    """Serve until interrupted; says where, once it listens. Raises OSError where it can't."""
    asyncio.run(_serve(server, told))


async def _serve(server: ConsoleServer, told: Callable[[str], Any]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(await server.application(), shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, server.host, server.port).start()
        told(f"http://{_shown(server.host)}:{runner.addresses[0][1]}")
        await stop.wait()
    finally:
        await runner.cleanup()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _login(problem: str, *, status: int = 200) -> web.Response:
    text = _page("login.html").replace("{problem}", html.escape(problem))
    return web.Response(text=text, content_type="text/html", status=status)


async def _script(request: web.Request) -> web.Response:
    """Send the lines that tell the terminal its address."""
    del request
    return web.Response(text=_page("console.js"), content_type="text/javascript")


def _page(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
