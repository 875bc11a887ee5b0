"""The client against a real server, and against streams that break off."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tenantai.client import ChatFinished, ChatStarted, ChatText, Client, ClientError, transport
from tenantai.server import app as app_module
from tenantai.server import keys
from tests.pictures.making import jpeg
from tests.running import Running, Tenant

Serve = Callable[[web.Application], Awaitable[TestServer]]


async def test_a_tenant_from_registration_to_history(running: Running, tmp_path: Path) -> None:
    """Register, make an account, upload, follow the progress, search, chat, read the history, delete."""
    async with Client(running.url) as anyone:
        made = await anyone.tenants.register(email="new@example.com", organization_name="New")
    paper = tmp_path / "rent.txt"
    paper.write_text("Rent is due on the first day of the month.")
    async with Client(f"{running.url}/", made.api_key) as client:
        assert [tenant.id async for tenant in client.tenants.all()] == [made.tenant_id]
        account = await client.accounts.create(made.tenant_id, name="one")
        sent = await client.files.upload(made.tenant_id, account.id, path=paper)
        again = await client.files.upload(made.tenant_id, account.id, path=paper)
        assert (sent.is_new, again.is_new, again.file.id) == (True, False, sent.file.id)
        states = [state async for state in client.store.live_progress(made.tenant_id)]
        assert states[-1].status == "completed"
        assert (await client.store.progress(made.tenant_id)).percentage == 100
        assert [file.state async for file in client.files.all(made.tenant_id, account.id)] == ["ready"]
        assert (await client.store.get(made.tenant_id)).counts["active"] == 1
        assert [hit.file_id for hit in await client.store.search(made.tenant_id, "rent due", top_k=1)] == [sent.file.id]
        events = [event async for event in client.chat.stream(made.tenant_id, "When is rent due?")]
        assert isinstance(events[0], ChatStarted)
        assert "".join(event.text for event in events if isinstance(event, ChatText)) == "A scripted answer."
        assert events[-1] == ChatFinished("stop")
        conversation_id = events[0].conversation_id
        assert [c.id async for c in client.conversations.all(made.tenant_id)] == [conversation_id]
        assert [m.role async for m in client.conversations.messages(conversation_id)] == ["user", "assistant"]
        await client.conversations.delete(conversation_id)
        await client.files.delete(made.tenant_id, account.id, file_id=sent.file.id)
        assert [file async for file in client.store.files(made.tenant_id)] == []


async def test_how_much_of_a_file_is_sent(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """While a file is sent its bytes are told, in the caller's loop, up to the whole; an empty one needs no count."""
    told: list[tuple[int, int]] = []

    def sent(done: int, total: int) -> None:
        asyncio.get_running_loop()
        told.append((done, total))

    paper = tmp_path / "long.txt"
    paper.write_bytes(b"Rent is due.\n" * 50_000)
    async with Client(running.url, acme.key) as client:
        made = await client.files.upload(acme.id, acme.account.id, path=paper, sent=sent)
        assert made.file.bytes == 650_000
        assert told == sorted(told)
        assert len(told) > 1
        assert told[-1] == (650_000, 650_000)
        told.clear()
        paper.write_bytes(b"")
        assert (await client.files.upload(acme.id, acme.account.id, path=paper, sent=sent)).file.bytes == 0
        assert {total for _, total in told} <= {0}
        with pytest.raises(FileNotFoundError):
            await client.files.upload(acme.id, acme.account.id, path=tmp_path / "gone.txt", sent=sent)


async def test_refusal_is_the_servers_own_sentence(running: Running, acme: Tenant) -> None:
    """An error has the server's code, sentence and request id."""
    async with Client(running.url, acme.key) as client:
        with pytest.raises(ClientError) as refused:
            await client.store.cancel(acme.id)
    assert refused.value.code == "CONFLICT"
    assert refused.value.request_id


async def test_probes(running: Running, acme: Tenant) -> None:
    """A key is told whose it is; health and readiness are read, the latter of a server that is not ready too."""
    async with Client(running.url, acme.key) as client:
        told = await client.probes.whoami()
        assert (told.tenant_id, told.is_operator, told.account_id) == (acme.id, False, None)
        assert "chat:create" in told.scopes
        assert (await client.probes.health()).status == "healthy"
        assert (await client.probes.ready()).checks["database"].status == "up"
        running.app[keys.READINESS].is_draining = True
        assert (await client.probes.ready()).status == "not_ready"


async def test_pages_are_walked_to_the_end(running: Running, acme: Tenant) -> None:
    """A list longer than a page comes whole."""
    async with Client(running.url, acme.key) as client:
        for number in range(201):
            await client.accounts.create(acme.id, name=f"account {number}")
        assert len({account.id async for account in client.accounts.all(acme.id)}) == 202


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ('data: {"type":"text-delta","id":"1","delta":"half"}\n\n', "STREAM_INCOMPLETE"),
        ("data: nonsense\n\n", "NOT_OURS"),
        ('data: {"type":"finish"', "STREAM_INCOMPLETE"),
    ],
)
async def test_half_an_answer_is_never_a_whole_one(aiohttp_server: Serve, sent: str, code: str) -> None:
    """A stream that ends without `finish`, or holds what is no event, raises."""

    async def chat(_request: web.Request) -> web.Response:
        return web.Response(text=sent, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/api/v1/chat", chat)
    server = await aiohttp_server(app)
    async with Client(str(server.make_url("/")), "key") as client:
        with pytest.raises(ClientError) as broken:
            [event async for event in client.chat.stream("tenant", "question")]
    assert broken.value.code == code


async def test_sent_again_with_a_key(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """The same question or photos under the same key have the same answer, in either form, and are carried out once."""
    photo = tmp_path / "sofa.jpg"
    photo.write_bytes(jpeg())
    async with Client(running.url, acme.key) as client:
        streams = [[event async for event in client.chat.stream(acme.id, "What?", idempotency_key="one")] for _ in range(2)]
        assert streams[0] == streams[1]
        assert isinstance(streams[0][0], ChatStarted)
        answers = [await client.chat.answer(acme.id, "What?", idempotency_key="two") for _ in range(2)]
        assert answers[0] == answers[1]
        assert len(running.chat.history) == 2
        seen = [[told async for told in client.estimator.stream(acme.id, [photo], idempotency_key="three")] for _ in range(2)]
        assert seen[0] == seen[1]
        wholes = [await client.estimator.analyze(acme.id, [photo], idempotency_key="four") for _ in range(2)]
        assert wholes[0] == wholes[1]
        assert len([kept async for kept in client.estimator.all(acme.id)]) == 2
        with pytest.raises(ClientError, match="visible ASCII"):
            await client.chat.answer(acme.id, "What?", idempotency_key="two\r\nwords: x")


async def test_key_is_not_sent_on_by_a_redirect(aiohttp_server: Serve) -> None:
    """A redirect is refused with the address it names."""

    async def away(_request: web.Request) -> web.Response:
        raise web.HTTPFound("http://elsewhere.example/")

    app = web.Application()
    app.router.add_get("/api/v1/tenants", away)
    server = await aiohttp_server(app)
    async with Client(str(server.make_url("/")), "key") as client:
        with pytest.raises(ClientError, match="elsewhere") as redirected:
            [tenant async for tenant in client.tenants.all()]
    assert redirected.value.code == "REDIRECTED"


async def test_file_that_takes_long_to_be_made(aiohttp_server: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export is waited for longer than any other answer, for as long as the server may take to make its file."""
    monkeypatch.setattr("tenantai.client.transport.TIMEOUT", aiohttp.ClientTimeout(sock_read=0.05))

    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(body=b"rows")

    app = web.Application()
    for path in ("/audit", "/usage/history", "/estimator/estimates/one/export"):
        app.router.add_get(f"/api/v1{path}", slow)
    server = await aiohttp_server(app)
    async with Client(str(server.make_url("/")), "key") as client:
        for pieces in (client.audit.export("csv"), client.usage.export("csv"), client.estimator.export("one", "csv")):
            assert b"".join([piece async for piece in pieces]) == b"rows"
        with pytest.raises(ClientError) as late:
            await client.audit.page()
    assert late.value.code == "TIMEOUT"
    assert transport.EXPORT_TIMEOUT.sock_read is not None
    assert transport.EXPORT_TIMEOUT.sock_read > app_module.EXPORT_SECONDS_MAX


async def test_keys_as_they_are_pasted(running: Running, acme: Tenant) -> None:
    """Spaces around a key are left out; what can be no key is refused before anything is sent."""
    async with Client(running.url, f" {acme.key}\n") as client:
        assert (await client.probes.whoami()).tenant_id == acme.id
    for wrong in ("sk_live_\u00e9", "two keys", "a\nb"):
        with pytest.raises(ClientError) as refused:
            Client(running.url, wrong)
        assert refused.value.code == "BAD_KEY"
