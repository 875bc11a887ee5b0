"""Requests and their answers: the one place of the client that speaks HTTP.

What must stay true: a key goes to the named address alone, never on by a redirect, and a proxy never sees this machine's own.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tenantai.client.errors import ClientError, not_ours, refusal, unreachable
from tenantai.client.shaping import Shape, parsed, present, shaped

API = "/api/v1"
EVENT_STREAM = {"Accept": "text/event-stream"}
JSON = {"Accept": "application/json"}
SUCCESS_BELOW = 300
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=90)
EXPORT_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=180)  # a file may take two minutes to be made


class Transport:
    """Requests to one server with one key, once it is open."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = checked_url(url)
        self._headers = {"User-Agent": "tenantai", **({"x-api-key": _checked_key(api_key)} if api_key else {})}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make it ready for requests."""
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT, trust_env=not _is_local(self.url))

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, path: str, shape: type[Shape], **options: Any) -> Shape:
        """Return what a request is answered with as its type; the options are aiohttp's."""
        return shaped(shape, await self._data(method, path, **options))

    async def do(self, method: str, path: str) -> None:
        """Send a request whose answer says no more than that it is done."""
        async with self.response(method, path):
            pass

    async def pages(
        self, path: str, name: str, shape: type[Shape], *, query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Shape]:
        """Yield the items of a list, page by page to its end."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._data("GET", path, params={**(query or {}), "limit": "200", **present(cursor=cursor or None)})
            for item in page.get(name, ()):
                yield shaped(shape, item)
            cursor = page.get("nextCursor")

    async def pieces(self, path: str, *, query: Mapping[str, str]) -> AsyncGenerator[bytes]:
        """Yield the pieces of a file that is made for one request; raises ClientError where it breaks off."""
        async with self.response("GET", path, params=query, timeout=EXPORT_TIMEOUT) as response:
            async for piece in response.content.iter_any():
                yield piece

    @asynccontextmanager
    async def response(
        self, method: str, path: str, *, also: Collection[int] = (), below: str = API, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield a success, or a status of `also`, to be read while the block runs; raises ClientError."""
        if self._session is None:
            raise RuntimeError("use the Client in `async with`")
        try:
            async with self._session.request(method, f"{self.url}{below}{path}", allow_redirects=False, **options) as response:
                if response.status >= SUCCESS_BELOW and response.status not in also:
                    raise await refusal(response)
                yield response
        except aiohttp.ClientConnectorError as error:
            raise unreachable(self.url) from error
        except TimeoutError as error:
            raise ClientError("TIMEOUT", f"The server at {self.url} did not answer in time. Try again.") from error
        except aiohttp.ClientError as error:
            sentence = f"The connection to {self.url} broke before the answer was whole. Try again."
            raise ClientError("CONNECTION_LOST", sentence) from error

    async def _data(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with self.response(method, path, **options) as response:
            data = parsed(await response.text(errors="replace")).get("data")
        if not isinstance(data, dict):
            raise not_ours()
        return data


def keyed(accepted: Mapping[str, str], idempotency_key: str | None) -> dict[str, str]:
    """Return the headers of a request that may be sent again; raises ClientError where no key could look like that."""
    if idempotency_key is None:
        return dict(accepted)
    if not (idempotency_key.isascii() and idempotency_key.isprintable() and " " not in idempotency_key):
        raise ClientError("BAD_KEY", "An idempotency key is 1 to 255 visible ASCII characters.")
    return {**accepted, "Idempotency-Key": idempotency_key}


def checked_url(url: str) -> str:
    """Return a server's address without what comes after it; raises ClientError where it is none."""
    trimmed = url.strip().rstrip("/").removesuffix(API)
    try:
        parts = urlsplit(trimmed)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise ClientError("BAD_ADDRESS", "The server's address must look like http://127.0.0.1:8420.")
    return trimmed


def _checked_key(api_key: str) -> str:
    """Return a key without what a paste leaves around it; raises ClientError where no key could look like that."""
    trimmed = api_key.strip()
    if not trimmed.isascii() or not trimmed.isprintable() or " " in trimmed:
        raise ClientError("BAD_KEY", "The API key holds characters that no key has. Copy it again, whole and alone.")
    return trimmed


def _is_local(url: str) -> bool:
    """Tell whether an address is this machine's own, which no proxy may see."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
