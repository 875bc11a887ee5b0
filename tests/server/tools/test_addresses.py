"""Where calls of functions go: to public addresses and to networks that the operator allowed, whatever a name says."""

import socket
import ssl
from collections import Counter
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from tenantai.server.services.tools.destinations import ForbiddenDestination, require_allowed
from tenantai.server.services.tools.outgoing import ANSWER_BYTES_MAX, FORBIDDEN, LARGE, NO_TLS, CallFailed, Outgoing
from tenantai.server.services.tools.signing import new_signing_secret
from tenantai.storage.tools import Tool
from tests.running import Running, Tenant
from tests.server.tools.endpoints import certificate, endpoint
from tests.server.walk import tool_named

LOOPBACK = ip_network("127.0.0.0/8")
PUBLIC = "8.8.8.8"
INNER = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1",
    "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "2001:db8::1", "2002:7f00:1::", "fc00::1",
    "fe80::1%lo",
)  # fmt: skip


class Names:
    """Answers for names that end in `.test`, each time with its next addresses, the last ones again and again."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.known: dict[str, list[tuple[str, ...]]] = {}
        self._others = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *rest: Any, **more: Any) -> list[Any]:
        """Take the place of the system's resolver."""
        if not str(host).endswith(".test"):
            return self._others(host, *rest, **more)
        answers = self.known[host]
        addresses = answers[min(self.asked[host], len(answers) - 1)]
        self.asked[host] += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in addresses]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Names that the test gives addresses."""
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    return made


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context for 127.0.0.1, and a client's that trusts it."""
    return certificate(tmp_path_factory.mktemp("certificate"))


async def called(outgoing: Outgoing, url: str) -> Any:
    """Return what a function at an address answers, or the sentence on why it does not."""
    moment = "2026-01-01T00:00:00.000Z"
    tool = Tool("f", "t", "track", "Where.", {}, url, new_signing_secret(), 5, "auto", moment, moment)
    try:
        return await outgoing.call(tool, call_id="c", content={"name": "track"})
    except CallFailed as failed:
        return str(failed)
    finally:
        await outgoing.close()


@pytest.mark.parametrize("address", INNER)
def test_inside_the_machine_or_its_network(address: str) -> None:
    """Addresses of the machine, of private networks and of none are refused, also where another form holds them."""
    with pytest.raises(ForbiddenDestination):
        require_allowed(address, [])


@pytest.mark.parametrize("address", [PUBLIC, "64:ff9b::808:808", "2606:4700::1111"])
def test_public(address: str) -> None:
    """Public addresses are taken, but for plain http."""
    require_allowed(address, [])
    with pytest.raises(ForbiddenDestination):
        require_allowed(address, [LOOPBACK], is_public_allowed=False)


def test_allowed_by_the_operator() -> None:
    """Of private networks those are taken that the operator named, and none beside."""
    for address in ("10.1.2.3", "::ffff:10.1.2.3"):
        require_allowed(address, [ip_network("10.1.0.0/16")], is_public_allowed=False)
    with pytest.raises(ForbiddenDestination):
        require_allowed("10.2.0.1", [ip_network("10.1.0.0/16")])


async def test_numbers(trusted: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """An address of numbers, which nobody resolves, is held to the same; allowed, it is called over TLS that is proved."""
    async with endpoint(trusted[0]) as there:
        assert await called(Outgoing(tls=trusted[1]), there.url) == FORBIDDEN
        assert there.asked == []
        assert await called(Outgoing([LOOPBACK]), there.url) == "Its certificate is not one that can be trusted."
        assert there.asked == []
        assert await called(Outgoing([LOOPBACK], tls=trusted[1]), there.url) == {"state": "on its way"}
    async with endpoint() as there:
        assert await called(Outgoing(), there.url) == NO_TLS
        assert there.asked == []


@pytest.mark.parametrize("addresses", [("127.0.0.1",), (PUBLIC, "127.0.0.1"), ("127.0.0.1", PUBLIC)])
async def test_names(names: Names, trusted: tuple[ssl.SSLContext, ssl.SSLContext], addresses: tuple[str, ...]) -> None:
    """A name with an address inside is refused, whatever other addresses it has, and nothing is sent."""
    names.known["inner.test"] = [addresses]
    async with endpoint(trusted[0]) as there:
        url = there.url.replace("127.0.0.1", "inner.test")
        assert await called(Outgoing(tls=trusted[1]), url) == FORBIDDEN
        assert there.asked == []


async def test_name_that_moves(names: Names) -> None:
    """A name is resolved once a call, and what it resolved to is what is called; the next call asks and judges anew."""
    names.known["moving.test"] = [("127.0.0.1",), ("10.0.0.1",)]
    async with endpoint() as there:
        url = there.url.replace("127.0.0.1", "moving.test")
        assert await called(Outgoing([LOOPBACK]), url) == {"state": "on its way"}
        assert (names.asked["moving.test"], len(there.asked)) == (1, 1)
        assert await called(Outgoing([LOOPBACK]), url) == FORBIDDEN
        assert (names.asked["moving.test"], len(there.asked)) == (2, 1)


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_size_of_an_answer(*, more: int, is_chunked: bool) -> None:
    """An answer over the limit is an error, whether or not it says beforehand how long it is."""
    text = "x" * (ANSWER_BYTES_MAX + more)

    async def answer(_request: web.Request) -> web.Response:
        response = web.Response(text=text)
        if is_chunked:
            response.enable_chunked_encoding()
        return response

    async with endpoint() as there:
        there.answer = answer
        assert await called(Outgoing([LOOPBACK]), there.url) == (LARGE if more else text)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://127.0.0.1/x", FORBIDDEN),
        ("https://169.254.169.254/x", FORBIDDEN),
        ("https://127.1/x", "four numbers"),
        ("https://0x7f000001/x", "four numbers"),
        ("https://2130706433/x", "four numbers"),
        ("http://example.com/x", NO_TLS),
    ],
)
async def test_registering(running: Running, acme: Tenant, url: str, problem: str) -> None:
    """An address that no call could go to is refused when a function is registered, naming the field."""
    reply = await running.send("POST", f"{acme.path}/tools", key=acme.key, json={**tool_named("open"), "endpoint": url})
    assert (reply.status, [told["field"] for told in reply.error["details"]]) == (400, ["endpoint"])
    assert problem in reply.error["details"][0]["problem"]
