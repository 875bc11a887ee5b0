"""The child processes that read pictures: bodies are unpacked, faults come through by name, crashes cost one picture."""

import base64
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tenantai.pictures.bodies import ADDRESS, NEITHER
from tenantai.pictures.picture import PictureRefused
from tenantai.pictures.pool import PicturePool
from tests.pictures.making import encoded, gradient, jpeg

ASSET = "01a00000-0000-7000-8000-00000000000A"
TENANT = "01a00000-0000-7000-8000-000000000001"


@pytest.fixture
async def pool() -> AsyncIterator[PicturePool]:
    pool = PicturePool(1)
    yield pool
    await pool.close()


def put(folder: Path, content: bytes, name: str = "given") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


async def unpacked(pool: PicturePool, folder: Path, body: Any) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await pool.unpack(put(folder, raw, "body"), folder)


async def test_picture(pool: PicturePool, tmp_path: Path) -> None:
    """A picture comes back scaled; a fault is told by name, and the child stays."""
    picture = await pool.read(put(tmp_path, jpeg(3000, 1500)))
    assert (picture.width, picture.height, picture.content[:2]) == (1536, 768, b"\xff\xd8")
    with pytest.raises(PictureRefused, match="cut off"):
        await pool.read(put(tmp_path, jpeg()[:-100]))
    with pytest.raises(PictureRefused, match="is gone"):
        await pool.read(tmp_path / "nowhere")


async def test_body(pool: PicturePool, tmp_path: Path) -> None:
    """Pictures become files, whatever way their base64 is written; ids of assets stay; each fault is under its picture."""
    plain, content = base64.b64encode(jpeg()).decode(), jpeg()
    folded = "\r\n".join(plain[at : at + 76] for at in range(0, len(plain), 76))
    url_safe = base64.urlsafe_b64encode(content).decode().rstrip("=")
    images = [plain, f"data:image/png;base64,{plain}", folded, url_safe, ASSET, "no picture!", "https://example.com/a.jpg", ""]
    told = await unpacked(pool, tmp_path, {"tenantId": TENANT, "images": images, "unit": "imperial"})
    assert told["body"] == {"tenantId": TENANT, "accountId": None, "unit": "imperial"}
    assert told["pictures"] == [
        *({"file": str(index)} for index in range(4)),
        {"asset": ASSET.lower()},
        {"problem": NEITHER},
        {"problem": ADDRESS},
        {"file": "7"},
    ]
    assert all((tmp_path / str(index)).read_bytes() == content for index in range(4))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{", {"body"}),
        (b"[]", {"body"}),
        ({}, {"tenantId", "images"}),
        ({"tenantId": TENANT, "images": []}, {"images"}),
        ({"tenantId": TENANT, "images": ["aaaa"] * 11}, {"images"}),
        ({"tenantId": TENANT, "images": [1, None], "unit": "stone", "more": 1}, {"images.0", "images.1", "unit", "more"}),
        ({"tenantId": "x" * 3_000_000, "images": "x" * 3_000_000}, {"tenantId", "images"}),
    ],
)
async def test_faults_of_a_body(pool: PicturePool, tmp_path: Path, body: Any, fields: set[str]) -> None:
    """What is wrong with a body is told, all of it, and little is told of a large one."""
    told = await unpacked(pool, tmp_path, body)
    assert {problem["field"] for problem in told["problems"]} == fields


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept only on Linux")
async def test_memory_limit(tmp_path: Path) -> None:
    """A picture that needs more memory than a child may take is refused, and the next one is read."""
    pool = PicturePool(1, memory_limit_bytes=300 * 1024**2)
    large = put(tmp_path, encoded(gradient(7000, 7000, "RGBA"), "WEBP", lossless=True, method=0))
    with pytest.raises(PictureRefused):
        await pool.read(large)
    assert (await pool.read(put(tmp_path, jpeg()))).width == 64
    await pool.close()


async def test_plan_that_fails(pool: PicturePool, tmp_path: Path) -> None:
    """What is no estimate costs its plan alone, and the next picture is read."""
    assert await pool.plan(put(tmp_path, b"{}")) == "null"
    assert (await pool.read(put(tmp_path, jpeg()))).width == 64


async def test_too_slow(tmp_path: Path) -> None:
    """A picture that takes too long is given up, and the next one is read by a new child."""
    pool = PicturePool(1)
    await pool.read(put(tmp_path, jpeg()))
    pool.sandboxes[0].time_limit_seconds = 0
    with pytest.raises(PictureRefused, match="too long"):
        await pool.read(put(tmp_path, jpeg()))
    pool.sandboxes[0].time_limit_seconds = 30
    assert (await pool.read(put(tmp_path, jpeg()))).width == 64
    await pool.close()
