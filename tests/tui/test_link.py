"""The server goes and comes back: what was loaded stays, keys work, and everything goes on by itself."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port
from textual.pilot import Pilot
from textual.widgets import Static

from tenantai.client import ClientError
from tenantai.settings import Settings
from tenantai.tui import link
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tenantai.tui.screens.connecting import Connecting
from tenantai.tui.screens.keys import Keys
from tenantai.tui.widgets.column_chart import ColumnChart
from tenantai.tui.widgets.record_list import GONE, RecordList
from tenantai.tui.widgets.top_bar import StatusLine
from tests.e2e.test_kill import SERVED, call, register
from tests.running import Running, Tenant, until
from tests.tui.conftest import Opener, asked, settled


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the console ask for the server more often than it would a person's."""
    monkeypatch.setattr(link, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(link, "WAIT_SECONDS_FIRST", 0.05)
    monkeypatch.setattr(link, "WAIT_SECONDS_MAX", 0.1)


@asynccontextmanager
async def served(data_dir: Path, port: int) -> AsyncIterator[str]:
    """Run a server on a port while the block runs, then SIGKILL it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SERVED), str(data_dir), "-", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        yield (await process.stderr.readline()).decode().strip()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def told(console: Console) -> str:
    """Return what the line at the top says."""
    return str(console.screen.query_one(StatusLine).render())


def counts(console: Console) -> set[str]:
    """Return what the lists that are shown say of how many rows they have."""
    lists = [records for records in console.screen.query(RecordList) if records.region.area]
    return {str(records.query_one("#count", Static).render()) for records in lists}


async def opens_without_rows(console: Console, pilot: Pilot[None], key: str) -> None:
    """Go to a place for the first time; it says that nothing was loaded, not that there is nothing."""
    before = console.screen
    await pilot.press(key)
    await until(lambda: console.screen is not before and counts(console) == {GONE})
    assert "Nothing was used" not in drawn(console)


def drawn(console: Console) -> str:
    """Return what the charts show."""
    return "".join(str(chart.render()) for chart in console.screen.query(ColumnChart))


async def test_killed_and_started_again(settings: Settings, tmp_path: Path) -> None:
    """After a SIGKILL the list stays, the line at the top says so, keys work; after the restart everything is asked for anew."""
    port = unused_port()
    async with AsyncExitStack() as first, aiohttp.ClientSession() as session:
        url = await first.enter_async_context(served(settings.data_dir, port))
        await register(session, url)
        key = session.headers["x-api-key"]
        console = Console(Start(url, key, place="keys", folder=tmp_path / "user", memory=Memory(None)))
        async with console.run_test(size=(100, 30)) as pilot:
            await until(lambda: console.times_online == 1)
            await settled(console, pilot)
            place = console.screen
            assert isinstance(place, Keys)
            assert len(place.records.records) == 1
            await first.aclose()
            await until(lambda: console.link_state.status == "offline")
            await until(lambda: "next try in" in told(console))
            assert "what you see is" in told(console)
            assert not isinstance(console.screen, Connecting)
            assert told(console).startswith("✗ server gone · what you see is")
            assert told(console).index("ctrl+r now") < 80 - len("  ctrl+r now")
            for place_key in "345789":
                await opens_without_rows(console, pilot, place_key)
            await pilot.press("6")
            await until(lambda: console.screen is place)
            await pilot.press("slash", *"no such key", "enter", "escape", "colon", *"reload", "enter")
            await pilot.pause()
            assert len(place.records.records) == 1
            async with served(settings.data_dir, port):
                await call(session, "POST", f"{url}/api/v1/tenants/{console.tenant_id}/api-keys", json={"name": "second"})
                await until(lambda: console.link_state.status == "online")
                await until(lambda: len(place.records.records) == 2)
                assert "●" in told(console)
        assert not console._faults


async def test_a_request_that_fails_tells_at_once(opened: Opener, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds the server gone tells the link, which says so before its own next question."""
    async with opened(acme.key, place="keys") as (console, _):
        monkeypatch.setattr(link, "PROBE_SECONDS", 60.0)
        assert console.link.lost(ClientError("CONNECTION_LOST", "It broke."))
        assert console.link_state.status == "offline"
        await until(lambda: console.link_state.status == "online")
        assert not console.link.lost(ClientError("FORBIDDEN", "No."))


async def test_a_key_that_is_none(running: Running, tmp_path: Path) -> None:
    """A key that the server refuses is said in its words, with a question for another; the right one connects."""
    tenant = await running.register("Acme")
    start = Start(running.url, "sk_live_wrong", folder=tmp_path, memory=Memory(None))
    console = Console(start)
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        assert console.link_state.status == "refused"
        await pilot.click("#key")
        await pilot.press(*tenant.key, "enter")
        await until(lambda: console.tenant_id == tenant.id)
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240  small files of the test's own
    assert not [text for text in kept if tenant.key.encode() in text]


async def test_no_server_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Where nothing answers the console offers to start a server; the one it started ends with it."""
    port = unused_port()
    monkeypatch.setattr("tenantai.tui.app.DEFAULT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("tenantai.tui.app.DEFAULT_PORT", port)
    monkeypatch.setenv("TENANTAI_EMBEDDING", "openai")
    monkeypatch.setenv("TENANTAI_OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    start = Start(f"http://127.0.0.1:{port}", None, data_dir=settings.data_dir, folder=tmp_path, memory=Memory(None))
    console = Console(start)
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        await pilot.press("ctrl+s")
        await until(lambda: console.times_online == 1)
        process = console.server._process
        assert process is not None
        assert process.returncode is None
        assert console.link_state.who is not None
        assert console.link_state.who.is_operator
        await pilot.press("ctrl+q")
        await until(lambda: process.returncode is not None)
    assert process.returncode == 0


@pytest.mark.parametrize(("url", "key"), [("nonsense", "sk_live_x"), ("http://127.0.0.1:1", "two\nlines")])
async def test_an_address_or_a_key_that_can_be_none(tmp_path: Path, url: str, key: str) -> None:
    """What can't be an address or a key is said at once, with the question for another, and is not tried again as it is."""
    console = Console(Start(url, key, folder=tmp_path, memory=Memory(None)))
    async with console.run_test(size=(100, 30)) as pilot:
        await asked(console, pilot, Connecting)
        assert (console.link_state.status, console.link_state.next_try) == ("refused", None)
        assert "ctrl+l" in told_below(console)


def told_below(console: Console) -> str:
    """Return what the line at the top of the place below a question says."""
    return str(console.screen_stack[0].query_one(StatusLine).render())
