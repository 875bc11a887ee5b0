"""Whose address a request came from.

What must stay true: `X-Forwarded-For` is believed only as far as proxies that the operator trusts wrote it.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from tenantai.server.keys import SETTINGS


def address_of(request: web.Request) -> str | None:
    """Return the client's address: the last that no trusted proxy has, None where the connection has none."""
    trusted, address = request.app[SETTINGS].trusted_proxies, request.remote
    if not trusted:
        return address
    hops = [hop.strip() for header in request.headers.getall("X-Forwarded-For", ()) for hop in header.split(",")]
    while address and hops and _is_within(address, trusted):
        nearer = hops.pop()
        if not _is_address(nearer):
            return address
        address = nearer
    return address


def _is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(ip_address(address.partition("%")[0]) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
