"""How often an address may do what anyone may do: register, and try passwords.

What must stay true: what is remembered is bounded, whoever knocks; an IPv6 network of the size that one customer gets (/64) is
one address, for its holder has more of them than could be counted.
"""

import time
from collections import OrderedDict, deque
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from tenantai.errors import LimitExceeded
from tenantai.identifiers import now, timestamp

ADDRESSES_HELD_MAX = 10_000
CUSTOMER_BITS = 64


class AddressGate:
    """Lets an address in so many times within a span."""

    def __init__(self, limit: int, *, within_seconds: float, sentence: str, reason: str) -> None:
        self._limit = limit
        self._within_seconds = within_seconds
        self._sentence = sentence
        self._reason = reason
        self._entries: OrderedDict[str, deque[float]] = OrderedDict()

    def enter(self, address: str) -> None:
        """Count an address; raises LimitExceeded at one too many."""
        self.require_room(address)
        network = network_of(address)
        self._entries.setdefault(network, deque()).append(time.monotonic())
        self._entries.move_to_end(network)
        if len(self._entries) > ADDRESSES_HELD_MAX:
            self._entries.popitem(last=False)

    def take_back(self, address: str) -> None:
        """Count the latest entry of an address no more."""
        if entries := self._entries.get(network_of(address)):
            entries.pop()

    def require_room(self, address: str) -> None:
        """Raise LimitExceeded where an address may not enter now."""
        present, entries = time.monotonic(), self._entries.get(network_of(address), deque())
        while entries and entries[0] <= present - self._within_seconds:
            entries.popleft()
        if len(entries) >= self._limit:
            wait = max(1, int(entries[0] + self._within_seconds - present))
            raise LimitExceeded(
                "TOO_MANY_ATTEMPTS",
                self._sentence,
                reason=self._reason,
                limit=self._limit,
                used=len(entries),
                retry_after_seconds=wait,
                reset_at=timestamp(now() + timedelta(seconds=wait)),
            )


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, also where it is mapped into IPv6, else the IPv6 network around it."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((parsed, CUSTOMER_BITS), strict=False))
