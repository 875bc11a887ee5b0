"""The proxy that the environment names (HTTPS_PROXY, NO_PROXY and the like) for an address."""

from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL


def proxy_of(base_url: str) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    """Return the proxy that the environment names for an address; aiohttp's `trust_env` would look it up for each request."""
    url = URL(base_url)
    named = None if proxy_bypass(url.host or "") else getproxies().get(url.scheme)
    if not named:
        return None, None
    proxy = URL(named)
    return proxy.with_user(None), aiohttp.BasicAuth.from_url(proxy)
