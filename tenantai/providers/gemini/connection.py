"""The connection to Gemini: one client of google-genai over a session of ours, and what its errors mean.

What must stay true: one try of ours is one HTTP request (the SDK retries nothing), and no error tells the key.
"""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import aiohttp
import certifi
from google import genai
from google.genai import errors, types

from tenantai.providers import retries
from tenantai.providers.proxies import proxy_of
from tenantai.providers.retries import UNREADABLE, ProviderFault, redacted, seconds_of_retry_after

BASE_URL = "https://generativelanguage.googleapis.com/"
SETTINGS = retries.Settings(key="GEMINI_API_KEY", model="TENANTAI_GEMINI_MODEL", address="TENANTAI_GEMINI_BASE_URL")
READ_BUFFER_BYTES = 262_144
FIRST_ERROR_STATUS = 300

_responses: ContextVar[list[aiohttp.ClientResponse] | None] = ContextVar("_responses", default=None)
Result = TypeVar("Result")


class Connection:
    """One SDK client over an aiohttp session of ours, both made at first use: a session needs a running event loop."""

    def __init__(self, api_key: str, base_url: str | None) -> None:
        self._key = api_key
        self._base_url = base_url or BASE_URL
        self._session: aiohttp.ClientSession | None = None
        self._client: genai.Client | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close the client and the session."""
        client, self._client = self._client, None
        session, self._session = self._session, None
        if client:
            client.close()
            await client.aio.aclose()
        if session:
            await session.close()

    async def _open(self) -> genai.Client:
        """Return the client, made on a thread where it is the first: it reads certificates for tens of milliseconds."""
        async with self._opening:
            if self._client is None:
                self._session = self._session or _session(self._base_url)
                self._client = await asyncio.to_thread(_client, self._key, self._session, self._base_url)
            return self._client

    async def attempt(self, call: Callable[[genai.Client], Awaitable[Result]]) -> Result:
        """Return what one call of the SDK returns; raises ProviderFault, whatever the SDK stumbles on."""
        responses: list[aiohttp.ClientResponse] = []
        token = _responses.set(responses)
        try:
            return await call(self._client or await self._open())
        except Exception as error:  # noqa: BLE001  the SDK stumbles on malformed answers in many ways
            fault = self.fault_of(error, responses)
        finally:
            _responses.reset(token)
        raise fault

    def fault_of(self, error: Exception, responses: Sequence[aiohttp.ClientResponse] = ()) -> ProviderFault:
        """Return what an error of the SDK, of its transport or of its JSON means, without the key."""
        if isinstance(error, ProviderFault):
            return error
        summary = redacted(f"{type(error).__name__}: {error}", self._key)
        refused = next((response for response in responses if response.status >= FIRST_ERROR_STATUS), None)
        status = refused.status if refused else error.code if isinstance(error, errors.APIError) else None
        if not isinstance(status, int):
            broken = isinstance(error, OSError | aiohttp.ClientError)
            return ProviderFault(summary, status=None if broken else UNREADABLE, transient=broken)
        details = _details(error)
        asked = refused.headers.get("Retry-After") if refused else None
        return ProviderFault(
            summary,
            status=status,
            retry_after_seconds=seconds_of_retry_after(asked or _first(details, "retryDelay")),
            key_refused=_first(details, "reason") == "API_KEY_INVALID",
        )


def _session(base_url: str) -> aiohttp.ClientSession:
    # google-genai 3.4 would subclass ClientSession, which aiohttp 3.14 warns of, and would hide the response from us.
    proxy, proxy_auth = proxy_of(base_url)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        proxy=proxy,
        proxy_auth=proxy_auth,
        middlewares=(_remember_response,),
        read_bufsize=READ_BUFFER_BYTES,
    )


def last_response() -> aiohttp.ClientResponse:
    """Return what was answered last within the attempt under way."""
    return (_responses.get() or [])[-1]


async def _remember_response(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    response = await send(request)
    if (responses := _responses.get()) is not None:
        responses.append(response)
    return response


def _client(key: str, session: aiohttp.ClientSession, base_url: str) -> genai.Client:
    return genai.Client(vertexai=False, api_key=key, http_options=_http_options(session, base_url))


def _http_options(session: aiohttp.ClientSession, base_url: str) -> types.HttpOptions:
    """Return options with one TLS context for the SDK's four clients, no redirects (they would carry the key) and one try.

    Without retry options of its own, google-genai 3.4 sleeps 1 to 10 s after a refused connection and tries again.
    """
    tls = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE", certifi.where()))
    return types.HttpOptions(
        base_url=base_url,
        aiohttp_client=session,
        client_args={"verify": tls},
        async_client_args={"verify": tls, "ssl": tls, "allow_redirects": False},
        retry_options=types.HttpRetryOptions(attempts=1),
    )


def _details(error: Exception) -> list[dict[str, Any]]:
    """Return the google.rpc details of an error, empty where its body is not of that form."""
    body = error.details if isinstance(error, errors.APIError) else None
    inner = body.get("error", body) if isinstance(body, dict) else None
    details = inner.get("details") if isinstance(inner, dict) else None
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _first(details: Iterable[dict[str, Any]], name: str) -> str | None:
    return next((str(detail[name]) for detail in details if name in detail), None)
