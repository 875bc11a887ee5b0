"""The package index, as far as needed to find a wheel: the simple API in JSON (PEP 691) or HTML (PEP 503).

What must stay true: nothing the index says is trusted but where a file lies; hashes are the caller's own.
"""

import os
from typing import Any
from urllib.parse import urljoin

import aiohttp
from selectolax.lexbor import LexborHTMLParser

from tenantai.providers.downloads import DownloadFailed

_DEFAULT_INDEX_URL = "https://pypi.org/simple"
_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, text/html;q=0.1"


async def find_wheel(session: aiohttp.ClientSession, *, project: str, wheel: str) -> str:
    """Return the URL of the wheel named `wheel`; raises DownloadFailed."""
    try:
        async with session.get(f"{index_url()}/{project}/", headers={"Accept": _ACCEPT}) as response:
            response.raise_for_status()
            if response.content_type == _JSON:
                links = _json_links(await response.json(content_type=None))
            else:
                links = _html_links(await response.text())
            page_url = str(response.url)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise DownloadFailed(type(error).__name__) from error
    if wheel not in links:
        raise DownloadFailed("the index has no such wheel")
    return urljoin(page_url, links[wheel])


def index_url() -> str:
    """Return the index that pip or uv would use, told by the environment, without a slash at its end."""
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := os.environ.get(name, "").strip():
            return url.rstrip("/")
    return _DEFAULT_INDEX_URL


def _json_links(page: Any) -> dict[str, str]:
    """Return URL by file name."""
    try:
        return {str(file["filename"]): str(file["url"]) for file in page["files"]}
    except (KeyError, TypeError) as error:
        raise DownloadFailed("the index answered in an unknown form") from error


def _html_links(page: str) -> dict[str, str]:
    """Return URL by file name."""
    anchors = LexborHTMLParser(page).css("a[href]")
    return {anchor.text(strip=True): anchor.attributes["href"] or "" for anchor in anchors}
