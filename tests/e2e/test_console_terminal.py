"""The console in a real terminal and in a real browser: started as a person starts it, typed at, read."""

import asyncio
import json
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.commands.running_cli import start
from tests.e2e.browser import browsing, chromium
from tests.running import Running, Tenant, until_seen


def memory_of(home: Path) -> Path:
    """Return the file in which a console remembers things."""
    return home / ".config" / "tenantai" / "console.json"


async def kept_in(home: Path, name: str) -> object:
    """Return what a console remembers under a name, None where it does not."""
    path = memory_of(home)
    return json.loads(path.read_text()).get(name) if path.exists() else None


class Terminal:
    """A terminal in tmux, on a server of the test's own."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def tmux(self, *arguments: str) -> str:
        """Run a command of tmux and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out.decode()

    async def screen(self) -> str:
        """Return what stands on the screen."""
        return await self.tmux("capture-pane", "-p", "-t", "console")

    async def type(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        await self.tmux("send-keys", "-t", "console", *keys)

    async def write(self, text: str) -> None:
        """Type text as it stands."""
        await self.tmux("send-keys", "-t", "console", "-l", text)

    async def until(self, condition: Callable[[str], bool]) -> None:
        """Wait until the screen is as it should be."""
        screen = ""

        async def look() -> bool:
            nonlocal screen
            screen = await self.screen()
            return condition(screen)

        try:
            await until_seen(look)
        except TimeoutError:
            pytest.fail(f"the screen stayed so:\n{screen}")

    async def is_over(self) -> bool:
        """Tell whether the command has ended."""
        return "console" not in await self.tmux("list-sessions")


@asynccontextmanager
async def terminal(folder: Path, *command: str, **environment_given: str) -> AsyncIterator[Terminal]:
    """Run a command in a terminal of 100 by 30 while the block runs."""
    opened = Terminal(folder / "tmux")
    given = [f"{name}={value}" for name, value in environment_given.items()]
    line = shlex.join(["env", *given, *command])
    await opened.tmux("new-session", "-d", "-s", "console", "-x", "100", "-y", "30", line)
    try:
        yield opened
    finally:
        await opened.tmux("kill-server")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
async def test_in_a_terminal(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """Plain `python -m tenantai` opens the console; places, the palette, the `:` line and leaving work from the keyboard."""
    given = {"HOME": str(tmp_path), "TENANTAI_URL": running.url, "TENANTAI_API_KEY": acme.key, "TERM": "xterm-256color"}
    async with terminal(tmp_path, sys.executable, "-m", "tenantai", **given) as opened:
        await opened.until(lambda screen: "1Overview" in screen and "Acme" in screen)
        await opened.type("6")
        await opened.until(lambda screen: "first key" in screen and "1–1 of 1 keys" in screen)
        await opened.type("C-p")
        await opened.until(lambda screen: "Search for commands" in screen)
        await opened.type("Escape")
        await opened.until(lambda screen: "Search for commands" not in screen)
        await opened.write(":theme nord")
        await opened.until(lambda screen: "theme nord" in screen)
        await opened.type("Enter")
        await until_seen(lambda: kept_in(tmp_path, "theme"))
        await opened.type("?")
        await opened.until(lambda screen: "In the pane with the focus" in screen)
        await opened.type("Escape")
        await opened.type("C-q")
        await until_seen(opened.is_over)
    assert [await kept_in(tmp_path, name) for name in ("place", "theme")] == ["keys", "nord"]
    assert acme.key not in memory_of(tmp_path).read_text()


@pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")
async def test_in_a_browser(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """`web` serves the console: with the password it opens in Chromium, takes keys, and never sends the API key there."""
    given = {"TENANTAI_URL": running.url, "TENANTAI_API_KEY": acme.key, "TENANTAI_WEB_PASSWORD": "amaranth"}
    served = await start("web", "--port", "0", home=tmp_path, **given)
    assert served.stdout is not None
    try:
        url = (await served.stdout.readline()).decode().split()[-1]
        async with browsing(tmp_path / "profile") as page:
            await page.call("Page.navigate", url=url)
            await page.wait_for("document.querySelector('input[type=password]') !== null")
            await page.value("document.querySelector('input').focus()")
            await page.type("amaranth")
            await page.value("document.querySelector('form').submit()")
            await page.wait_for("document.body && document.body.classList.contains('-first-byte')")

            async def goes_to_keys() -> bool:
                await page.type("6")
                return await kept_in(tmp_path, "place") == "keys"

            try:
                await until_seen(goes_to_keys)
            except TimeoutError:
                (tmp_path / "page.png").write_bytes(await page.picture())
                pytest.fail(f"the console in the browser takes no keys: {tmp_path / 'page.png'}")
            assert len(await page.picture()) > 5_000
            assert acme.key not in str(await page.value("document.documentElement.outerHTML"))
    finally:
        served.terminate()
        await served.communicate()
    assert served.returncode == 0
