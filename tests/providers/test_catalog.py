"""Model files come from an index that speaks the simple API, and only whole and unchanged ones stay."""

import asyncio
import errno
import hashlib
import io
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tenantai.errors import NotFound, ProviderFailed
from tenantai.providers import catalog
from tenantai.providers.catalog import CATALOG, CatalogEntry, HubFile, ModelFile, WheelMember
from tenantai.providers.downloads import Pin

CONTENT = bytes(range(256)) * 4096
WHEEL = "tiny-1.0-py3-none-any.whl"
JSON = "application/vnd.pypi.simple.v1+json"


def pin(content: bytes) -> Pin:
    return Pin(len(content), hashlib.sha256(content).hexdigest())


def wheel_bytes(member: str = "tiny/model.bin") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, CONTENT)
    return buffer.getvalue()


@dataclass
class Index:
    """A package index of one project, and a hub of one file."""

    wheel: bytes = field(default_factory=wheel_bytes)
    hub: bytes | None = None
    html: bool = False
    truncate: bool = False
    requests: list[str] = field(default_factory=list)

    async def project(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.html:
            page = f'<!doctype html><a href="../../files/{WHEEL}#sha256=0">{WHEEL}</a>'
            return web.Response(text=page, content_type="text/html")
        files = [{"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {}}]
        return web.json_response({"files": files}, content_type=JSON)

    async def file(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        if not self.truncate:
            return web.Response(body=self.wheel)
        response = web.StreamResponse(headers={"Content-Length": str(len(self.wheel))})
        await response.prepare(request)
        await response.write(self.wheel[:1000])
        assert request.transport
        request.transport.close()
        return response

    async def hub_file(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        return web.Response(body=self.hub) if self.hub else web.Response(status=404)


StartIndex = Callable[[Index], Awaitable[CatalogEntry]]


@pytest.fixture
async def start_index(
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]], monkeypatch: pytest.MonkeyPatch
) -> StartIndex:
    """Start an index and put the model it holds into the catalogue, as `tiny`."""

    async def start(index: Index) -> CatalogEntry:
        app = web.Application()
        app.router.add_get("/simple/tiny/", index.project)
        app.router.add_get(f"/files/{WHEEL}", index.file)
        app.router.add_get("/hub/model.bin", index.hub_file)
        server = await aiohttp_server(app)
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.make_url('/simple')}/")
        return install(monkeypatch, hub_url=str(server.make_url("/hub/model.bin")))

    return start


def install(monkeypatch: pytest.MonkeyPatch, *, hub_url: str = "http://127.0.0.1:9/") -> CatalogEntry:
    member = WheelMember("tiny", "1.0", WHEEL, pin(wheel_bytes()), "tiny/model.bin")
    file = ModelFile("model.bin", pin(CONTENT), (member, HubFile(hub_url)))
    entry = CatalogEntry("tiny", "a test's", "CC0-1.0", (file,))
    monkeypatch.setattr(catalog, "CATALOG", {"tiny": entry})
    return entry


@pytest.mark.parametrize("html", [False, True])
async def test_pull_takes_the_member_out_of_the_wheel(html: bool, start_index: StartIndex, tmp_path: Path) -> None:
    """An index that answers in JSON or in HTML gives the file; progress ends at the whole, and nothing else is left."""
    await start_index(Index(html=html))
    told: list[tuple[str, int, int]] = []

    assert not catalog.installed("tiny", tmp_path)
    await catalog.pull("tiny", folder=tmp_path, progress=lambda *report: told.append(report))

    size = len(wheel_bytes())
    assert (tmp_path / "tiny" / "model.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["model.bin"]
    assert told[-1] == ("model.bin", size, size)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert catalog.installed("tiny", tmp_path)
    assert catalog.verify("tiny", tmp_path) == []


async def test_pull_leaves_a_good_file_alone(start_index: StartIndex, tmp_path: Path) -> None:
    """What is there and right is not asked for again."""
    index = Index()
    await start_index(index)
    await catalog.pull("tiny", folder=tmp_path)
    index.requests.clear()

    await catalog.pull("tiny", folder=tmp_path)

    assert index.requests == []


async def test_pull_repairs_a_damaged_file(start_index: StartIndex, tmp_path: Path) -> None:
    """A file of the right size with other content is found by verify alone, and replaced by a pull."""
    await start_index(Index())
    target = tmp_path / "tiny" / "model.bin"
    target.parent.mkdir()
    target.write_bytes(b"x" * len(CONTENT))
    assert catalog.installed("tiny", tmp_path)
    assert catalog.verify("tiny", tmp_path) == ["model.bin has another SHA-256 than the catalogue's."]

    await catalog.pull("tiny", folder=tmp_path)

    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("wheel", [b"x" * len(wheel_bytes()), wheel_bytes() + b"x", wheel_bytes("other/name.bin")])
async def test_pull_refuses_what_is_not_pinned(wheel: bytes, start_index: StartIndex, tmp_path: Path) -> None:
    """A wheel with another hash or length gives an error that says so, and no file."""
    await start_index(Index(wheel=wheel))

    with pytest.raises(ProviderFailed, match="not what the catalogue pins"):
        await catalog.pull("tiny", folder=tmp_path)

    assert list((tmp_path / "tiny").iterdir()) == []


async def test_pull_notices_a_truncated_download(start_index: StartIndex, tmp_path: Path) -> None:
    """A connection cut half-way leaves nothing and names the two ways out."""
    await start_index(Index(truncate=True))

    with pytest.raises(ProviderFailed, match=r"models pull` on a machine with network .* copy model.bin by hand"):
        await catalog.pull("tiny", folder=tmp_path)

    assert list((tmp_path / "tiny").iterdir()) == []


async def test_pull_takes_the_next_source_when_one_fails(start_index: StartIndex, tmp_path: Path) -> None:
    """Where the index gives nothing useful the hub is asked."""
    index = Index(truncate=True, hub=CONTENT)
    await start_index(index)

    await catalog.pull("tiny", folder=tmp_path)

    assert index.requests[-1] == "/hub/model.bin"
    assert catalog.verify("tiny", tmp_path) == []


async def test_pull_offline_says_what_to_do(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int, tmp_path: Path) -> None:
    """Without a network the error tells how the files get there by hand, and shows no URL."""
    install(monkeypatch, hub_url=f"http://127.0.0.1:{unused_tcp_port}/model.bin")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://name:secret@127.0.0.1:{unused_tcp_port}/simple")

    with pytest.raises(ProviderFailed, match="the models folder in the data folder") as caught:
        await catalog.pull("tiny", folder=tmp_path)

    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


async def test_two_pulls_at_once_both_succeed(start_index: StartIndex, tmp_path: Path) -> None:
    """Each pull works in its own scratch folder and swaps in a whole file."""
    await start_index(Index())

    await asyncio.gather(*(catalog.pull("tiny", folder=tmp_path) for _ in range(4)))

    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["model.bin"]
    assert catalog.verify("tiny", tmp_path) == []


async def test_a_cancelled_pull_leaves_nothing(start_index: StartIndex, tmp_path: Path) -> None:
    """A pull that is cancelled at its first progress removes its scratch folder."""
    await start_index(Index())
    task: asyncio.Task[None] | None = None

    def cancel(name: str, done: int, total: int) -> None:
        assert task
        task.cancel()

    task = asyncio.create_task(catalog.pull("tiny", folder=tmp_path, progress=cancel))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert list((tmp_path / "tiny").iterdir()) == []


async def test_a_full_disk_is_named(start_index: StartIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error of the disk says how much room is needed instead of blaming the network."""
    await start_index(Index())

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(catalog, "_extract", full)

    with pytest.raises(ProviderFailed, match="disk of the data folder is full"):
        await catalog.pull("tiny", folder=tmp_path)


async def test_an_unknown_model_is_not_found(tmp_path: Path) -> None:
    """A name that is not in the catalogue gives the names that are."""
    with pytest.raises(NotFound, match="all-MiniLM-L6-v2-int8"):
        await catalog.pull("nonsense", folder=tmp_path)


def test_the_catalogue_pins_everything() -> None:
    """Every file and wheel has a SHA-256 and a size, and every model a licence and a purpose."""
    for name, entry in CATALOG.items():
        assert name == entry.id
        assert entry.purpose
        assert entry.licence
        pins = [file.pin for file in entry.files]
        pins += [source.wheel_pin for file in entry.files for source in file.sources if isinstance(source, WheelMember)]
        assert all(len(bytes.fromhex(each.sha256)) == 32 and each.size_bytes > 0 for each in pins)


def test_verify_of_the_real_model(minilm_folder: Path) -> None:
    """The files that the index gives today are those of the catalogue."""
    assert catalog.verify("all-MiniLM-L6-v2-int8", minilm_folder.parent) == []
