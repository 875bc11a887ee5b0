"""What every test may ask for: a network shut but for loopback, settings in a folder of the test's own, a running server."""

import asyncio
import ipaddress
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tenantai.server import sse
from tenantai.server.services import indexing, progress
from tenantai.settings import Settings
from tenantai.storage.database import Database
from tenantai.storage.migrating import Layout, migrate
from tests.running import WIDE, Account, Running, Tenant, serving

_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex


@pytest.fixture(autouse=True)
def _network_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets connect to this machine only."""

    def connect(self: socket.socket, address: Any) -> None:
        refuse_far(self, address)
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        refuse_far(self, address)
        return _connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)


def refuse_far(used: socket.socket, address: Any) -> None:
    """Raise where an address is not this machine's."""
    if used.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    host = str(address[0])
    if host != "localhost" and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise PermissionError(f"tests reach this machine only, not {host}")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the newest schema, to copy."""
    folder = tmp_path_factory.mktemp("migrated")
    migrate(folder)
    return Layout(folder).database


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    """Settings of a server whose data lie in the test's own folder."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    shutil.copy(migrated, Layout(data_dir).database)
    return Settings(data_dir=data_dir, port=0, registrations_per_hour=10_000, shutdown_timeout_seconds=2, plans=WIDE)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server tell changes at once, where it would gather them for people's eyes."""
    monkeypatch.setattr(progress, "CHANGES_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(indexing, "RETRY_SECONDS", 0.02)


@pytest.fixture
async def running(settings: Settings, brisk: None) -> AsyncIterator[Running]:
    """A real server on loopback, with scripted models."""
    async with serving(settings) as server:
        yield server


@pytest.fixture
async def acme(running: Running) -> Tenant:
    """A tenant with an account."""
    return await running.register("Acme")


@pytest.fixture
async def globex(running: Running) -> Tenant:
    """Another tenant with an account."""
    return await running.register("Globex")


@pytest.fixture
async def second(running: Running, acme: Tenant) -> Account:
    """A second account of the first tenant."""
    return await running.add_account(acme, "Second")


@pytest.fixture
def heartbeat(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how long a stream may be silent."""

    def set_to(seconds: float) -> None:
        opener: Any = sse.event_stream
        monkeypatch.setitem(opener.__wrapped__.__kwdefaults__, "heartbeat_seconds", seconds)

    return set_to


@pytest.fixture
async def gate() -> AsyncIterator[asyncio.Event]:
    """A gate for a script; it is open when the test ends, so that nothing hangs on it."""
    event = asyncio.Event()
    yield event
    event.set()


@pytest.fixture
async def database(tmp_path: Path, migrated: Path) -> AsyncIterator[Database]:
    """An empty database."""
    path = tmp_path / "tenantai.sqlite3"
    shutil.copy(migrated, path)
    opened = Database(path)
    await opened.open()
    yield opened
    await opened.close()
