"""Pages of other origins: none may call the API unless the operator named theirs."""

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from tenantai.server.metering import USAGE_HEADERS
from tenantai.settings import Settings
from tests.running import API, Running, Tenant, serving

APP = "https://app.example.com"
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,content-type"}


@pytest.fixture
async def open_to_app(settings: Settings) -> AsyncIterator[Running]:
    """A server that one page may call."""
    async with serving(settings.model_copy(update={"cors_origins": (APP,)})) as running:
        yield running


async def test_preflight(open_to_app: Running) -> None:
    """The page's browser hears which methods and headers it may use, without a key; another page's hears nothing of the kind."""
    allowed = await open_to_app.send("OPTIONS", f"{API}/chat", headers={"Origin": APP, **ASKING})
    assert (allowed.status, allowed.headers["Access-Control-Allow-Origin"]) == (204, APP)
    assert "x-api-key" in allowed.headers["Access-Control-Allow-Headers"]
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    assert allowed.headers["X-Request-Id"]
    refused = await open_to_app.send("OPTIONS", f"{API}/chat", headers={"Origin": "https://evil.example.com", **ASKING})
    assert refused.status == 405
    assert not [name for name in refused.headers if name.startswith("Access-Control")]


async def test_answers(open_to_app: Running) -> None:
    """Answers, streams and refusals can be read by the page, with their headers, and by no other; caches keep them apart."""
    acme = await open_to_app.register("Acme")
    for origin, told in ((APP, APP), ("https://evil.example.com", None)):
        streamed = await open_to_app.ask(acme, "Where is the lift?", headers={"Origin": origin})
        whole = await open_to_app.send("GET", acme.path, key=acme.key, headers={"Origin": origin})
        refused = await open_to_app.send("GET", acme.path, headers={"Origin": origin})
        assert (streamed.status, whole.status, refused.status) == (200, 200, 401)
        for reply in (streamed, whole, refused):
            assert reply.headers.get("Access-Control-Allow-Origin") == told
            assert "Access-Control-Allow-Credentials" not in reply.headers
            assert reply.headers["Vary"] == "Origin"
    exposed = (await open_to_app.send("GET", acme.path, key=acme.key, headers={"Origin": APP})).headers
    assert set(USAGE_HEADERS) <= set(exposed["Access-Control-Expose-Headers"].split(", "))


async def test_off_unless_configured(running: Running, acme: Tenant) -> None:
    """Without the setting no page is told anything."""
    reply = await running.send("GET", acme.path, key=acme.key, headers={"Origin": APP})
    assert not [name for name in reply.headers if name.startswith("Access-Control") or name == "Vary"]
    assert (await running.send("OPTIONS", f"{API}/chat", headers={"Origin": APP, **ASKING})).status == 405


@pytest.mark.parametrize("given", ["*", "app.example.com", "https://app.example.com/", "https://a.example.com, *"])
def test_what_is_no_origin(given: str) -> None:
    """An origin is a scheme and a host; a wildcard, which would open the API to every page, is none."""
    with pytest.raises(ValidationError):
        Settings(cors_origins=given)  # type: ignore[arg-type]
    assert Settings(cors_origins=f"{APP}, http://localhost:3000").cors_origins == (APP, "http://localhost:3000")  # type: ignore[arg-type]
