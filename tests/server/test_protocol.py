"""What never reaches a handler is answered in the one shape too, and a client that stalls holds nothing up."""

import asyncio
import io
import logging
from typing import Any

import aiohttp
import pytest

from tenantai.server import body_waits, keys, protocol
from tenantai.server.routes import API
from tenantai.server.services.runs import TOO_LATE
from tenantai.settings import Settings
from tests.pictures.making import jpeg
from tests.running import Reply, Running, Tenant, raw, reply_of, serving, until
from tests.server.test_estimator import base64

HOST = b"Host: localhost\r\n"
LARGER_THAN_ANY_BUFFER = 24 * 1024 * 1024


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"bad name: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"x-api-key: sk_live_secret\0word\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"x-long: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"x-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Content-Length: ten\r\n\r\n",
        b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: nonsense\r\n\r\n",
    ],
)
async def test_what_is_not_http(
    running: Running, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], request_bytes: bytes
) -> None:
    """A request that cannot be parsed is a 400 in the one shape, and none of its bytes is in the answer or the log."""
    with caplog.at_level(logging.DEBUG):
        reply = reply_of(await raw(running, request_bytes))
    assert reply.fields == {"request"}
    assert reply.error["code"] == "VALIDATION_ERROR"
    assert reply.headers["Content-Type"].startswith("application/json")
    said = capsys.readouterr().out
    assert reply.error["requestId"] in said
    for hidden in ("secret", "aaaaaaaaaaaaaaaa", "nonsense"):
        assert hidden not in reply.text + caplog.text + said


@pytest.mark.parametrize("encoding", [b"br", b"zstd"])
async def test_encodings_that_are_not_taken(running: Running, encoding: bytes) -> None:
    """A body in an encoding that cannot be unpacked here is a 415 that says which can."""
    head = b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Encoding: " + encoding + b"\r\n\r\nabcd"
    reply = reply_of(await raw(running, head))
    assert (reply.status, reply.error["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "gzip" in reply.error["message"]


async def test_unknown_expectation(running: Running) -> None:
    """An Expect that is not 100-continue is refused in the one shape."""
    reply = reply_of(await raw(running, b"GET /api/v1/health HTTP/1.1\r\n" + HOST + b"Expect: x\r\nConnection: close\r\n\r\n"))
    assert (reply.status, reply.error["code"]) == (417, "VALIDATION_ERROR")


async def test_body_that_breaks_on_its_way(running: Running) -> None:
    """A chunked body whose framing breaks after its request was begun is one 400, at once."""
    head = b"POST /api/v1/register HTTP/1.1\r\n" + HOST + b"X-Request-Id: abc\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"
    waits = running.app[keys.BODY_WAITS]
    reply = reply_of(await raw(running, head + b"{    \r\n", b"zz\r\nnonsense", once=lambda: waits._open))
    assert reply.fields == {"body"}
    assert reply.error["requestId"] == "abc"


async def test_fault_outside_of_all_middlewares(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault where no middleware catches it is a 500 in the one shape."""

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret")

    monkeypatch.setattr("tenantai.server.middlewares.access_log.write", fail)
    monkeypatch.setattr("tenantai.server.middlewares.new_id", None)
    reply = reply_of(await raw(running, b"GET /api/v1/health HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert (reply.status, reply.error["code"]) == (500, "INTERNAL_ERROR")


def post(path: str, key: str, length: int, kind: str = "application/json") -> bytes:
    """Return the head of a POST."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Length: {length}\r\nContent-Type: {kind}\r\n\r\n"
    ).encode()


def half_a_file(tenant: Tenant) -> bytes:
    """Return the begin of an upload."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf a file'
    return post(tenant.files, tenant.key, 100_000, "multipart/form-data; boundary=x") + part


@pytest.mark.parametrize("sent", ["nothing", "json", "form", "file"])
async def test_client_that_stalls(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    """A body that does not come is a 408, the connection ends, and nothing of it is kept."""
    monkeypatch.setattr(body_waits, "JSON_SECONDS", 0.05)
    monkeypatch.setattr(body_waits, "UPLOAD_SILENCE_SECONDS", 0.05)
    head = {
        "nothing": post(f"{acme.path}/accounts", acme.key, 10),
        "json": post(f"{acme.path}/accounts", acme.key, 10) + b'{"na',
        "form": post(acme.files, acme.key, 1000, "multipart/form-data; boundary=x") + b"--x\r\nContent-Dis",
        "file": half_a_file(acme),
    }[sent]
    reply = reply_of(await raw(running, head))
    assert (reply.status, reply.error["code"]) == (408, "REQUEST_TIMEOUT")
    assert reply.headers["Connection"] == "close"
    assert await running.files(acme) == {}
    assert not list((running.app[keys.SETTINGS].data_dir / "files" / "incoming").iterdir())


@pytest.mark.parametrize("sent", ["json", "file"])
async def test_stalled_client_and_shutdown(settings: Settings, sent: str) -> None:
    """A shutdown does not wait for a body that is under way: its sender is told at once."""
    async with serving(settings.model_copy(update={"shutdown_timeout_seconds": 60})) as running:
        acme = await running.register("Acme")
        head = post(f"{acme.path}/accounts", acme.key, 10) + b"{" if sent == "json" else half_a_file(acme)
        asked = asyncio.create_task(raw(running, head))
        waits = running.app[keys.BODY_WAITS]
        await until(lambda: waits._open)
        async with asyncio.timeout(10):
            await running.runner.cleanup()
        reply: Reply = reply_of(await asked)
        assert (reply.status, reply.error["code"]) == (503, "NOT_READY")


async def test_silent_connection_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that sends no request, or half a head, is closed after a while."""
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.05)
    async with serving(settings) as running:
        for begin in (b"", b"GET /api/v1/hea"):
            assert await raw(running, begin) == b""


@pytest.mark.parametrize("reads", [False, True])
async def test_client_that_takes_nothing_of_its_answer(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch, *, reads: bool
) -> None:
    """It is hung up on after a while, and what was held for it let go; one that reads slowly gets all of it."""
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 0.2)
    content = bytes(LARGER_THAN_ANY_BUFFER)
    form = aiohttp.FormData({"file": io.BytesIO(content)})
    made = await running.send("POST", f"{acme.path}/assets?path=large", key=acme.key, data=form)
    head = f"GET {acme.path}/assets/{made.data['asset']['id']}/content HTTP/1.1\r\nHost: x\r\nx-api-key: {acme.key}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rsplit(":", 1)[1]), limit=4096)
    writer.write(head.encode())
    server, address = running.runner.server, writer.get_extra_info("sockname")
    assert server is not None

    def is_open() -> bool:
        return any(c.transport is not None and c.transport.get_extra_info("peername") == address for c in server.connections)

    await until(is_open)
    if reads:
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < len(content):
            piece = await reader.read(1024 * 1024)
            assert piece, taken
            taken += len(piece)
        assert is_open()
    else:
        await until(lambda: not is_open())
    writer.transport.abort()


async def test_readiness_is_seen_to_be_red(settings: Settings, monkeypatch: pytest.MonkeyPatch, gate: asyncio.Event) -> None:
    """A shutdown lets the requests under way end, and listens for so long: whoever asks meanwhile hears that it is not ready."""
    async with serving(settings) as running:
        acme = await running.register("Acme")
        real = running.app[keys.SEARCH].passages

        async def slow(*given: Any, **more: Any) -> Any:
            await gate.wait()
            return await real(*given, **more)

        monkeypatch.setattr(running.app[keys.SEARCH], "passages", slow)
        path = f"{acme.path}/store/search"
        asked = asyncio.create_task(running.send("POST", path, key=acme.key, json={"query": "lamp"}))
        runner = running.runner
        assert isinstance(runner, protocol.Runner)
        await until(lambda: runner.server is not None and runner._under_way(runner.server))
        stopping = asyncio.create_task(running.runner.cleanup())
        await until(lambda: running.app[keys.READINESS].is_draining)
        red = reply_of(await raw(running, b"GET /api/v1/ready HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"))
        assert (red.status, red.error["code"]) == (503, "NOT_READY")
        gate.set()
        assert (await asked).status == 200
        await stopping
        with pytest.raises(ConnectionError):
            await raw(running, b"")


async def test_requests_while_it_shuts_down(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while earlier requests end is answered and told to hang up; no answer is begun, and none holds up the end."""
    gates = {"earlier": asyncio.Event(), "later": asyncio.Event()}
    async with serving(settings) as running:
        acme = await running.register("Acme")
        real = running.app[keys.SEARCH].passages

        async def slow(tenant_id: str, *, question: str, **more: Any) -> Any:
            await gates[question].wait()
            return await real(tenant_id, question=question, **more)

        monkeypatch.setattr(running.app[keys.SEARCH], "passages", slow)

        def search(query: str) -> asyncio.Task[Reply]:
            return asyncio.create_task(running.send("POST", f"{acme.path}/store/search", key=acme.key, json={"query": query}))

        runner = running.runner
        assert isinstance(runner, protocol.Runner)
        assert runner.server is not None
        server = runner.server
        earlier = search("earlier")
        await until(lambda: len(runner._under_way(server)) == 1)
        stopping = asyncio.create_task(runner.cleanup())
        await until(lambda: running.app[keys.READINESS].is_draining)
        later = search("later")
        await until(lambda: len(runner._under_way(server)) == 2)
        asked = await running.ask(acme, "What?")
        looked_at = await running.send(
            "POST", f"{API}/estimator/analyze", key=acme.key, json={"tenantId": acme.id, "images": [base64(jpeg())]}
        )
        for refused in (asked, looked_at):
            assert (refused.status, refused.error["message"], refused.headers["Connection"]) == (503, TOO_LATE, "close")
        assert await running.rows("SELECT id FROM conversations UNION ALL SELECT id FROM estimates") == []
        gates["earlier"].set()
        assert (await earlier).status == 200
        await until(lambda: not runner.sites)
        assert not later.done()
        gates["later"].set()
        assert (await later).status == 200
        await stopping


async def test_shutdown_beside_a_client_that_asks_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was made at the last moment, when those that are idle are closed already, holds no shutdown up."""
    monkeypatch.setattr(protocol.Connection, "close", lambda _connection: None)
    async with serving(settings) as running:
        _, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rsplit(":", 1)[1]))
        runner = running.runner
        assert runner.server is not None
        server = runner.server
        await until(lambda: bool(server.connections))
        monkeypatch.setattr(runner, "_shutdown_timeout", 60)
        async with asyncio.timeout(5):
            await runner.cleanup()
        writer.close()
