"""A start that fails ends: nothing of it keeps the process, or the next start would wait for it."""

import threading

import pytest

from tenantai.server.services.metering.recording import Recording
from tenantai.settings import Settings
from tests.running import serving, until


async def test_start_that_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong once the database is open is raised, and no thread is left that the process would wait for."""
    before = set(threading.enumerate())

    async def broken(_recording: Recording) -> None:
        raise OverflowError

    monkeypatch.setattr(Recording, "open", broken)
    with pytest.raises(OverflowError):
        async with serving(settings):
            pass
    await until(lambda: all(thread.daemon or "asyncio" in thread.name for thread in set(threading.enumerate()) - before))
