"""The door before the console in a browser: this machine only, or the password; never a page of another site."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tenantai.tui.web import COOKIE, TRIES, ConsoleServer, is_loopback


@asynccontextmanager
async def serving_web(password: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve consoles that end at once; yields a browser's session."""
    server = ConsoleServer("true", host="127.0.0.1", port=0, password=password)
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        TestServer(await server.application()) as served,
        aiohttp.ClientSession(served.make_url("/"), cookie_jar=jar) as session,
    ):
        yield session


async def status(session: aiohttp.ClientSession, path: str, **headers: str) -> int:
    async with session.get(path, headers=headers, allow_redirects=False) as response:
        return response.status


async def test_this_machine_only() -> None:
    """Without a password the page comes to names of this machine alone, and asks nothing of any other machine."""
    async with serving_web() as session:
        async with session.get("/") as response:
            page = await response.text()
            assert response.status == 200
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert "//" not in page.replace("<!doctype", "")
        assert await status(session, "/", Host="evil.example") == 403
        assert await status(session, "/", Host="evil.example:8421") == 403
        for name in ("localhost:8421", "127.0.0.1", "[::1]:8421"):
            assert await status(session, "/", Host=name) == 200


async def test_no_other_site_opens_a_console() -> None:
    """A web socket needs the origin of the page itself."""
    async with serving_web() as session:
        assert await status(session, "/ws") == 403
        assert await status(session, "/ws", Origin="http://evil.example") == 403
        assert await status(session, "/", Origin="null") == 403


async def test_the_password() -> None:
    """With a password everything leads to the question for it; the right one opens 12 hours, kept in a cookie no script reads."""
    async with serving_web("amaranth") as session:
        for path in ("/", "/ws", "/static/js/textual.js", "/page/console.js", "/download/x"):
            assert await status(session, path, Origin=f"http://{session._base_url.authority}") == 303  # type: ignore[union-attr]
        async with session.post("/login", data={"password": "wrong"}) as response:
            assert (response.status, COOKIE in response.cookies) == (403, False)
        async with session.post("/login", data={"password": "amaranth"}, allow_redirects=False) as response:
            assert response.status == 303
            cookie = response.cookies[COOKIE]
            assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
        assert await status(session, "/") == 200
        assert await status(session, "/", Host="console.example.com") == 200


async def test_five_tries() -> None:
    """After five wrong passwords none is tried for 15 minutes, not even the right one."""
    async with serving_web("amaranth") as session:
        for _ in range(TRIES):
            async with session.post("/login", data={"password": "wrong"}) as response:
                assert response.status == 403
        async with session.post("/login", data={"password": "amaranth"}, allow_redirects=False) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "900")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.2", "::1"])
def test_names_of_this_machine(name: str) -> None:
    """Loopback is this machine's own."""
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["0.0.0.0", "::", "console.example.com", "127.0.0.1.example.com", ""])
def test_names_of_others(name: str) -> None:
    """Nothing else is."""
    assert not is_loopback(name)
