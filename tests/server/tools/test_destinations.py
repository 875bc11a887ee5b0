"""Names of endpoints, looked up where name servers keep silent."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network
from threading import Event
from typing import Any

import pytest

from tenantai.server.services.tools.destinations import LOOKUPS_MAX, CheckedResolver

ALLOWED = [ip_network("127.0.0.0/8")]


class NameServer:
    """Answers each name with loopback, once it says anything; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.speaks = Event()

    def getaddrinfo(self, host: str, *_rest: Any, **_more: Any) -> list[Any]:
        """Take the place of the system's resolver."""
        self.asked[host] += 1
        self.speaks.wait()
        if host.startswith("no"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))] * 2


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Let the name server be silent; at the end it speaks, so that no thread stays."""
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.getaddrinfo)
    yield server
    server.speaks.set()


async def test_silence_holds_up_nothing_else(silent: NameServer) -> None:
    """However many names a tenant's calls wait for, the threads that uploads and usage need are free."""
    resolver = CheckedResolver(ALLOWED)
    waiting = [asyncio.create_task(resolver.resolve(f"{number}.silent.test")) for number in range(50)]
    await asyncio.wait_for(asyncio.to_thread(bool), 5)
    silent.speaks.set()
    assert [[place["host"] for place in found] for found in await asyncio.gather(*waiting)] == [["127.0.0.1"]] * 50


async def test_calls_at_once_share_a_lookup(silent: NameServer) -> None:
    """A name is asked for once while its lookup lasts, also where the first call gave up; anew after it."""
    resolver = CheckedResolver(ALLOWED)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve("slow.test"), 0.01)
    assert silent.asked["slow.test"] == 1
    last = asyncio.create_task(resolver.resolve("slow.test"))
    silent.speaks.set()
    assert len(await last) == 1
    await resolver.resolve("slow.test")
    assert silent.asked["slow.test"] == 2


async def test_lookups_are_bounded(silent: NameServer) -> None:
    """Past so many names that nobody answers for, a call is refused at once; what failed is told to each that waited."""
    resolver = CheckedResolver(ALLOWED)
    waiting = [asyncio.create_task(resolver.resolve(f"no{number}.test")) for number in range(LOOKUPS_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="silent"):
        await resolver.resolve("more.test")
    silent.speaks.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(error, socket.gaierror) for error in found)
