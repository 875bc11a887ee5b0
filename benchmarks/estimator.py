"""Ten pictures of 10 MB in one request, and ten such requests at once: stops of the event loop, and memory.

The whole product runs in this process, its model is Gemini through the real SDK against a local server that answers at once; what
sends the pictures and that server are processes of their own. Pictures are noise on a gradient, so that one of 12 megapixels has
10 MB: six JPEG, two PNG, two WebP. Memory is what the kernel says (the highest that each process had).
"""

import asyncio
import gc
import json
import os
import re
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import cast
from uuid import uuid4

import numpy as np
from PIL import Image

from benchmarks.figures import Figure, Outcome, quantile
from benchmarks.servers import listening, started_process
from benchmarks.ticking import ticking
from tenantai.pictures.picture import BYTES_MAX
from tenantai.providers.gemini import GeminiChat
from tenantai.providers.protocols import ChatModel
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.providers.vision import SeeingModel
from tenantai.server import keys
from tenantai.server.app import Models, create_app
from tenantai.server.protocol import Runner
from tenantai.server.services.registration import create_tenant
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage.audit import SYSTEM

ROUNDS = 3
PICTURES = 10
AT_ONCE = 10
MANY = 10**12
SOFA = {"name": "sofa 3 seat", "label": "grey", "quantity": 1, "length_cm": 210, "width_cm": 90, "height_cm": 85}
THINGS = json.dumps({"things": [SOFA | {"confidence": 0.9, "box_2d": [1, 2, 500, 600]}] * 12})
SENDER = """
import http.client, os, sys
from urllib.parse import urlsplit
url, key, kind, path = sys.argv[1:]
connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
headers = {"x-api-key": key, "Content-Type": kind, "Content-Length": str(os.path.getsize(path))}
with open(path, "rb") as body:
    connection.request("POST", "/api/v1/estimator/analyze", body=body, headers=headers)
answer = connection.getresponse()
text = answer.read()
assert answer.status == 200 and b'"finishReason":"stop"' in text, text[-600:]
"""


@dataclass(frozen=True, slots=True)
class Product:
    """The product while it runs."""

    url: str
    key: str
    tenant_id: str


@dataclass(frozen=True, slots=True)
class Body:
    """A body in a file, whose tenant is written into it."""

    kind: str
    path: Path
    content_type: str
    bytes: int

    def address(self, tenant_id: str) -> None:
        """Put a tenant in the place that is kept for one."""
        with self.path.open("r+b") as file:
            at = file.read(4096).index(b"tenantId")
            file.seek(at)
            head = file.read(200)
            place = re.search(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", head)
            if place:
                file.seek(at + place.start())
                file.write(tenant_id.encode())


async def measure() -> Outcome:
    """Send the pictures as JSON and as a form, then many requests at once."""
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="tenantai-bench-") as name,
        started_process("gemini", answer=_pieces()) as (process, upstream),
    ):
        _step_back(process.pid)
        folder = Path(name)
        bodies = await asyncio.to_thread(_bodies, folder)
        async with running(folder, upstream["url"]) as product:
            await _send(product, bodies[1])
            gc.freeze()  # as serve does; and the SDK builds its models at its first use
            for body in bodies:
                figures += await _alone(product, body)
        async with running(folder, upstream["url"]) as product:
            figures += await _together(product, bodies[0])
    return figures


async def _alone(product: Product, body: "Body") -> list[Figure]:
    seconds: list[float] = []
    worst: list[float] = []
    gaps: list[float] = []
    for _ in range(ROUNDS):
        async with ticking() as late:
            began = time.perf_counter()
            await _send(product, body)
            seconds.append(time.perf_counter() - began)
        worst.append(max(late))
        gaps += late
    kind = body.kind
    how = f"{PICTURES} pictures of 10 MB in one {kind} body of {body.bytes / 1e6:.0f} MB; {ROUNDS} rounds"
    return [
        Figure(f"longest stop of the event loop, {kind}, median round", 1000 * median(worst), "ms", how, below=20),
        Figure(f"longest stop of the event loop, {kind}, worst round", 1000 * max(worst), "ms", "the same ticks"),
        Figure(f"stop of the event loop, {kind}, p99.9", 1000 * quantile(gaps, 0.999), "ms", f"{len(gaps):,} ticks"),
        Figure(f"one request, {kind}", median(seconds), "s", "sent, decoded, looked at, summed up and kept"),
    ]


async def _together(product: Product, body: "Body") -> list[Figure]:
    Path("/proc/self/clear_refs").write_text("5")  # noqa: ASYNC240  the highest counts from now
    idle = _resident("self", "VmRSS")
    async with ticking() as late:
        began = time.perf_counter()
        await asyncio.gather(*(_send(product, body) for _ in range(AT_ONCE)))
        seconds = time.perf_counter() - began
    how = f"{AT_ONCE} requests of {PICTURES} pictures of 10 MB at once"
    readers = [_resident(pid, "VmHWM") for pid in _children()]
    return [
        Figure("memory of the server at its highest", _resident("self", "VmHWM"), "MB", how, below=1000),
        Figure("memory of the server before", idle, "MB", "this process, with numpy, Pillow and the SDK loaded"),
        Figure("memory of the readers at their highest", sum(readers), "MB", f"{len(readers)} processes, together", below=2560),
        Figure(
            "longest stop of the event loop, all at once",
            1000 * max(late),
            "ms",
            f"{len(late):,} ticks; six processes share two cores",
        ),
        Figure("all of them", seconds, "s", how),
    ]


@asynccontextmanager
async def running(folder: Path, gemini_url: str) -> AsyncIterator[Product]:
    """Run the product with a tenant without limits."""
    plan = Plan(
        requests_per_minute=MANY,
        requests_per_hour=MANY,
        requests_per_day=MANY,
        requests_per_month=MANY,
        tokens_per_month=MANY,
        storage_bytes=MANY,
        stream_seconds=600,
    )
    data_dir = Path(tempfile.mkdtemp(dir=folder))
    vision = SeeingModel(GeminiChat("key", gemini_url))
    app = create_app(
        Settings(data_dir=data_dir, plans=Plans(enterprise=plan)),
        Models(cast("ChatModel", ScriptedChat()), ScriptedEmbedding(), vision),
    )
    async with listening(app, Runner(app, shutdown_timeout_seconds=1)) as url:
        tenant, secret = await create_tenant(
            app[keys.DATABASE], name="Bench", email="bench@example.com", plan="enterprise", actor=SYSTEM
        )
        yield Product(url, secret, tenant.id)


async def _send(product: Product, body: "Body") -> None:
    await asyncio.to_thread(body.address, product.tenant_id)
    told = (product.url, product.key, body.content_type, str(body.path))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SENDER, *told, stderr=asyncio.subprocess.PIPE)
    _step_back(process.pid)
    _, error = await process.communicate()
    if process.returncode:
        raise RuntimeError(error.decode()[-2000:])


def _step_back(pid: int) -> None:
    """Leave the processor to the product: a sender and a provider are other machines."""
    os.setpriority(os.PRIO_PROCESS, pid, 10)


def _pictures() -> list[bytes]:
    """Return pictures of nearly 10 MB: noise decides how large a picture is."""
    random = np.random.default_rng(1)
    row = np.linspace(0, 255, 4000)
    shades = np.tile(row, (3000, 1))[:, :, None].repeat(3, axis=2)
    noisy = Image.fromarray(np.clip(shades + random.normal(0, 24, shades.shape), 0, 255).astype(np.uint8))
    small = noisy.crop((0, 0, 1800, 1800))
    made = [_largest(noisy, "JPEG"), _encoded(small, "PNG"), _encoded(small, "WEBP", lossless=True, method=0)]
    large_enough = [picture for picture in made if len(picture) <= BYTES_MAX]
    if len(large_enough) != len(made):
        raise RuntimeError(f"a picture is too large: {[len(picture) for picture in made]}")
    return [made[0]] * 6 + [made[1]] * 2 + [made[2]] * 2


def _largest(image: Image.Image, kind: str) -> bytes:
    for quality in range(98, 50, -2):
        if len(picture := _encoded(image, kind, quality=quality)) <= BYTES_MAX:
            return picture
    raise RuntimeError("no quality is low enough")


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def _bodies(folder: Path) -> list[Body]:
    """Write the pictures into bodies of both kinds."""
    pictures, nobody = _pictures(), str(uuid4())
    as_json = folder / "body.json"
    as_json.write_text(json.dumps({"tenantId": nobody, "images": [b64encode(picture).decode() for picture in pictures]}))
    as_form = folder / "body.form"
    head = b'--edge\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    parts = [head % (b"tenantId", b"") + nobody.encode() + b"\r\n"]
    parts += [head % (b"images", b'; filename="p"') + picture + b"\r\n" for picture in pictures]
    as_form.write_bytes(b"".join(parts) + b"--edge--\r\n")
    return [
        Body("JSON", as_json, "application/json", as_json.stat().st_size),
        Body("form", as_form, "multipart/form-data; boundary=edge", as_form.stat().st_size),
    ]


def _pieces() -> list[str]:
    return [THINGS[at : at + 60] for at in range(0, len(THINGS), 60)]


def _children() -> list[int]:
    """Return the readers: this process's children that run the module of pictures."""
    commands = Path("/proc").glob("[0-9]*/cmdline")
    return [int(command.parent.name) for command in commands if b"tenantai.pictures.child" in command.read_bytes()]


def _resident(pid: int | str, what: str) -> float:
    """Return a process's memory in MB, now (VmRSS) or at its highest (VmHWM)."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1000
