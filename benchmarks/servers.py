"""Servers that a benchmark loads, each in a process of its own: `python -m benchmarks.servers KIND JSON`.

A server prints one line of JSON with where it listens, and ends when its stdin does. The product logs as `serve` does.
"""

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from tenantai.providers.protocols import ChatModel

STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


@contextmanager
def started(kind: str, **options: Any) -> Iterator[dict[str, Any]]:
    """Run a server while the block runs; what it printed of itself."""
    with started_process(kind, **options) as (_, told):
        yield told


@contextmanager
def started_process(kind: str, **options: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run a server while the block runs; the process, to talk to, and what it printed of itself."""
    command = [sys.executable, "-m", "benchmarks.servers", kind, json.dumps(options)]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                errors.seek(0)
                raise RuntimeError(f"the {kind} server did not start: {errors.read()[-2000:]}")
            yield process, json.loads(line)
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(20)


@asynccontextmanager
async def listening(app: web.Application, given: web.AppRunner | None = None) -> AsyncIterator[str]:
    """Run an application on a free port, with aiohttp's own runner or the one given; its address."""
    runner = given or web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def product(options: dict[str, Any]) -> None:
    """The product, answering from a script (so many pieces a second where `paced`), or through Gemini's SDK; no documents.

    Where `unmetered`, limits and metering are left out of it.
    """
    from benchmarks.pacing import PacedChat  # noqa: PLC0415  only this kind needs the product
    from benchmarks.unmetered import unmetered  # noqa: PLC0415
    from tenantai.providers.gemini import GeminiChat  # noqa: PLC0415
    from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding  # noqa: PLC0415
    from tenantai.server.app import Models, create_app  # noqa: PLC0415
    from tenantai.server.keys import DATABASE  # noqa: PLC0415
    from tenantai.server.logs import configure_logs  # noqa: PLC0415
    from tenantai.server.protocol import Runner  # noqa: PLC0415
    from tenantai.server.services.registration import create_tenant  # noqa: PLC0415
    from tenantai.settings import Plan, Plans, Settings  # noqa: PLC0415
    from tenantai.storage.audit import SYSTEM  # noqa: PLC0415

    configure_logs("info", "json")
    answer = options.get("answer", ["A scripted answer."])
    scripted = PacedChat(answer, options["paced"]) if "paced" in options else ScriptedChat([answer])
    chat = GeminiChat("key", options["gemini_url"]) if "gemini_url" in options else scripted
    many = 10**12
    unlimited = Plan(
        requests_per_minute=many,
        requests_per_hour=many,
        requests_per_day=many,
        requests_per_month=many,
        tokens_per_month=many,
        streams=many,
        stream_seconds=300,
    )
    left_out = unmetered() if options.get("unmetered") else nullcontext()
    with left_out, tempfile.TemporaryDirectory(prefix="tenantai-bench-") as folder:
        settings = Settings(data_dir=Path(folder), plans=Plans(enterprise=unlimited))
        app = create_app(
            settings,
            Models(cast("ChatModel", chat), ScriptedEmbedding()),
        )
        async with listening(app, Runner(app, shutdown_timeout_seconds=1)) as url:
            tenant, secret = await create_tenant(
                app[DATABASE], name="Bench", email="bench@example.com", plan="enterprise", actor=SYSTEM
            )
            gc.freeze()  # as `serve` does
            operator = (Path(folder) / "operator.key").read_text().strip()
            await _until_told({"url": url, "tenant_id": tenant.id, "key": secret, "operator": operator})


async def bare_json(options: dict[str, Any]) -> None:
    """A handler that answers GET with fixed bytes."""
    body = options["body"].encode()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with listening(app) as url:
        await _until_told({"url": url})


async def bare_stream(options: dict[str, Any]) -> None:
    """A handler that reads a POST and streams fixed frames, one write each."""
    frames = [frame.encode() for frame in options["frames"]]

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers=STREAM_HEADERS)
        await response.prepare(request)
        for frame in frames:
            await response.write(frame)
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with listening(app) as url:
        await _until_told({"url": url})


async def gemini(options: dict[str, Any]) -> None:
    """A server that speaks Gemini's wire format and always gives the same answer."""
    from tests.providers.model_servers import ModelServer, gemini_stream  # noqa: PLC0415

    async with ModelServer(always=gemini_stream(options["answer"])) as server:
        server.requests = deque(maxlen=1)  # type: ignore[assignment]
        await _until_told({"url": server.url})


async def sdk(options: dict[str, Any]) -> None:
    """No server: google-genai alone; for each line `CONCURRENCY SECONDS` on stdin, a line of streams a second and latency."""
    from google import genai  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    from tenantai.providers.gemini import CONTEXT_TOKENS  # noqa: PLC0415
    from tenantai.providers.gemini.functions import declared  # noqa: PLC0415
    from tenantai.rag.prompting import compose  # noqa: PLC0415
    from tenantai.server.services.tools.registry import BUILT_IN  # noqa: PLC0415

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        http_options = types.HttpOptions(base_url=options["gemini_url"], aiohttp_client=session)
        client = genai.Client(vertexai=False, api_key="key", http_options=http_options)

        # The request that the product sends for a tenant without documents: the same words, functions and options.
        asked = compose(
            options["question"], history=(), passages=(), extra=None, context_tokens=CONTEXT_TOKENS, functions=BUILT_IN.functions
        )
        tools = types.Tool.model_validate({"function_declarations": declared(asked.functions)})
        config = types.GenerateContentConfig(
            system_instruction=asked.instructions,
            max_output_tokens=asked.output_tokens_max,
            tools=[tools],
            thinking_config=types.ThinkingConfig(thinking_budget=0),
            automatic_continuation=False,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )

        async def one() -> float:
            began, first = time.perf_counter(), 0.0
            stream = await client.aio.models.generate_content_stream(
                model="gemini-2.5-flash", contents=options["question"], config=config
            )
            async for chunk in stream:
                if chunk.text and not first:
                    first = time.perf_counter() - began
            return first

        print("{}", flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            print(json.dumps(await _driven(one, concurrency=int(line[0]), seconds=float(line[1]))), flush=True)


async def _driven(one: Callable[[], Awaitable[float]], *, concurrency: int, seconds: float) -> dict[str, Any]:
    began = time.perf_counter()
    firsts: list[float] = []

    async def repeat() -> None:
        while time.perf_counter() - began < seconds:
            firsts.append(await one())

    await asyncio.gather(*(repeat() for _ in range(concurrency)))
    return {"rate": len(firsts) / (time.perf_counter() - began), "firsts": firsts}


async def _until_told(told: dict[str, Any]) -> None:
    """Say where the server is, and serve until stdin ends."""
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)


KINDS = {kind.__name__: kind for kind in (product, bare_json, bare_stream, gemini, sdk)}

if __name__ == "__main__":
    asyncio.run(KINDS[sys.argv[1]](json.loads(sys.argv[2])))
