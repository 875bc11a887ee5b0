"""A console in front of a real server."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from tenantai.server import keys
from tenantai.tui.app import Console, Start
from tenantai.tui.memory import Memory
from tests.running import Running, until

S = TypeVar("S", bound=Screen[Any])
Opened = tuple[Console, Pilot[None]]
Opener = Callable[..., AbstractAsyncContextManager[Opened]]


@pytest.fixture
def operator(running: Running) -> str:
    """The operator's key."""
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


@pytest.fixture
def opened(running: Running, tmp_path: Path) -> Opener:
    """Opens a console with a key, in a place, and waits until it is online; checks at its end that no fault was reported."""

    @asynccontextmanager
    async def open_console(
        key: str, *, place: str = "overview", size: tuple[int, int] = (120, 36), **given: Any
    ) -> AsyncIterator[Opened]:
        folder = tmp_path / "user"
        memory = Memory(folder / "console.json")
        start = Start(running.url, key, place=place, folder=folder, memory=memory, **given)
        console = Console(start)
        async with console.run_test(size=size) as pilot:
            await until(lambda: console.times_online > 0)
            await settled(console, pilot)
            assert console.current_mode == place
            yield console, pilot
            assert not console._faults

    return open_console


async def settled(console: Console, pilot: Pilot[None]) -> None:
    """Wait until nothing is asked of the server any more, and all that came is shown."""
    await until(lambda: not any(w.group in {"load", "change"} and not w.is_finished for w in console.workers))
    await pilot.pause()
    await pilot.pause()


async def asked(console: Console, pilot: Pilot[None], kind: type[S]) -> S:
    """Wait for a question or window of a kind to be there, laid out and ready for keys; return it."""
    await until(lambda: isinstance(console.screen, kind) and console.screen.is_running)
    await pilot.pause()
    screen = console.screen
    assert isinstance(screen, kind)
    return screen
