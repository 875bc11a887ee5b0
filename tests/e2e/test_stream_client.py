"""The real client of the event stream, npm's `ai`, reads our streams without a fault."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tenantai.errors import ProviderFailed
from tenantai.providers.protocols import ChatModel
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.providers.vision import SeeingModel
from tenantai.settings import Settings
from tests.running import SOFA, Running, Tenant, serving
from tests.server.walk import PICTURE


@pytest.fixture
def client_folder() -> Path:
    """The folder with client.mjs and node_modules that TENANTAI_STREAM_CLIENT names; skips without it or node."""
    folder = Path(os.environ.get("TENANTAI_STREAM_CLIENT", Path.home() / ".cache" / "tenantai-stream-client"))
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (folder / "client.mjs").exists() or not (folder / "node_modules" / "ai").exists():
        pytest.skip("TENANTAI_STREAM_CLIENT names no folder with client.mjs and its node_modules (npm install)")
    return folder


async def judge(folder: Path, running: Running, tenant: Tenant, *options: str, url: str = "") -> dict[str, Any]:
    """Run the client; what it found."""
    asked = (url or running.url, tenant.key, tenant.id, "How much is the deposit?", "--strict", *options)
    client = await asyncio.create_subprocess_exec("node", str(folder / "client.mjs"), *asked, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(client.communicate(), 60)
    found: dict[str, Any] = json.loads(out)
    assert (client.returncode, found["errors"], found["ok"]) == (0, [], True), found
    return found


async def test_cited_answer(settings: Settings, client_folder: Path) -> None:
    """A cited answer is read whole, with its citations."""
    said: list[Step] = ["It is [[1|The deposit is 200 euros]]", ", \N{GRINNING FACE} [[1|It is paid back]]."]
    async with serving(settings, chat=ScriptedChat([said])) as running:
        tenant = await running.register("Acme")
        await running.upload(tenant, "The deposit is 200 euros. It is paid back within 14 days.")
        found = await judge(client_folder, running, tenant)
        assert found["text"] == "It is [1], \N{GRINNING FACE} [2]."
        assert [citation["quote"] for citation in found["citations"]] == ["The deposit is 200 euros", "It is paid back"]
        assert found["finishReason"] == "stop"


async def test_fault(settings: Settings, client_folder: Path) -> None:
    """A fault in mid-stream is read as an error, well formed to its end."""
    async with serving(settings, chat=ScriptedChat([["Half ", ProviderFailed()]])) as running:
        tenant = await running.register("Acme")
        await judge(client_folder, running, tenant, "--expect-error")


async def test_client_stops(settings: Settings, client_folder: Path, gate: asyncio.Event) -> None:
    """A client that stops in the middle stops cleanly, and so does the model."""
    async with serving(settings, chat=ScriptedChat([["Half ", gate, "never"]])) as running:
        tenant = await running.register("Acme")
        await judge(client_folder, running, tenant, "--abort-after-ms", "400")
        assert running.chat.streams_closed_early == 1


@asynccontextmanager
async def estimating(running: Running, tenant: Tenant, *images: str) -> AsyncIterator[str]:
    """Pass the client's request on as an analysis of these images, for its body has none; the address to send it to."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = {"tenantId": tenant.id, "images": list(images)}
        headers = {"x-api-key": request.headers["x-api-key"]}
        url = f"{running.url}/api/v1/estimator/analyze"
        async with running.session.post(url, json=body, headers=headers) as passed:
            kept = {"content-type", "x-vercel-ai-ui-message-stream", "cache-control", "x-accel-buffering"}
            told = {name: value for name, value in passed.headers.items() if name.lower() in kept}
            response = web.StreamResponse(status=passed.status, headers=told)
            await response.prepare(request)
            async for piece in passed.content.iter_any():
                await response.write(piece)
            return response

    app = web.Application()
    app.router.add_post("/api/v1/chat", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


async def test_estimate(settings: Settings, client_folder: Path) -> None:
    """An estimate is read whole: each item under its id, the second try's in place of the first's, and the summary."""
    vision = SeeingModel(cast("ChatModel", ScriptedChat([['{"things": ['], [json.dumps({"things": [SOFA, SOFA]})]])))
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        async with estimating(running, tenant, PICTURE, PICTURE) as url:
            found = await judge(client_folder, running, tenant, "--wire", url=url)
        assert found["finishReason"] == "stop"
        kinds = [json.loads(chunk)["type"] for chunk in found["wire"] if chunk.startswith("{")]
        assert kinds.count("data-summary") == 1
        assert kinds.count("data-item") == 4


async def test_estimate_with_a_fault(settings: Settings, client_folder: Path) -> None:
    """An estimate that fails is read as an error, well formed to its end."""
    vision = SeeingModel(cast("ChatModel", ScriptedChat([[ProviderFailed()]])))
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        async with estimating(running, tenant, PICTURE) as url:
            await judge(client_folder, running, tenant, "--expect-error", url=url)
