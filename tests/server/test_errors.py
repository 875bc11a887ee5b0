"""Every failure has the one shape, says what to do, and gives nothing of the inside away."""

import asyncio
import errno
import io
import json
import shutil
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from tenantai.errors import NotReady, ValidationFailed
from tenantai.parsing import parse
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.settings import Settings
from tenantai.storage.database import Database, compiled
from tenantai.wire.accounts import NewAccount
from tests.running import Running, Tenant, raw, serving

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b'{"name": NaN}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b'"text"',
        b"[]",
        b"null",
    ],
)
async def test_body_that_is_no_json_object(running: Running, acme: Tenant, body: bytes) -> None:
    """A body that is not a JSON object, or is nested too deep to read, is a 400 that says so."""
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, data=body, headers=JSON)
    assert reply.fields == {"body"}
    assert reply.error["code"] == "VALIDATION_ERROR"


def test_deep_nesting_at_the_edge() -> None:
    """Nesting just within what can be parsed is refused as well, with surrogate pairs in it."""
    for depth in range(800, 1000):
        body = b'{"name":' + b"[" * depth + b'"\\ud83d\\ude00"' + b"]" * depth + b"}"
        with pytest.raises(ValidationFailed):
            parse(body, NewAccount)


async def test_every_problem_at_once(running: Running, acme: Tenant) -> None:
    """Unknown fields, wrong types and values out of range are all named in one answer, without the values."""
    body = {"name": "", "role": "emperor", "email": "nobody", "externalId": 7, "colour": "secret-value"}
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=body)
    assert reply.fields == {"name", "role", "email", "externalId", "colour"}
    assert reply.error["message"].endswith("; and 2 more")
    assert "secret-value" not in reply.text
    assert "emperor" not in reply.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tenantId": "t"}, "message"),
        ({"tenantId": "t", "message": "   "}, "message"),
        ({"tenantId": "t", "message": "x" * 10_001}, "message"),
        ({"tenantId": "t", "message": 5}, "message"),
        ({"tenantId": "t", "message": "x", "files": "abc"}, "files"),
        ({"tenantId": "t", "message": "x", "files": [1]}, "files.0"),
        ({"tenantId": "t", "message": "x", "tenant_id": "t"}, "tenant_id"),
        ({"tenantId": None, "message": "x"}, "tenantId"),
    ],
)
async def test_chat_bodies(running: Running, acme: Tenant, body: dict[str, Any], field: str) -> None:
    """What is wrong with a chat's body is a 400 before anything is streamed."""
    reply = await running.send("POST", f"{API}/chat", key=acme.key, json=body)
    assert field in reply.fields
    assert running.chat.history == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "half \\ud800 a character", "role": "member"}',
        b'{"name": "half \xed\xa0\x80 a character", "role": "member"}',
        b'{"name": "x", "role": "member", "\\udfff": 1}',
        b'{"name": "x", "role": "member", "\xed\xbf\xbf": 1}',
        '{"name": "half \\ud800 a character", "role": "member"}'.encode("utf-16"),
        '{"name": "x", "role": "member", "\\ud800": 1}'.encode("utf-16"),
    ],
)
async def test_lone_surrogates(running: Running, acme: Tenant, body: bytes) -> None:
    """Half a character is refused, however it is written, in names and in values."""
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, data=body, headers=JSON)
    assert reply.fields == {"body"}
    whole = b'{"name": "\\ud83d\\ude00", "role": "member"}'
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, data=whole, headers=JSON)
    assert reply.data["name"] == "\N{GRINNING FACE}"


async def test_nul_characters(running: Running, acme: Tenant) -> None:
    """A NUL is refused in a name and a question, and does no harm in a search."""
    made = await running.send("POST", f"{acme.path}/accounts", key=acme.key, json={"name": "a\0b", "role": "member"})
    assert made.fields == {"name"}
    await running.upload(acme, "The lamp is green.")
    assert len(await running.search(acme, "lamp\0green")) == 1
    assert (await running.ask(acme, "lamp\0?")).fields == {"message"}
    reply = await running.send("GET", f"{API}/chat/history?q=%00", key=acme.key)
    assert (reply.status, reply.error["details"]) == (400, [{"field": "q", "problem": "must not hold NUL"}])
    assert (await running.send("GET", f"{acme.path}/accounts/%00", key=acme.key)).status == 404


@pytest.mark.parametrize("limit", ["0", "-1", "201", "99999999999999999999", "1.5", "ten", "١", "1e2", " 1"])
@pytest.mark.parametrize("path", ["accounts", "store", "accounts/{account}/files"])
async def test_limits(running: Running, acme: Tenant, path: str, limit: str) -> None:
    """A limit that is no whole number from 1 to 200 is refused."""
    where = f"{acme.path}/{path.replace('{account}', acme.account.id)}"
    assert (await running.send("GET", where, key=acme.key, params={"limit": limit})).fields == {"limit"}


async def test_empty_query_values(running: Running, acme: Tenant) -> None:
    """Empty values in a query are no fault: an empty account is one that has no chats."""
    await running.answer(acme, "One?")
    reply = await running.send("GET", f"{API}/chat/history?accountId=&q=&limit=&cursor=&tenantId=", key=acme.key)
    assert reply.status in {200, 400}


async def test_unknown_address(running: Running, acme: Tenant) -> None:
    """An address that is none is a 404 in the one shape, with or without a key."""
    for path in ("/", "/api/v1/nothing", f"{acme.path}/", "/api/v1/../../etc/passwd", "/api/v1/%2e%2e/x", "//"):
        for key in (None, acme.key):
            reply = await running.send("GET", path, key=key)
            assert (reply.status, reply.error["code"]) == (404, "NOT_FOUND")


async def test_wrong_method(running: Running, acme: Tenant) -> None:
    """A method that an address does not know is a 405 that lists those it knows."""
    reply = await running.send("PUT", f"{API}/chat", key=acme.key)
    assert reply.status == 405
    assert reply.headers["Allow"] == "POST"
    assert "requestId" in reply.error


async def test_bodies_over_the_limit(running: Running, acme: Tenant) -> None:
    """A JSON body over its limit is a 413, whether its length is announced or not, and the server goes on."""
    big = json.dumps({"name": "x" * running.app[keys.SETTINGS].body_bytes_max, "role": "member"}).encode()

    async def pieces() -> Any:
        for at in range(0, len(big), 65_536):
            yield big[at : at + 65_536]

    for data in (io.BytesIO(big), pieces()):
        reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, data=data, headers=JSON)
        assert (reply.status, reply.error["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert (await running.send("GET", acme.path, key=acme.key)).status == 200


async def test_large_bodies_within_the_limit(running: Running, acme: Tenant) -> None:
    """A body of several hundred kilobytes is read, and refused for what is wrong with it."""
    body = {"name": "x", "role": "member", "unknown": "y" * 500_000}
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=body)
    assert reply.fields == {"unknown"}


async def test_request_ids(running: Running, acme: Tenant) -> None:
    """A sane request id is sent back, in streams and failures too; any other is replaced by one of ours."""
    for path, key in ((acme.path, acme.key), (acme.path, None), (f"{API}/health", None), ("/none", None)):
        assert (await running.send("GET", path, key=key, headers={"X-Request-Id": "abc-1.2:3_X"})).headers[
            "X-Request-Id"
        ] == "abc-1.2:3_X"
        for odd in ("x" * 101, "a b", "<script>", "a/b", "é"):
            got = (await running.send("GET", path, key=key, headers={"X-Request-Id": odd})).headers["X-Request-Id"]
            assert got != odd
            assert len(got) == 36
    reply = await running.ask(acme, "hello", headers={"X-Request-Id": "chat-1"})
    assert reply.headers["X-Request-Id"] == "chat-1"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/tenants HTTP/1.1\r\nx-api-key: sk_live_\xff\xfe",
        b"GET /api/v1/tenants HTTP/1.1\r\nAuthorization: Bearer \xed\xa0\x80",
        b"GET /api/v1/\xff\xfe HTTP/1.1",
        b"GET /api/v1/\xed\xa0\x80?q=\xff HTTP/1.1",
        b"GET /api/v1/health HTTP/1.1\r\nX-Request-Id: \xff",
    ],
)
async def test_bytes_that_are_no_text(running: Running, head: bytes) -> None:
    """Bytes that are not text in a path or a header are refused or ignored, never a fault."""
    answer = await raw(running, head + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    status = int(answer.split()[1])
    assert status in {200, 400, 401, 404}, answer
    assert b"Traceback" not in answer


async def test_fault_of_ours(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that nobody foresaw is a 500 with our sentence; its own words go to the log only."""

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr("tenantai.storage.accounts.page", fail)
    reply = await running.send("GET", f"{acme.path}/accounts", key=acme.key)
    assert (reply.status, reply.error["code"]) == (500, "INTERNAL_ERROR")
    assert "secret" not in reply.text


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "the disk fails"), NotReady("The disk fails.")])
async def test_fault_behind_the_head_of_an_answer(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """A fault while bytes are sent breaks the connection: no second answer stands in the body of the first."""

    async def broken(response: web.StreamResponse, *_: object) -> None:
        await response.write(b"some of it")
        raise fault

    form = aiohttp.FormData()
    form.add_field("file", b"bytes" * 1000, filename="a.bin")
    asset = (await running.send("POST", f"{acme.path}/assets", key=acme.key, data=form)).data["asset"]
    monkeypatch.setattr("tenantai.server.sending._write", broken)
    where = f"{running.url}{acme.path}/assets/{asset['id']}/content"
    async with running.session.get(where, headers={"x-api-key": acme.key}) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    status = [row for row in await usage_of(running, acme) if "content" in row[0]]
    assert status == [(f"GET {API}/tenants/{{tenant_id}}/assets/{{asset_id}}/content", 200)]


@pytest.mark.parametrize(
    ("fault", "said"), [(RuntimeError("a fault"), "fault"), (NotReady("The disk fails."), "failed")], ids=["fault", "failed"]
)
async def test_faults_are_logged_with_their_tenant(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str
) -> None:
    """The log says whose request met a fault."""

    async def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("tenantai.storage.accounts.page", fail)
    with capture_logs() as logged:
        reply = await running.send("GET", f"{acme.path}/accounts", key=acme.key)
    told = [line for line in logged if line["event"] == said]
    assert [(line["request_id"], line["tenant_id"]) for line in told] == [(reply.headers["X-Request-Id"], acme.id)]


async def usage_of(running: Running, tenant: Tenant) -> list[tuple[str, int]]:
    """Return the endpoints and statuses that were counted."""
    await running.app[keys.RECORDING].take()
    rows = await running.rows("SELECT endpoint, status FROM usage_events WHERE tenant_id = :tenant", tenant=tenant.id)
    return [(str(row[0]), int(row[1])) for row in rows]


async def test_database_that_fails(running: Running, acme: Tenant) -> None:
    """Where the database cannot be read or written now, the answer is 503 with a time to come back, and readiness is red."""
    database: Database = running.app[keys.DATABASE]
    await database.write_one(compiled("PRAGMA query_only = ON"))
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, json={"name": "x", "role": "member"})
    assert (reply.status, reply.error["code"], reply.headers["Retry-After"]) == (503, "NOT_READY", "5")
    await database.write_one(compiled("PRAGMA query_only = OFF"))


async def test_check_that_fails_for_no_known_reason(
    running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Readiness says that the log has the reason, and it has."""

    async def fail() -> None:
        raise RuntimeError("the tyres are flat")

    monkeypatch.setattr(running.chat, "check", fail)
    ready = await running.send("GET", f"{API}/ready")
    assert ready.data["checks"]["provider"]["error"] == "failed; the log has the reason"
    assert "the tyres are flat" not in ready.text
    assert "the tyres are flat" in capsys.readouterr().out


async def test_body_that_is_not_what_its_encoding_says(running: Running, acme: Tenant) -> None:
    """A body that claims to be gzip and is not is refused, naming the encoding."""
    reply = await running.send("POST", f"{API}/chat", key=acme.key, data=b"notgzip", headers={"Content-Encoding": "gzip"})
    assert reply.fields == {"body"}


@pytest.mark.parametrize(
    "form",
    [
        b"--BBB\r\nContent-Dis",
        b"--BBB\r\nno colon\r\n\r\nx\r\n--BBB--\r\n",
        (
            b'--BBB\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
            b"Content-Transfer-Encoding: foo\r\n\r\nx\r\n--BBB--\r\n"
        ),
    ],
)
async def test_malformed_forms(running: Running, acme: Tenant, form: bytes) -> None:
    """A form that cannot be read is the caller's fault, and nothing of it is kept."""
    where, headers = f"{acme.path}/accounts/{acme.account.id}/files", {"Content-Type": "multipart/form-data; boundary=BBB"}
    reply = await running.send("POST", where, key=acme.key, data=form, headers=headers)
    assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR")
    assert not await running.files(acme)


async def test_message_of_separators(running: Running, acme: Tenant) -> None:
    """A message that only some call white space is no fault of ours."""
    assert (await running.send("POST", f"{API}/chat", key=acme.key, json={"tenantId": acme.id, "message": "\x1c"})).status < 500


async def test_data_that_is_gone(settings: Settings) -> None:
    """What would not be there after a restart is not accepted, and readiness is red, until the data are back in their place."""
    files = settings.data_dir / "files"
    async with serving(settings) as running:
        acme = await running.register("Acme")
        database, account = running.app[keys.DATABASE].path, {"name": "x", "role": "member"}
        for place in (database, files):
            await asyncio.to_thread(place.rename, place.with_suffix(".aside"))
        for again in (False, True):
            assert (await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=account)).status == 503
            assert (await running.post_file(acme, b"text", "a.txt")).status == 503
            ready = await running.send("GET", f"{API}/ready")
            assert (ready.status, ready.error["details"]["checks"]["database"]["status"]) == (503, "down")
            if not again:
                await asyncio.to_thread(shutil.copy, database.with_suffix(".aside"), database)
        for place in (database, files):
            await asyncio.to_thread(place.with_suffix(".aside").replace, place)
        assert (await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=account)).status == 201
        assert (await running.post_file(acme, b"text", "a.txt")).status == 202
        await asyncio.to_thread(database.unlink)


async def test_full_disk(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that the disk has no room for is 503, and leaves nothing behind."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("tenantai.storage.blobs._write", full)
    reply = await running.post_file(acme, b"text", "a.txt")
    assert (reply.status, reply.error["code"]) == (503, "NOT_READY")
    monkeypatch.undo()
    assert not await running.files(acme)


async def test_thousands_of_problems_are_a_few_sentences(running: Running, acme: Tenant) -> None:
    """A body of wrong values is refused in an answer much shorter than itself."""
    many = {f"field{number}": 1 for number in range(20_000)}
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=many)
    assert reply.fields == {"body"}
    some = {f"field{number}": 1 for number in range(500)}
    reply = await running.send("POST", f"{acme.path}/accounts", key=acme.key, json=some)
    assert (reply.status, len(reply.error["details"])) == (400, 101)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"name": "A", "name": "B"}', 'names "name" more than once in one object'),
        (b'{"name": "A", "x": 1e999}', "holds a number that is too large, 1e999"),
        (b'{"name": NaN}', "is not JSON"),
    ],
)
async def test_json_that_is_not_taken(running: Running, acme: Tenant, body: bytes, problem: str) -> None:
    """A name twice, a number beyond all bounds, a constant that JSON has not: refused, each by name."""
    headers = {"Content-Type": "application/json"}
    reply = await running.send("PATCH", acme.path, key=acme.key, data=body, headers=headers)
    assert (reply.status, reply.error["details"]) == (400, [{"field": "body", "problem": problem}])


async def test_registrations_are_counted_before_the_body(settings: Settings) -> None:
    """An address that has registered too often is refused before what it sends is read."""
    async with serving(settings.model_copy(update={"registrations_per_hour": 1})) as running:
        await running.register("Acme")
        reply = await running.send("POST", f"{API}/register", data=b"{", headers={"Content-Type": "application/json"})
        assert reply.status == 429
