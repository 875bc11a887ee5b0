"""Tenants, usage and the audit log while the server is gone: what was loaded stays, and the live log goes on afterwards."""

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from tenantai.settings import Settings
from tenantai.tui import link
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tenantai.tui.screens.audit import Audit
from tenantai.tui.screens.tenants import Tenants
from tenantai.tui.screens.usage import Usage
from tests.e2e.test_kill import call, register
from tests.running import until
from tests.tui.conftest import settled
from tests.tui.test_link import served


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the console ask for the server more often than it would a person's."""
    monkeypatch.setattr(link, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(link, "WAIT_SECONDS_FIRST", 0.05)
    monkeypatch.setattr(link, "WAIT_SECONDS_MAX", 0.1)


async def test_what_was_loaded_stays_and_the_live_log_goes_on(settings: Settings, tmp_path: Path) -> None:
    """After a SIGKILL every place shows what it had and its keys work; after the restart new entries come live again."""
    port = unused_port()
    async with AsyncExitStack() as first, aiohttp.ClientSession() as session:
        url = await first.enter_async_context(served(settings.data_dir, port))
        await register(session, url)
        key = session.headers["x-api-key"]
        console = Console(Start(url, key, place="tenants", folder=tmp_path / "user", memory=Memory(None)))
        async with console.run_test(size=(100, 30)) as pilot:
            await until(lambda: console.times_online == 1)
            await settled(console, pilot)
            tenants = console.screen
            assert isinstance(tenants, Tenants)
            await until(lambda: len(tenants.records.records) == 1)
            await pilot.press("8")
            await until(lambda: isinstance(console.screen, Usage))
            usage = console.screen
            assert isinstance(usage, Usage)
            await until(lambda: usage.history is not None and usage.quotas.records)
            await pilot.press("5")
            await until(lambda: isinstance(console.screen, Audit))
            audit = console.screen
            assert isinstance(audit, Audit)
            await until(lambda: audit.log_shown is not None)
            await pilot.press("f")
            await until(lambda: any(worker.group == "follow" for worker in console.workers))
            count = len(audit.records.vast.held)
            await first.aclose()
            await until(lambda: console.link_state.status == "offline")
            await pilot.press("j", "v", "7", "G", "8", "m", "b", "5", "g")
            await pilot.pause()
            assert len(audit.records.vast.held) == count
            assert len(tenants.records.records) == 1
            assert usage.groups.records
            async with served(settings.data_dir, port):
                await until(lambda: console.link_state.status == "online")
                await until(lambda: any(worker.group == "follow" for worker in console.workers))
                await call(session, "POST", f"{url}/api/v1/tenants/{console.tenant_id}/api-keys", json={"name": "second"})
                await until(lambda: audit.records.current is not None)
                await until(lambda: len(audit.records.vast.held) > count)
                await until(lambda: "key.created" in [entry.event_type for entry in audit.records.table.rows])
                assert audit.is_following
        assert not console._faults
