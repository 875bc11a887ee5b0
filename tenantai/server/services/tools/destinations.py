"""Where calls of functions may go: public addresses, and the networks that the operator allowed.

What must stay true: a name is resolved once, every address that it has must be allowed, and a socket is opened to one of these
addresses only.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from threading import Thread

from aiohttp.abc import AbstractResolver, ResolveResult

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Name = tuple[str, socket.AddressFamily]
Found = list[tuple[socket.AddressFamily, str]] | OSError

LOOKUPS_MAX = 256

# What `is_global` lets pass and is not the public internet: IANA's protocol assignments, the 6to4 relay, Azure's wire server.
NOT_PUBLIC = tuple(IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
PUBLIC_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
NAT64 = IPv6Network("64:ff9b::/96")


class ForbiddenDestination(OSError):  # noqa: N818  aiohttp takes what a resolver or a socket factory raises for an OSError
    """An address that calls may not go to."""


class CheckedResolver(AbstractResolver):
    """Resolves a name once for each connection, and refuses it where any of its addresses is not allowed."""

    def __init__(self, allowed: Sequence[Network], *, is_public_allowed: bool = True) -> None:
        self._allowed = allowed
        self._is_public_allowed = is_public_allowed
        self._lookups = Lookups()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses of a name; raises ForbiddenDestination, or OSError where it has none."""
        addresses = await self._lookups.addresses(host, family)
        for _, address in addresses:
            require_allowed(address, self._allowed, is_public_allowed=self._is_public_allowed)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in addresses
        ]

    async def close(self) -> None:
        """Hold nothing."""


class Lookups:
    """Asks for addresses of names on threads of their own: what all else shares would wait for tenants' name servers."""

    def __init__(self) -> None:
        self._open: dict[Name, asyncio.Future[Found]] = {}

    async def addresses(self, host: str, family: socket.AddressFamily) -> list[tuple[socket.AddressFamily, str]]:
        """Return a name's addresses; calls that ask at once share an answer. Raises OSError."""
        name = host, family
        found = await asyncio.shield(self._open.get(name) or self._ask(name))
        if isinstance(found, OSError):
            raise found
        return found

    def _ask(self, name: Name) -> "asyncio.Future[Found]":
        if len(self._open) >= LOOKUPS_MAX:
            raise OSError("too many name servers keep silent")
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[Found] = loop.create_future()

        def settle(found: Found) -> None:
            del self._open[name]
            asked.set_result(found)

        def work() -> None:
            found = _addresses(name)
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(settle, found)

        Thread(target=work, name="lookup", daemon=True).start()
        self._open[name] = asked
        return asked


def _addresses(name: Name) -> Found:
    """Return what the system's resolver says, an error too; blocking, as long as name servers keep silent."""
    try:
        found = socket.getaddrinfo(name[0], None, family=name[1], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error if isinstance(error, OSError) else OSError("no name")
    return list(dict.fromkeys((kind, str(place[0])) for kind, _, _, _, place in found))


class CheckedSockets:
    """Makes the sockets of connections; the last word on where they go, whoever resolved the address."""

    def __init__(self, allowed: Sequence[Network], *, is_public_allowed: bool = True) -> None:
        self._allowed = allowed
        self._is_public_allowed = is_public_allowed

    def __call__(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Return a socket for an address; raises ForbiddenDestination."""
        family, kind, protocol, _, place = info
        require_allowed(str(place[0]), self._allowed, is_public_allowed=self._is_public_allowed)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def require_allowed(address: str, allowed: Sequence[Network], *, is_public_allowed: bool = True) -> None:
    """Raise ForbiddenDestination where an address is neither public nor within a network that the operator allowed."""
    found = ip_address(address.partition("%")[0])
    if not is_within(found, allowed) and not (is_public_allowed and is_public(found) and not _is_own(found)):
        raise ForbiddenDestination("the address is not a public one")


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address, or the IPv4 address that it stands for, is in one of these networks."""
    return any(inner in network for inner in (address, _unwrapped(address)) for network in networks)


def is_public(address: Address) -> bool:
    """Whether an address, and the IPv4 address that it stands for, is one of the public internet."""
    inner = _unwrapped(address)
    if isinstance(inner, IPv6Address):
        return inner in PUBLIC_V6 and inner.is_global and not any(inner in network for network in NOT_PUBLIC_V6)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved and not any(inner in n for n in NOT_PUBLIC)


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address within a mapped, a 6to4 or a NAT64 one, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_own(address: Address) -> bool:
    """Whether an address is this machine's own, though public: a datagram socket tells, and sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  the version of IP
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(address), 9))
        return str(probe.getsockname()[0]) == str(address)
    return False
