"""The vault: what goes in comes out, by path and version, whole and in parts; and nobody else's."""

import asyncio
import hashlib
import io
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import aiohttp
import pytest

from tenantai.server import sending
from tenantai.server.keys import SETTINGS
from tenantai.server.services.vault import checked_path
from tenantai.settings import Plan, Plans, Settings
from tests.running import API, Account, Reply, Running, Tenant, serving, until

BYTES = b"0123456789" * 30_000


async def put(running: Running, tenant: Tenant, path: str, content: bytes, *, key: str | None = None) -> Reply:
    """Upload an asset."""
    form = aiohttp.FormData()
    form.add_field("file", content, filename="whatever.bin")
    return await running.send("POST", f"{tenant.path}/assets", key=key or tenant.key, data=form, params={"path": path})


async def fetched(running: Running, tenant: Tenant, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and bytes of an answer."""
    given = {"x-api-key": tenant.key, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with running.session.get(f"{running.url}{tenant.path}/assets/{path}", headers=given) as response:
        return response.status, response.headers.copy(), await response.read()


async def test_in_and_out(running: Running, acme: Tenant) -> None:
    """What was uploaded comes back to the byte, with its checksum, under its name."""
    made = await put(running, acme, "contracts/2026/Lease für Öl.pdf", BYTES)
    assert made.status == 201
    asset = made.data["asset"]
    digest = hashlib.sha256(BYTES).hexdigest()
    assert (asset["path"], asset["name"], asset["version"]) == ("contracts/2026/Lease für Öl.pdf", "Lease für Öl.pdf", 1)
    assert (asset["bytes"], asset["sha256"]) == (len(BYTES), digest)
    status, headers, content = await fetched(running, acme, f"{asset['id']}/content")
    assert (status, content) == (200, BYTES)
    assert headers["ETag"] == f'"{digest}"'
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''Lease%20f%C3%BCr%20%C3%96l.pdf"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Usage-Requests-Remaining" in headers
    assert headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=0-9", 206, BYTES[:10], "bytes 0-9/300000"),
        ("bytes=299990-", 206, BYTES[-10:], "bytes 299990-299999/300000"),
        ("bytes=-5", 206, BYTES[-5:], "bytes 299995-299999/300000"),
        ("bytes=299999-9999999", 206, BYTES[-1:], "bytes 299999-299999/300000"),
        ("bytes=-9999999", 206, BYTES, "bytes 0-299999/300000"),
        ("bytes=300000-", 416, None, "bytes */300000"),
        ("bytes=9-5", 200, BYTES, None),
        ("bytes=0-1,4-5", 200, BYTES, None),
        ("lines=1-2", 200, BYTES, None),
    ],
)
async def test_ranges(running: Running, acme: Tenant, asked: str, status: int, part: bytes | None, told: str | None) -> None:
    """A part is sent as asked; a range behind the end is refused; one that is none is passed over."""
    asset = (await put(running, acme, "a.bin", BYTES)).data["asset"]
    got, headers, content = await fetched(running, acme, f"{asset['id']}/content", Range=asked)
    assert got == status
    assert headers.get("Content-Range") == told
    if part is not None:
        assert content == part


async def test_conditions(running: Running, acme: Tenant) -> None:
    """Who has the bytes gets 304; a range of other bytes than the client's gets all of them; HEAD sends none."""
    asset = (await put(running, acme, "a.bin", BYTES)).data["asset"]
    path, etag = f"{asset['id']}/content", f'"{asset["sha256"]}"'
    assert (await fetched(running, acme, path, If_None_Match=f'"x", {etag}'))[0] == 304
    assert (await fetched(running, acme, path, If_None_Match='"x"'))[0] == 200
    assert (await fetched(running, acme, path, Range="bytes=0-1", If_Range=etag))[0] == 206
    assert (await fetched(running, acme, path, Range="bytes=0-1", If_Range='"x"'))[0] == 200
    async with running.session.head(f"{running.url}{acme.path}/assets/{path}", headers={"x-api-key": acme.key}) as head:
        assert (head.status, head.headers["Content-Length"], await head.read()) == (200, str(len(BYTES)), b"")


async def test_versions(running: Running, acme: Tenant) -> None:
    """Other bytes at a path are a new version, the same ones are none; each version stays until the asset goes."""
    first = (await put(running, acme, "a.txt", b"one")).data["asset"]
    again = await put(running, acme, "a.txt", b"one")
    assert (again.status, again.data["isNew"]) == (200, False)
    second = (await put(running, acme, "a.txt", b"two!")).data["asset"]
    assert (second["id"], second["version"]) == (first["id"], 2)
    shown = (await running.send("GET", f"{acme.path}/assets/{first['id']}", key=acme.key)).data
    assert [(v["version"], v["bytes"]) for v in shown["versions"]] == [(2, 4), (1, 3)]
    assert (await fetched(running, acme, f"{first['id']}/content"))[2] == b"two!"
    assert (await fetched(running, acme, f"{first['id']}/content?version=1"))[2] == b"one"
    assert (await fetched(running, acme, f"{first['id']}/content?version=3"))[0] == 404
    assert len(blobs(running, acme)) == 2
    assert (await running.send("DELETE", f"{acme.path}/assets/{first['id']}", key=acme.key)).status == 200
    assert blobs(running, acme) == []
    assert (await running.send("GET", f"{acme.path}/assets/{first['id']}", key=acme.key)).status == 404


async def test_bytes_stay_while_anyone_has_them(running: Running, acme: Tenant) -> None:
    """A file of the store and an asset with the same bytes share them, and the last one takes them along."""
    text = "Shared words of a file and an asset."
    file_id = await running.upload(acme, text, "a.txt")
    asset = (await put(running, acme, "a.txt", text.encode())).data["asset"]
    assert len(blobs(running, acme)) == 1
    await running.act(acme, "delete", file_id)
    await running.settled(acme)
    assert (await fetched(running, acme, f"{asset['id']}/content"))[2] == text.encode()
    await running.send("DELETE", f"{acme.path}/assets/{asset['id']}", key=acme.key)
    assert blobs(running, acme) == []


@pytest.mark.parametrize("tenant_id", ["nobody", "01a00000-0000-7000-8000-000000000000"])
async def test_no_such_tenant(running: Running, acme: Tenant, tenant_id: str) -> None:
    """The operator is told of a tenant that there is not, and nothing of what was sent stays."""
    operator = (running.app[SETTINGS].data_dir / "operator.key").read_text().strip()
    reply = await put(running, replace(acme, id=tenant_id), "a.txt", b"one", key=operator)
    assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND")
    assert not [path for path in (running.app[SETTINGS].data_dir / "files").rglob("*") if path.is_file()]


async def test_many_at_once_at_one_path(running: Running, acme: Tenant) -> None:
    """Uploads to one path side by side are versions one after another, none lost."""
    replies = await asyncio.gather(*(put(running, acme, "a.txt", f"{n}".encode()) for n in range(8)))
    assert sorted(reply.data["asset"]["version"] for reply in replies) == list(range(1, 9))
    same = await asyncio.gather(*(put(running, acme, "b.txt", b"same") for _ in range(5)))
    assert sorted(reply.status for reply in same) == [200] * 4 + [201]


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a/./b", "a\\b", "a\nb", "a\0b", "x" * 1025], ids=repr
)
async def test_paths_that_are_none(running: Running, acme: Tenant, path: str) -> None:
    """A path that could lead elsewhere, or that nobody could type, is refused by name, and nothing is kept."""
    form = aiohttp.FormData()
    form.add_field("file", b"x", filename="x")
    assert (await running.send("POST", f"{acme.path}/assets", key=acme.key, data=form, params={"path": path})).fields == {"path"}
    assert blobs(running, acme) == []


def test_one_path_however_it_is_composed() -> None:
    """A letter with its accent apart is the letter."""
    assert checked_path("e\u0301.txt") == "\u00e9.txt"


async def test_listing_by_folder(running: Running, acme: Tenant) -> None:
    """A prefix lists what lies below it."""
    for path in ("a/1", "a/2", "ab", "b/a/1"):
        await put(running, acme, path, path.encode())
    listed = await running.send("GET", f"{acme.path}/assets?prefix=a/", key=acme.key)
    assert [asset["path"] for asset in listed.data["assets"]] == ["a/1", "a/2"]


async def test_a_file_that_nobody_waits_for_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that ends while its file is being opened leaves no file open."""
    place, may_open, files = tmp_path / "bytes", threading.Event(), list[BinaryIO]()
    place.write_bytes(b"x")

    def slowly(self: Path, mode: str) -> BinaryIO:
        may_open.wait()
        files.append(io.FileIO(self, mode))
        return files[0]

    monkeypatch.setattr(Path, "open", slowly)
    waiting = asyncio.create_task(sending.opened(place))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    may_open.set()
    await until(lambda: files and files[0].closed)


async def test_one_level_at_a_time(running: Running, acme: Tenant) -> None:
    """With a delimiter a folder's own assets and folders come in the order of paths, each folder once, over pages too."""
    for path in ("a/1", "a/2/x", "a/2/y", "a.txt", "a0", "b", "c/1", "c/ÿ/2"):
        await put(running, acme, path, path.encode())
    for prefix, expected in (
        ("", ["a.txt", "a/", "a0", "b", "c/"]),
        ("a/", ["a/1", "a/2/"]),
        ("a/2/", ["a/2/x", "a/2/y"]),
        ("nothing/", []),
    ):
        for limit in (1, 2, 50):
            told: list[str] = []
            cursor: str | None = ""
            while cursor is not None:
                query = {"prefix": prefix, "delimiter": "/", "limit": str(limit), **({"cursor": cursor} if cursor else {})}
                page = (await running.send("GET", f"{acme.path}/assets", key=acme.key, params=query)).data
                told += sorted([*page["folders"], *(asset["path"] for asset in page["assets"])])
                cursor = page["nextCursor"]
            assert sorted(told) == sorted(expected)
    assert (await running.send("GET", f"{acme.path}/assets?delimiter=x", key=acme.key)).fields == {"delimiter"}


async def test_a_long_name_is_a_place_to_go_on_from(running: Running, acme: Tenant) -> None:
    """A page may end at a name of a thousand characters."""
    for number in range(3):
        await put(running, acme, f"{'ä' * 1000}{number}", b"x")
    first = (await running.send("GET", f"{acme.path}/assets?delimiter=/&limit=1", key=acme.key)).data
    query = {"delimiter": "/", "cursor": first["nextCursor"]}
    rest = (await running.send("GET", f"{acme.path}/assets", key=acme.key, params=query)).data
    assert [asset["name"][-1] for asset in rest["assets"]] == ["1", "2"]


async def test_storage_is_one_quota(settings: Settings) -> None:
    """Versions count as files do; what does not fit is not kept."""
    small = settings.model_copy(update={"plans": Plans(pro=Plan(storage_bytes=10))})
    async with serving(small) as running:
        acme = await running.register("Acme")
        assert (await put(running, acme, "a", b"12345")).status == 201
        assert (await put(running, acme, "a", b"1234567")).error["details"]["reason"] == "storage_bytes"
        assert len(blobs(running, acme)) == 1
        assert (await running.send("GET", f"{API}/usage", key=acme.key)).data["storage"]["used"] == 5


async def test_bound_keys(running: Running, acme: Tenant, second: Account) -> None:
    """A key bound to an account that is no admin has no vault."""
    member, _ = await running.issue(acme, scopes=("file:read", "file:upload", "file:delete"), account=second)
    asset = (await put(running, acme, "a.txt", b"one")).data["asset"]
    for method, path in (
        ("GET", ""),
        ("GET", f"/{asset['id']}"),
        ("GET", f"/{asset['id']}/content"),
        ("DELETE", f"/{asset['id']}"),
    ):
        assert (await running.send(method, f"{acme.path}/assets{path}", key=member)).status == 403
    assert (await put(running, acme, "b.txt", b"two", key=member)).status == 403


def blobs(running: Running, tenant: Tenant) -> list[Path]:
    """Return the blobs that a tenant has on the disk."""
    return [path for path in (running.app[SETTINGS].data_dir / "files" / tenant.id).rglob("*") if path.is_file()]
