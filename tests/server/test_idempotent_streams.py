"""`Idempotency-Key` on streams: sent again they are told again, event by event, and what they did is not done again."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenantai.errors import NotReady, ProviderFailed
from tenantai.providers.protocols import ChatEvent, ChatRequest
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services import idempotency
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import idempotent_answers
from tests.pictures.making import jpeg
from tests.running import Opened, Reply, Running, Tenant, events_of, kinds, serving, text_of, until, until_seen
from tests.server.test_chat import FAULTY, WHOLE
from tests.server.test_estimator import analyze, base64, form, seeing, things

KEY = {"Idempotency-Key": "order-1"}
COMPAT, JSON = {"x-tenantai-stream": "compat"}, {"Accept": "application/json"}
OWN = ("x-request-id", "x-usage-", "date", "content-length", "transfer-encoding", "idempotent-replayed")


@asynccontextmanager
async def telling(settings: Settings, *answers: list[Step]) -> AsyncIterator[tuple[Running, Tenant]]:
    """Run a server whose model plays these answers, with a tenant."""
    async with serving(settings, chat=ScriptedChat(answers)) as running:
        yield running, await running.register("Acme")


@asynccontextmanager
async def opened(running: Running, tenant: Tenant, message: str) -> AsyncIterator[Opened]:
    """Open a chat's stream under the key; leaving the block hangs up."""
    headers, body = {"x-api-key": tenant.key, **KEY}, {"tenantId": tenant.id, "message": message}
    async with running.session.post(f"{running.url}{API}/chat", json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield Opened(response)
        response.close()


async def left(running: Running, tenant: Tenant) -> str:
    """Ask, read a piece of the answer, hang up, and wait until the server knows; the conversation."""
    async with opened(running, tenant, "What?") as stream:
        conversation_id = (await stream.until("start"))["messageMetadata"]["conversationId"]
        await stream.until("text-delta")
    await until(lambda: any(status == 499 for _, status in running.app[keys.METRICS]._tallies))
    return str(conversation_id)


async def answered_again(running: Running, tenant: Tenant) -> Reply:
    """Ask again until the first request has its answer."""
    replies: list[Reply] = []

    async def is_answered() -> bool:
        replies.append(await running.ask(tenant, "What?", headers=KEY))
        return replies[-1].status != 409

    await until_seen(is_answered, seconds=10)
    return replies[-1]


def own_of(reply: Reply) -> dict[str, str]:
    """Return the headers that are not each answer's own."""
    return {name: value for name, value in reply.headers.items() if not name.lower().startswith(OWN)}


async def test_sent_again(running: Running, acme: Tenant) -> None:
    """The same stream, to the letter, under the same headers; one question, one turn of the model, tokens counted once."""
    await running.upload(acme, "The lift is red.", "lift.txt")
    first, used = await running.ask(acme, "Where is the lift?", headers=KEY), await tokens(running, acme)
    again = await running.ask(acme, "Where is the lift?", headers=KEY)
    assert (first.status, again.status) == (200, 200)
    assert kinds(events_of(first.text)) == WHOLE
    assert again.text == first.text
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert own_of(again) == own_of(first)
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert len(running.chat.history) == 1
    assert len(await running.messages(acme, first.headers["X-Conversation-Id"])) == 2
    assert await tokens(running, acme) == used > 0


async def tokens(running: Running, tenant: Tenant) -> int:
    return int((await running.send("GET", f"{API}/usage", key=tenant.key)).data["tokens"]["used"])


async def test_another_request(running: Running, acme: Tenant) -> None:
    """Another body, or the same one in another form, is another request; so is the same one of somebody else."""
    first = await running.ask(acme, "What?", headers=KEY)
    assert (await running.ask(acme, "Why?", headers=KEY)).status == 409
    assert (await running.ask(acme, "What?", headers={**KEY, **JSON})).status == 409
    assert (await running.ask(acme, "What?", headers={**KEY, **COMPAT})).status == 409
    assert (await running.ask(acme, "What?", headers={**KEY, "Accept": "text/event-stream"})).text == first.text
    beta, (secret, _) = await running.register("Beta"), await running.issue(acme)
    others = [await running.ask(beta, "What?", headers=KEY), await running.ask(acme, "What?", key=secret, headers=KEY)]
    found = {reply.headers["X-Conversation-Id"] for reply in (first, *others)}
    assert len(found) == len(running.chat.history) == 3


async def test_compatible_stream(running: Running, acme: Tenant) -> None:
    """A stream for older clients is told again as one."""
    first, again = [await running.ask(acme, "What?", headers={**KEY, **COMPAT}) for _ in range(2)]
    assert events_of(again.text)[-1] == {"type": "finish"}
    assert again.text == first.text


async def test_without_a_key(running: Running, acme: Tenant) -> None:
    """What has no key is answered each time, and nothing of it is kept; a key that is none is refused."""
    assert (await running.ask(acme, "What?")).text != (await running.ask(acme, "What?")).text
    assert await running.rows("SELECT * FROM idempotent_answers") == []
    assert (await running.ask(acme, "What?", headers={"Idempotency-Key": "two words"})).fields == {"Idempotency-Key"}


async def test_two_at_once(settings: Settings, gate: asyncio.Event) -> None:
    """While the first one streams, the same request is told to wait; then it has the same answer."""
    async with telling(settings, ["Half ", gate, "and half."]) as (running, acme):
        asking = asyncio.create_task(running.ask(acme, "What?", headers=KEY))
        await until(lambda: running.chat.streams_open)
        waiting = await running.ask(acme, "What?", headers=KEY)
        assert (waiting.status, "still being carried out" in waiting.error["message"]) == (409, True)
        gate.set()
        first = await asking
        assert (await running.ask(acme, "What?", headers=KEY)).text == first.text
        assert len(running.chat.history) == 1


async def test_what_is_refused_is_tried_anew(running: Running, acme: Tenant) -> None:
    """What ends before its stream begins leaves its key free."""
    missing = {"conversationId": "019a0000-0000-7000-8000-000000000000"}
    assert (await running.ask(acme, "What?", headers=KEY, **missing)).status == 404
    assert (await running.ask(acme, "What?", headers=KEY)).status == 200


async def test_fault_of_the_model(settings: Settings) -> None:
    """A stream that ended with an error event is an answer like another."""
    async with telling(settings, ["Half", ProviderFailed()], ["Whole."]) as (running, acme):
        first, again = [await running.ask(acme, "What?", headers=KEY) for _ in range(2)]
        assert kinds(events_of(again.text)) == FAULTY
        assert again.text == first.text
        assert len(running.chat.history) == 1


async def test_client_leaves(settings: Settings, gate: asyncio.Event) -> None:
    """The answer goes on to its end without its client, holds its place as long, and is told to the client that comes back."""
    async with telling(settings, ["Half ", gate, "and half."]) as (running, acme):
        conversation_id = await left(running, acme)
        assert running.app[keys.STREAM_SLOTS].used(acme.id) == 1
        assert (await running.ask(acme, "What?", headers=KEY)).status == 409
        gate.set()
        again = await answered_again(running, acme)
        assert text_of(events_of(again.text)) == "Half and half."
        assert again.headers["X-Conversation-Id"] == conversation_id
        _, kept = await running.messages(acme, conversation_id)
        assert (kept["content"], kept["status"]) == ("Half and half.", "complete")
        assert running.app[keys.STREAM_SLOTS].used(acme.id) == 0
        assert (len(running.chat.history), running.chat.streams_closed_early) == (1, 0)


async def test_client_leaves_before_its_stream_begins(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose client leaves as soon as its key is claimed is answered, and told to the client that comes back."""
    turns, gate, begun = running.app[keys.CHAT_TURNS], asyncio.Event(), asyncio.Event()
    prepare = turns.prepare

    async def slow(*given: Any, **more: Any) -> Any:
        begun.set()
        await gate.wait()
        return await prepare(*given, **more)

    monkeypatch.setattr(turns, "prepare", slow)
    asking = asyncio.create_task(running.ask(acme, "What?", headers=KEY))
    await begun.wait()
    asking.cancel()
    await until(lambda: any(status == 499 for _, status in running.app[keys.METRICS]._tallies))
    gate.set()
    again = await answered_again(running, acme)
    assert kinds(events_of(again.text)) == WHOLE
    assert len(running.chat.history) == 1


async def test_time_limit_without_a_client(settings: Settings, gate: asyncio.Event) -> None:
    """An answer without its client is bounded as any: the client that comes back reads how it ended."""
    short = settings.model_copy(update={"plans": Plans(pro=Plan(stream_seconds=0.5))})
    async with telling(short, ["Half ", gate]) as (running, acme):
        await left(running, acme)
        assert kinds(events_of((await answered_again(running, acme)).text)) == FAULTY


class Unhurried(ScriptedChat):
    """A model between whose pieces others have their turn."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the next answer."""
        async for event in super().stream(request):
            await asyncio.sleep(0)
            yield event


@asynccontextmanager
async def unread(running: Running, tenant: Tenant, body: str) -> AsyncIterator[None]:
    """Ask under the key, and read nothing of what is answered."""
    head = f"POST {API}/chat HTTP/1.1\r\nHost: x\r\nx-api-key: {tenant.key}\r\nIdempotency-Key: order-1\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rsplit(":", 1)[1]), limit=1024)
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    yield
    writer.close()


async def test_client_that_does_not_read(settings: Settings) -> None:
    """A client that reads nothing holds up no answer that is kept for it."""
    flood: list[Step] = ["x" * 100_000] * 70
    async with telling(settings, flood) as (running, acme):
        body = f'{{"tenantId":"{acme.id}","message":"What?"}}'
        async with unread(running, acme, body):
            await until(lambda: running.chat.history and not running.app[keys.IDEMPOTENCY].is_busy)
            again = await running.send("POST", f"{API}/chat", key=acme.key, data=body.encode(), headers=KEY)
        assert len(text_of(events_of(again.text))) == 7_000_000


async def test_time_limit_of_a_client_that_does_not_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is too long to be kept waits for its client no longer than a stream may last, and is in the history then."""
    monkeypatch.setattr(idempotency, "ANSWER_BYTES_MAX", 200_000)
    short = settings.model_copy(update={"plans": Plans(pro=Plan(stream_seconds=0.5))})
    async with serving(short, chat=Unhurried([["x" * 4000] * 5000])) as running:
        acme = await running.register("Acme")
        async with unread(running, acme, f'{{"tenantId":"{acme.id}","message":"What?"}}'):
            await until(lambda: running.chat.history and not running.app[keys.IDEMPOTENCY].is_busy)
        assert await running.rows("SELECT status FROM messages WHERE role = 'assistant'") == [("failed",)]


async def test_deletion_stops_what_nobody_reads(settings: Settings, gate: asyncio.Event) -> None:
    """To delete the conversation stops an answer whose client has left, and frees its key; one that is read goes on."""
    async with telling(settings, ["Half ", gate, "and half."]) as (running, acme):
        conversation_id = await left(running, acme)
        deleted = await running.send("DELETE", f"{API}/chat/history/{conversation_id}", key=acme.key)
        assert (deleted.status, running.chat.streams_open, running.chat.streams_closed_early) == (200, 0, 1)
        async with opened(running, acme, "What?") as stream:
            conversation_id = (await stream.until("start"))["messageMetadata"]["conversationId"]
            await stream.until("text-delta")
            await running.send("DELETE", f"{API}/chat/history/{conversation_id}", key=acme.key)
            gate.set()
            await stream.until("finish")


async def test_key_is_revoked_while_nobody_reads(settings: Settings, gate: asyncio.Event) -> None:
    """An answer without its client ends with its API key."""
    async with telling(settings, ["Half ", gate]) as (running, acme):
        secret, key_id = await running.issue(acme)
        other = Tenant(acme.id, secret, acme.account)
        await left(running, other)
        await running.revoke(acme, key_id)
        await until(lambda: not running.chat.streams_open)
        await until(lambda: not running.app[keys.IDEMPOTENCY].is_busy)


async def test_too_long_to_be_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer over the limit the key stays used, and the refusal says where the answer can be read."""
    monkeypatch.setattr(idempotency, "ANSWER_BYTES_MAX", 20_000)
    async with telling(settings, ["x" * 30_000, "y" * 30_000]) as (running, acme):
        first, again = [await running.ask(acme, "What?", headers=KEY) for _ in range(2)]
        assert len(text_of(events_of(first.text))) == 60_000
        assert again.status == 409
        assert again.error["message"].endswith(f"Read it with GET {API}/chat/history/{first.headers['X-Conversation-Id']}.")
        assert (await running.ask(acme, "Why?", headers=KEY)).error["message"] == idempotency.OTHER_REQUEST
        assert len(running.chat.history) == 1


async def test_kept_bytes(settings: Settings) -> None:
    """What is kept is sealed, and zipped before: a stream repeats itself."""
    async with telling(settings, ["The secret lift. ", *["Much more of it. "] * 2_000]) as (running, acme):
        first, again = [await running.ask(acme, "What?", headers=KEY) for _ in range(2)]
        assert again.text == first.text
        ((sealed,),) = await running.rows("SELECT sealed FROM idempotent_answers")
        assert b"lift" not in sealed
        assert len(sealed) * 10 < len(first.text)


async def test_answer_that_cannot_be_kept(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream is whole though it can't be kept, as on a full disk; sent again it is not done again."""

    async def fail(*_: object, **__: object) -> None:
        raise NotReady("The disk is full.")

    monkeypatch.setattr(idempotent_answers, "keep", fail)
    assert kinds(events_of((await running.ask(acme, "What?", headers=KEY)).text)) == WHOLE
    assert (await running.ask(acme, "What?", headers=KEY)).status == 409
    assert len(running.chat.history) == 1


async def test_a_day_later(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a day the key is free."""
    first = await running.ask(acme, "What?", headers=KEY)
    monkeypatch.setattr(idempotency, "KEPT_HOURS", -1)
    assert (await running.ask(acme, "What?", headers=KEY)).text != first.text


async def test_after_a_restart(settings: Settings, gate: asyncio.Event) -> None:
    """What was kept outlives the process; what a shutdown cut off, whether or not it was read, is asked anew."""
    async with telling(settings, ["Whole."], ["Half ", gate]) as (running, acme):
        first = await running.ask(acme, "What?", headers=KEY)
        reading = asyncio.create_task(running.ask(acme, "Why?", headers={"Idempotency-Key": "read"}))
        async with running.session.post(
            f"{running.url}{API}/chat",
            json={"tenantId": acme.id, "message": "Why?"},
            headers={"x-api-key": acme.key, "Idempotency-Key": "left"},
        ) as response:
            await Opened(response).until("text-delta")
            response.close()
        await until(lambda: any(status == 499 for _, status in running.app[keys.METRICS]._tallies))
        await until(lambda: running.chat.streams_open == 2)
        before = time.monotonic()
        await running.runner.cleanup()
        assert time.monotonic() - before < settings.shutdown_timeout_seconds
        assert "shutting down" in (await reading).text
        assert running.chat.streams_open == 0
    async with serving(settings) as running:
        assert [row[0] for row in await running.rows("SELECT status FROM idempotent_answers")] == [200]
        assert (await running.ask(acme, "What?", headers=KEY)).text == first.text
        statuses = await running.rows("SELECT status FROM messages WHERE role = 'assistant' ORDER BY id")
        assert sorted(row[0] for row in statuses) == ["complete", "failed", "failed"]
        for name in ("read", "left"):
            reply = await running.ask(acme, "Why?", headers={"Idempotency-Key": name})
            assert text_of(events_of(reply.text)) == "A scripted answer."


class Lingering(ScriptedChat):
    """A model that takes a moment to stop."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer; once it is ended, let the server go on shutting down for a while."""
        try:
            async for event in super().stream(request):
                yield event
        finally:
            await asyncio.sleep(0.5)


async def test_shutdown_waits_for_what_nobody_reads(settings: Settings, gate: asyncio.Event) -> None:
    """An answer whose client has left ends before the database is closed, with its own status, not as one that was killed."""
    async with serving(settings, chat=Lingering([["Half ", gate]])) as running:
        acme = await running.register("Acme")
        await left(running, acme)
        await running.runner.cleanup()
    async with serving(settings) as running:
        rows = await running.rows("SELECT status FROM messages WHERE role = 'assistant'")
        assert [row[0] for row in rows] == ["failed"]


@pytest.mark.parametrize("as_form", [False, True])
async def test_analysis(settings: Settings, as_form: bool) -> None:
    """An analysis is told again, and no picture is looked at twice; other pictures or another unit are another request."""
    vision, chat = seeing([things("sofa 3 seat", "floor lamp")])
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")

        async def send(content: bytes, **more: str) -> Reply:
            if not as_form:
                return await analyze(running, acme, base64(content), headers=KEY, **more)
            fields = form(acme, content, **more)
            return await running.send("POST", f"{API}/estimator/analyze", key=acme.key, data=fields, headers=KEY)

        first, again = [await send(jpeg()) for _ in range(2)]
        assert (first.status, again.text, again.headers["Idempotent-Replayed"]) == (200, first.text, "true")
        assert own_of(again) == own_of(first)
        assert again.headers["X-Estimate-Id"] == events_of(first.text)[0]["messageMetadata"]["estimateId"]
        assert (await send(jpeg(320, 200))).status == 409
        assert (await send(jpeg(), unit="imperial")).status == 409
        assert len(chat.history) == 1
        assert len(await running.rows("SELECT id FROM estimates")) == 1


async def test_deletion_of_an_estimate_that_nobody_reads(settings: Settings, gate: asyncio.Event) -> None:
    """An analysis whose client has left goes on; to delete its estimate stops it."""
    vision, chat = seeing([things("sofa 3 seat", "floor lamp")[:-40], gate])
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")
        headers, body = {"x-api-key": acme.key, **KEY}, {"tenantId": acme.id, "images": [base64(jpeg())]}
        response = await running.session.post(f"{running.url}{API}/estimator/analyze", json=body, headers=headers)
        await Opened(response).until("data-item")
        response.close()
        await until(lambda: any(status == 499 for _, status in running.app[keys.METRICS]._tallies))
        assert chat.streams_open == 1
        path = f"{API}/estimator/estimates/{response.headers['X-Estimate-Id']}"
        assert (await running.send("DELETE", path, key=acme.key)).status == 200
        assert (chat.streams_open, chat.streams_closed_early) == (0, 1)
        assert await running.rows("SELECT id FROM estimates") == []
