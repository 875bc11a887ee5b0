"""Calls of tenants' endpoints: signed, bounded in time and size, and to nowhere inside the machine or its network.

What must stay true: what goes wrong is one `CallFailed` with a sentence of ours, which a model and a client may read: no address,
and nothing of an answer that was refused.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from yarl import URL

from tenantai import __version__
from tenantai.server.services.tools.destinations import CheckedResolver, CheckedSockets, ForbiddenDestination, Network
from tenantai.server.services.tools.presentable import Unreadable, parsed, whole
from tenantai.server.services.tools.signing import signed_headers
from tenantai.storage.tools import Tool

ANSWER_BYTES_MAX, READ_ON_LOOP_BYTES = 262_144, 16_384
CONNECTIONS_MAX = 0  # a tenant's streams bound its calls; a shared limit would let one tenant hold up the others
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "application/json, text/plain",
    "Accept-Encoding": "identity",
    "User-Agent": f"tenantai/{__version__}",
}
FORBIDDEN = "Its address is not a public one, and the server's operator has not allowed it (TENANTAI_TOOL_NETWORKS_ALLOWED)."
NO_TLS = "Its address must begin with https://; plain http goes to networks that the operator allowed only."
LARGE = f"Its answer is larger than {ANSWER_BYTES_MAX} bytes."
FIRST_SUCCESS, FIRST_REDIRECT, FIRST_REFUSAL = 200, 300, 400
NO_CONTENT = 204


class CallFailed(Exception):  # noqa: N818  it is told to the model, which may go on
    """A call that came to nothing, with a sentence on why."""


class Outgoing:
    """Calls endpoints; made anywhere, used within one event loop."""

    def __init__(self, allowed: Sequence[Network] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self.allowed = tuple(allowed)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._plain: aiohttp.ClientSession | None = None

    @property
    def takes_plain_http(self) -> bool:
        """Whether there is any place that plain http may go to."""
        return bool(self.allowed)

    async def close(self) -> None:
        """Close what is open."""
        for session in (self._session, self._plain):
            if session is not None:
                await session.close()
        self._session = self._plain = None

    async def call(self, tool: Tool, *, call_id: str, content: Mapping[str, Any]) -> Any:
        """Return the JSON or the text that an endpoint answers; raises CallFailed."""
        url = URL(tool.endpoint, encoded=True)
        if url.scheme != "https" and not self.takes_plain_http:
            raise CallFailed(NO_TLS)
        body = json.dumps(content).encode()
        headers = HEADERS | signed_headers(tool.signing_secret, message_id=call_id, seconds=int(time.time()), body=body)
        try:
            async with asyncio.timeout(tool.timeout_seconds):
                session = self._session_for(url)
                async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                    return await _answer(response)
        except TimeoutError as error:
            raise CallFailed(f"It did not answer within {tool.timeout_seconds:g} seconds.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailed(_sentence(error)) from error

    def _session_for(self, url: URL) -> aiohttp.ClientSession:
        """Return the session for an address; that for plain http reaches allowed networks and no others."""
        if url.scheme == "https":
            self._session = self._session or self._opened(is_public_allowed=True)
            return self._session
        self._plain = self._plain or self._opened(is_public_allowed=False)
        return self._plain

    def _opened(self, *, is_public_allowed: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self.allowed, is_public_allowed=is_public_allowed),
            socket_factory=CheckedSockets(self.allowed, is_public_allowed=is_public_allowed),
            use_dns_cache=False,
            force_close=True,
            limit=CONNECTIONS_MAX,
            ssl=self._tls or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
        )


async def _answer(response: aiohttp.ClientResponse) -> Any:
    """Return what an answer holds; raises CallFailed."""
    if FIRST_REDIRECT <= response.status < FIRST_REFUSAL:
        raise CallFailed("It answered with a redirect, which is not followed. Register the address that it leads to.")
    if not FIRST_SUCCESS <= response.status < FIRST_REDIRECT:
        raise CallFailed(f"It answered with status {response.status}.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CallFailed("Its answer is compressed, which was not asked for.")
    if response.status == NO_CONTENT:
        return None
    body, is_json = await _bounded(response), "json" in response.content_type
    if len(body) <= READ_ON_LOOP_BYTES:
        return _read(body, is_json=is_json)
    return await asyncio.to_thread(_read, body, is_json=is_json)


def _read(body: bytes, *, is_json: bool) -> Any:
    """Return the JSON or the text of an answer; raises CallFailed. A quarter of a megabyte takes tens of milliseconds."""
    text = whole(body.decode("utf-8", "replace"))
    try:
        return parsed(text) if is_json else text
    except Unreadable:
        raise CallFailed("Its answer says that it is JSON and is not, or is nested too deep.") from None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or 0) > ANSWER_BYTES_MAX:
        raise CallFailed(LARGE)
    read = bytearray()
    async for piece in response.content.iter_any():
        read += piece
        if len(read) > ANSWER_BYTES_MAX:
            raise CallFailed(LARGE)
    return bytes(read)


def _sentence(error: BaseException) -> str:
    """Return what went wrong, without the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ForbiddenDestination):
            return FORBIDDEN
        cause = getattr(cause, "os_error", None) or cause.__cause__
    if isinstance(error, aiohttp.ClientSSLError):
        return "Its certificate is not one that can be trusted."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "Its name can't be resolved."
    if isinstance(error, aiohttp.ClientConnectorError):
        return "It can't be reached."
    return "The connection to it broke, or its answer is not HTTP."
