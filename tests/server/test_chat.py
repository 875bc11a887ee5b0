"""Chat: the stream's sequences to the letter, what history keeps of each ending, and citations that are really there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenantai.errors import NotReady, ProviderFailed, TenantaiError
from tenantai.providers.protocols import Finished, Usage
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services.chat_turn import SHUTTING_DOWN, TOO_LONG
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage.audit import SYSTEM
from tenantai.storage.database import compiled
from tenantai.wire.chat import ChatMessage
from tests.running import Account, Event, Reply, Running, Tenant, events_of, kinds, serving, text_of, until

WHOLE = ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "message-metadata", "finish"]
CITED = [*WHOLE[:5], "data-citations", "source-document", *WHOLE[5:]]
FAULTY = ["start", "start-step", "text-start", "text-delta", "text-end", "error", "finish-step", "finish"]
DOCUMENT = "The deposit is 200 euros. It is paid back within 14 days. Keys are left at the gate."


@asynccontextmanager
async def telling(settings: Settings, *answers: list[Step]) -> AsyncIterator[tuple[Running, Tenant]]:
    """Run a server whose model plays these answers, with a tenant."""
    async with serving(settings, chat=ScriptedChat(answers)) as running:
        yield running, await running.register("Acme")


def conversation_of(events: list[Event]) -> str:
    return str(events[0]["messageMetadata"]["conversationId"])


async def test_answer(running: Running, acme: Tenant) -> None:
    """An answer without sources: every event in its place, no citations, and both messages in the history when it ends."""
    reply = await running.ask(acme, "What is new?", headers={"X-Request-Id": "ask-1"})
    events = events_of(reply.text)
    assert kinds(events) == WHOLE
    assert text_of(events) == "A scripted answer."
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert reply.headers["Cache-Control"] == "no-cache, no-transform"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in reply.headers
    assert reply.headers["X-Conversation-Id"] == conversation_of(events)
    assert events[0]["messageMetadata"]["requestId"] == "ask-1"
    assert {event["id"] for event in events if event["type"].startswith("text-")} == {events[0]["messageId"]}
    assert events[-1] == {"type": "finish", "finishReason": "stop"}
    question, answer = await running.messages(acme, conversation_of(events))
    assert (question["role"], question["content"], question["status"]) == ("user", "What is new?", "complete")
    assert (answer["id"], answer["content"], answer["status"]) == (events[0]["messageId"], "A scripted answer.", "complete")
    assert answer["model"] == "scripted"
    assert running.chat.history[0].sources == ()
    assert "no sources" in running.chat.history[0].instructions


async def test_cited_answer(settings: Settings) -> None:
    """A cited answer: marks become numbers, the citations follow the text with quote, place and score, then each file once."""
    said: list[Step] = ["It is [[1|the deposit is 200 euros]] and ", "[[1|It is paid back within 14 days]].", Usage(7, 5)]
    async with telling(settings, said) as (running, acme):
        file_id = await running.upload(acme, DOCUMENT, "terms.txt")
        events = await running.answer(acme, "How much is the deposit?")
        assert kinds(events) == CITED
        assert text_of(events) == "It is [1] and [2]."
        cited = next(event for event in events if event["type"] == "data-citations")
        assert cited["data"] == cited["citations"]
        assert [c["quote"] for c in cited["data"]] == ["The deposit is 200 euros", "It is paid back within 14 days"]
        for citation in cited["data"]:
            assert DOCUMENT[citation["start"] : citation["end"]] == citation["quote"]
            assert (citation["fileId"], citation["fileName"]) == (file_id, "terms.txt")
            assert citation["accountId"] == acme.account.id
            assert 0 <= citation["score"] <= 1
            assert "page" not in citation
        document = next(event for event in events if event["type"] == "source-document")
        named = {"title": "terms.txt", "filename": "terms.txt"}
        assert document == {"type": "source-document", "sourceId": file_id, "mediaType": "text/plain", **named}
        usage = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12, "estimated": False}
        assert events[-2]["messageMetadata"] == {"model": "scripted", "usage": usage}
        kept = (await running.messages(acme, conversation_of(events)))[1]
        assert kept["citations"] == cited["data"]
        assert (kept["input_tokens"], kept["output_tokens"]) == (7, 5)


@pytest.mark.parametrize(
    ("said", "shown", "quotes"),
    [
        (["A. [[1|the deposit is 900 euros]]"], "A. ", []),
        (["A. [[9|the deposit is 200 euros]]"], "A. ", []),
        (["A. [[0|the deposit is 200 euros]]"], "A. ", []),
        (["A. [", "[1|the dep", "osit is 200 eur", "os]", "] B."], "A. [1] B.", ["The deposit is 200 euros"]),
        (["The deposit is 200 euros. [[1]]"], "The deposit is 200 euros. [1]", ["The deposit is 200 euros."]),
        (["Bananas are yellow. [[1]]"], "Bananas are yellow. ", []),
        (["A [[1|Keys are left]] B [[1|Keys are left]]"], "A [1] B [1]", ["Keys are left"]),
        (["A [[1|never closed"], "A ", []),
        (["x = [[1, 2], [3, 4]]"], "x = [[1, 2], [3, 4]]", []),
        (["a[0] and [", "b]"], "a[0] and [b]", []),
        (["[[1|“the  DEPOSIT\nis 200 euros”]]"], "[1]", ["The deposit is 200 euros"]),
    ],
)
async def test_marks(settings: Settings, said: list[Step], shown: str, quotes: list[str]) -> None:
    """A mark whose words are not in its source goes with its number; one that is true becomes a number, wherever it is cut."""
    async with telling(settings, said) as (running, acme):
        await running.upload(acme, DOCUMENT)
        events = await running.answer(acme, "How much is the deposit?")
        assert text_of(events) == shown
        assert [c["quote"] for e in events if e["type"] == "data-citations" for c in e["data"]] == quotes
        assert kinds(events).count("data-citations") == bool(quotes)


async def test_quote_across_chunks(settings: Settings) -> None:
    """A quote that spans two neighbouring chunks is cited with the file's own text."""
    sentences = [f"The amber lamp number {number} hangs beside the {number}th door of the long hall." for number in range(60)]
    text = " ".join(sentences)
    async with telling(settings, ["unused"]) as (running, acme):
        file_id = await running.upload(acme, text)
        edges = await running.rows('SELECT start, "end" FROM chunks WHERE file_id = :f ORDER BY ordinal', f=file_id)
        assert len(edges) > 1
        edge = int(edges[0][1])
        quote = " ".join(text[:edge].split()[-4:] + text[edge:].split()[:4])
        running.chat._answers.clear()
        running.chat._answers.append((f"So: [[1|{quote}]]",))
        events = await running.answer(acme, text[edge - 70 : edge + 70])
        sources = running.chat.history[-1].sources
        assert quote in " ".join(sources[0].text.split())
        cited = next(event for event in events if event["type"] == "data-citations")["data"]
        assert text[cited[0]["start"] : cited[0]["end"]] == cited[0]["quote"]
        assert " ".join(cited[0]["quote"].split()) == quote
        assert text_of(events) == "So: [1]"


async def test_file_deleted_meanwhile(settings: Settings, gate: asyncio.Event) -> None:
    """A file that is deleted while the answer is said is not cited."""
    async with telling(settings, ["Said. ", gate, "[[1|The deposit is 200 euros]]"]) as (running, acme):
        file_id = await running.upload(acme, DOCUMENT)
        async with running.opened(acme, "deposit?") as stream:
            await stream.until("text-delta")
            await running.act(acme, "delete", file_id)
            gate.set()
            seen = [(await stream.event())["type"]]
            while seen[-1] != "finish":
                seen.append((await stream.event())["type"])
        assert "data-citations" not in seen


@pytest.mark.parametrize("fault", [ProviderFailed("The model is out. Try again."), RuntimeError("secret path /etc/passwd")])
async def test_fault_in_mid_stream(settings: Settings, fault: Exception) -> None:
    """A fault after the first words closes the text, then says so in our sentence; what was said is kept as failed."""
    async with telling(settings, ["Half an ", fault]) as (running, acme):
        events = await running.answer(acme, "What?")
        assert kinds(events) == FAULTY
        assert events[-3]["errorText"] == (str(fault) if isinstance(fault, ProviderFailed) else TenantaiError.sentence)
        assert events[-1]["finishReason"] == "error"
        kept = (await running.messages(acme, conversation_of(events)))[1]
        assert (kept["content"], kept["status"]) == ("Half an ", "failed")
        assert running.app[keys.STREAM_SLOTS].used(acme.id) == 0


@pytest.mark.parametrize("fault", [NotReady("The disk is full."), RuntimeError("secret path /etc/passwd")])
async def test_answer_that_cannot_be_kept(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """An answer that can't be kept ends with an error event, or asked for whole with a status; it never seems whole."""

    async def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr("tenantai.storage.conversations.finish_message", fail)
    events = await running.answer(acme, "What?")
    assert kinds(events) == FAULTY
    assert events[-3]["errorText"] == (str(fault) if isinstance(fault, NotReady) else TenantaiError.sentence)
    assert events[-1]["finishReason"] == "error"
    whole = await running.ask(acme, "What?", headers={"Accept": "application/json"})
    assert whole.status == (503 if isinstance(fault, NotReady) else 500)


async def test_citations_that_cannot_be_checked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no quote can be checked any more, the answer fails and cites nothing."""

    async def fail(*_: object, **__: object) -> None:
        raise NotReady("The disk fails.")

    async with telling(settings, ["It is [[1|the deposit is 200 euros]]."]) as (running, acme):
        await running.upload(acme, DOCUMENT)
        monkeypatch.setattr("tenantai.storage.files.quoted", fail)
        events = await running.answer(acme, "What is the deposit?")
        assert kinds(events) == FAULTY
        kept = (await running.messages(acme, conversation_of(events)))[1]
        assert (kept["status"], kept["citations"]) == ("failed", [])


async def test_fault_before_the_first_word(settings: Settings) -> None:
    """A fault at once is an error event as well, for the headers are out already."""
    async with telling(settings, [ProviderFailed()]) as (running, acme):
        events = await running.answer(acme, "What?")
        assert kinds(events) == [kind for kind in FAULTY if not kind.startswith("text-")]
        whole = await running.ask(acme, "What?", headers={"Accept": "application/json"})
        assert (whole.status, whole.error["code"]) == (502, "PROVIDER_ERROR")


async def test_finish_reasons(settings: Settings) -> None:
    """A model that was cut off or stopped by its filter ends the stream with its reason."""
    async with telling(settings, ["Cut", Finished("length")], ["No", Finished("content-filter")]) as (running, acme):
        for reason in ("length", "content-filter"):
            assert (await running.answer(acme, "What?"))[-1]["finishReason"] == reason


async def test_time_limit(settings: Settings, gate: asyncio.Event) -> None:
    """A stream that outlives its limit ends with an error event; the model's work is stopped and the place given back."""
    short = settings.model_copy(update={"plans": Plans(pro=Plan(stream_seconds=0.05))})
    async with telling(short, ["Half ", gate, "never"]) as (running, acme):
        events = await running.answer(acme, "What?")
        assert kinds(events) == FAULTY
        assert events[-3]["errorText"] == TOO_LONG
        assert (running.chat.streams_open, running.chat.streams_closed_early) == (0, 1)
        kept = (await running.messages(acme, conversation_of(events)))[1]
        assert (kept["content"], kept["status"]) == ("Half ", "failed")


async def test_client_leaves(settings: Settings, gate: asyncio.Event) -> None:
    """A client that leaves stops the model, gives its place back, and finds what was said, marked as interrupted."""
    async with telling(settings, ["Half an answer", gate, "never"]) as (running, acme):
        async with running.opened(acme, "What?") as stream:
            conversation_id = (await stream.until("start"))["messageMetadata"]["conversationId"]
            await stream.until("text-delta")
            assert running.app[keys.STREAM_SLOTS].used(acme.id) == 1
        await until(lambda: not running.app[keys.STREAM_SLOTS].used(acme.id))
        assert (running.chat.streams_open, running.chat.streams_closed_early) == (0, 1)
        kept = (await running.messages(acme, conversation_id))[1]
        assert (kept["content"], kept["status"]) == ("Half an answer", "interrupted")
        assert kept["output_tokens"] == len("Half an answer") * 10 // 32


async def test_client_leaves_behind_the_answer(running: Running, acme: Tenant) -> None:
    """An answer that is whole and kept is no interrupted one, though its client leaves before it reads so."""

    async def send(event: Mapping[str, Any]) -> None:
        if event["type"] == "finish-step":
            raise ConnectionResetError

    turns, body = running.app[keys.CHAT_TURNS], ChatMessage.model_validate({"tenantId": acme.id, "message": "What?"})
    turn = await turns.prepare(body, account_id=None, request_id="r", stream_seconds=9.0, actor=SYSTEM)
    with pytest.raises(ConnectionResetError):
        await turns.run(turn, send)
    (_, answer) = await running.messages(acme, turn.conversation_id)
    assert (answer["content"], answer["status"]) == ("A scripted answer.", "complete")


async def test_client_that_does_not_read(settings: Settings) -> None:
    """A client that stays but reads nothing holds its place no longer than the limit and a moment."""
    short = settings.model_copy(update={"plans": Plans(pro=Plan(stream_seconds=0.3))})
    flood: list[Step] = ["x" * 100_000] * 400
    async with telling(short, flood) as (running, acme):
        body = f'{{"tenantId":"{acme.id}","message":"What?"}}'
        head = f"POST {API}/chat HTTP/1.1\r\nHost: x\r\nx-api-key: {acme.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rsplit(":", 1)[1]), limit=1024)
        writer.write((head + body).encode())
        await until(lambda: running.app[keys.STREAM_SLOTS].used(acme.id))
        await until(lambda: not running.app[keys.STREAM_SLOTS].used(acme.id))
        writer.close()
        del reader


async def test_shutdown(settings: Settings, gate: asyncio.Event) -> None:
    """A shutdown ends an open stream with an error event of its own, and readiness is red meanwhile."""
    async with telling(settings, ["Half ", gate, "never"]) as (running, acme):
        reply: asyncio.Task[Reply] = asyncio.create_task(running.ask(acme, "What?"))
        await until(lambda: running.chat.streams_open)
        await running.runner.cleanup()
        events = events_of((await reply).text)
        assert kinds(events)[-4:] == FAULTY[-4:]
        assert events[-3]["errorText"] == SHUTTING_DOWN
        assert running.app[keys.READINESS].is_draining
        assert running.chat.closed


async def test_one_stream_too_many(settings: Settings, gate: asyncio.Event) -> None:
    """Ten streams at once are a plan's; the eleventh is a 429 with a time to come back, other tenants are not touched."""
    async with telling(settings, [gate, "done"]) as (running, acme):
        globex = await running.register("Globex")
        asked = [asyncio.create_task(running.ask(acme, "What?")) for _ in range(10)]
        await until(lambda: running.app[keys.STREAM_SLOTS].used(acme.id) == 10)
        refused = await running.ask(acme, "What?")
        assert (refused.status, refused.error["code"]) == (429, "TOO_MANY_STREAMS")
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.error["details"]["limit"] == refused.error["details"]["used"] == 10
        other = asyncio.create_task(running.ask(globex, "What?"))
        await until(lambda: running.chat.streams_open == 11)
        gate.set()
        assert {(await reply).status for reply in (*asked, other)} == {200}
        assert (await running.ask(acme, "What?")).status == 200


async def test_place_is_free_once_the_stream_has_ended(settings: Settings) -> None:
    """A client that has read a stream to its mark can open the next one at once, also where its plan has one place."""
    one = settings.model_copy(update={"plans": Plans(pro=Plan(streams=1))})
    async with telling(one, ["An answer."]) as (running, acme):
        for _ in range(20):
            async with running.opened(acme, "What?") as stream:
                assert stream.response.status == 200
                while await stream.response.content.readline() != b"data: [DONE]\n":
                    pass


async def test_heartbeats(settings: Settings, gate: asyncio.Event, heartbeat: Callable[[float], None]) -> None:
    """Silence is broken by comments, which no client reads as an event."""
    heartbeat(0.02)
    async with telling(settings, ["Half ", gate, "done"]) as (running, acme), running.opened(acme, "What?") as stream:
        await stream.until("text-delta")
        beats = 0
        while beats < 3:
            beats += await stream.response.content.readline() == b": keep-alive\n"
        gate.set()
        assert (await stream.until("finish"))["finishReason"] == "stop"


async def test_older_clients(settings: Settings) -> None:
    """With `x-tenantai-stream: compat` no event has a key that older clients refuse."""
    async with telling(settings, ["[[1|The deposit is 200 euros]]"]) as (running, acme):
        await running.upload(acme, DOCUMENT)
        events = await running.answer(acme, "deposit?", headers={"x-tenantai-stream": "compat"})
        assert kinds(events) == CITED
        assert set(next(e for e in events if e["type"] == "data-citations")) == {"type", "id", "data"}
        assert events[-1] == {"type": "finish"}


async def test_whole_answer(settings: Settings) -> None:
    """`Accept: application/json` gets the answer at once, with its citations, in the envelope."""
    async with telling(settings, ["It is [[1|The deposit is 200 euros]].", Usage(3, 4)]) as (running, acme):
        await running.upload(acme, DOCUMENT)
        reply = await running.ask(acme, "deposit?", headers={"Accept": "application/json"})
        assert reply.data["text"] == "It is [1]."
        assert [citation["quote"] for citation in reply.data["citations"]] == ["The deposit is 200 euros"]
        assert (reply.data["finishReason"], reply.data["usage"]["totalTokens"]) == ("stop", 7)
        assert reply.headers["X-Conversation-Id"] == reply.data["conversationId"]
        assert (await running.messages(acme, reply.data["conversationId"]))[1]["content"] == "It is [1]."


async def test_conversation_goes_on(running: Running, acme: Tenant) -> None:
    """A conversation that is named goes on: the model is told what was said, and history counts four messages."""
    conversation_id = conversation_of(await running.answer(acme, "My name is Ann."))
    await running.answer(acme, "What is my name?", conversationId=conversation_id, prompt="Be brief.")
    turns = running.chat.history[-1].turns
    assert [turn.text for turn in turns] == ["My name is Ann.", "A scripted answer.", "What is my name?"]
    assert "Be brief." in running.chat.history[-1].instructions
    listed = (await running.send("GET", f"{API}/chat/history", key=acme.key)).data["conversations"]
    assert [(c["title"], c["message_count"]) for c in listed] == [("My name is Ann.", 4)]


async def test_nothing_to_resume(running: Running, acme: Tenant, globex: Tenant) -> None:
    """Who would resume a stream is told that there is none, also of a chat that was not begun; another's chat is refused."""
    conversation_id = conversation_of(await running.answer(acme, "My name is Ann."))
    for known in (conversation_id, "01a00000-0000-7000-8000-000000000000"):
        reply = await running.send("GET", f"{API}/chat/{known}/stream", key=acme.key)
        assert (reply.status, reply.text) == (204, "")
    assert (await running.send("GET", f"{API}/chat/{conversation_id}/stream", key=globex.key)).status == 403
    bound, _ = await running.issue(acme, account=acme.account)
    assert (await running.send("GET", f"{API}/chat/{conversation_id}/stream", key=bound)).status == 403


async def test_history_pages_and_search(running: Running, acme: Tenant) -> None:
    """History comes latest first in pages that hold each chat once, and can be searched; wildcards are letters."""
    for number in range(5):
        await running.answer(acme, f"Question {number} of 100%")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        reply = await running.send("GET", f"{API}/chat/history", key=acme.key, params={"limit": "2", "cursor": cursor})
        seen += [c["title"] for c in reply.data["conversations"]]
        cursor = reply.data["nextCursor"]
    assert seen == [f"Question {number} of 100%" for number in (4, 3, 2, 1, 0)]
    for text, count in (("question 3", 1), ("100%", 5), ("1_0", 0), ("scripted", 5), ("nowhere", 0)):
        reply = await running.send("GET", f"{API}/chat/history", key=acme.key, params={"q": text})
        assert len(reply.data["conversations"]) == count, text


async def test_search_holds_up_nobody(running: Running, acme: Tenant) -> None:
    """However many look through long histories, what others read is read meanwhile."""
    database = running.app[keys.DATABASE]
    slow = compiled("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n")
    searches = [asyncio.create_task(database.searching.all(slow)) for _ in range(2)]
    sought = asyncio.create_task(running.send("GET", f"{API}/chat/history", key=acme.key, params={"q": "lamp"}))
    for path in (f"{API}/chat/history", acme.path, acme.files, f"{acme.path}/store"):
        assert (await running.send("GET", path, key=acme.key)).status == 200
    assert not searches[1].done()
    assert not sought.done()
    await asyncio.gather(*searches)
    assert (await sought).data["conversations"] == []


async def test_deleted_conversation(running: Running, acme: Tenant) -> None:
    """A deleted conversation is gone for reading, listing and going on."""
    conversation_id = conversation_of(await running.answer(acme, "One?"))
    assert (await running.send("DELETE", f"{API}/chat/history/{conversation_id}", key=acme.key)).status == 200
    for method in ("GET", "DELETE"):
        assert (await running.send(method, f"{API}/chat/history/{conversation_id}", key=acme.key)).status == 404
    assert (await running.ask(acme, "More?", conversationId=conversation_id)).status == 404
    assert await running.rows("SELECT id FROM messages") == []


async def test_named_files_only(running: Running, acme: Tenant) -> None:
    """With `files` the sources are of those files only."""
    await running.upload(acme, "The lamp is green.", "green.txt")
    red = await running.upload(acme, "The lamp is red.", "red.txt")
    await running.answer(acme, "Which colour has the lamp?", files=[red])
    assert [source.file_name for source in running.chat.history[-1].sources] == ["red.txt"]


async def test_same_conversation_at_once(running: Running, acme: Tenant, second: Account) -> None:
    """Two questions to one conversation at once are both kept."""
    conversation_id = conversation_of(await running.answer(acme, "One?"))
    await asyncio.gather(*(running.answer(acme, f"{n}?", conversationId=conversation_id) for n in range(4)))
    kept = await running.messages(acme, conversation_id)
    assert len(kept) == 10
    assert {message["status"] for message in kept} == {"complete"}


def test_plans_of_streams() -> None:
    """The pro plan has ten streams of sixty seconds."""
    assert (Plan().streams, Plan().stream_seconds) == (10, 60)


async def test_half_a_character(settings: Settings) -> None:
    """Half a character in a model's answer is replaced in the history, and nothing else is lost."""
    async with serving(settings, chat=ScriptedChat([["Fine \ud800 so far."]])) as running:
        acme = await running.register("Acme")
        events = await running.answer(acme, "How is it?")
        assert events[-1] == {"type": "finish", "finishReason": "stop"}
        _, answer = await running.messages(acme, events[0]["messageMetadata"]["conversationId"])
        assert (answer["content"], answer["status"]) == ("Fine ? so far.", "complete")


async def test_file_deleted_during_the_answer(settings: Settings) -> None:
    """A file that is deleted while it is cited: its citation is left out, and the others keep the numbers of their marks."""
    gate = asyncio.Event()
    answer: list[Step] = ["A [[1|Violets are blue]]. B [[2|Roses are red]].", gate, " C [[2|They smell]]."]
    async with telling(settings, answer) as (running, acme):
        texts = {"violets.txt": "Violets are blue flowers of spring.", "roses.txt": "Roses are red flowers. They smell."}
        ids = {name: await running.upload(acme, text, name) for name, text in texts.items()}
        asked = asyncio.create_task(running.answer(acme, "Violets are blue flowers of spring?"))
        model = running.app[keys.CHAT_MODEL]
        assert isinstance(model, ScriptedChat)
        await until(lambda: model.streams_open == 1)
        path = f"{API}/tenants/{acme.id}/accounts/{acme.account.id}/files/{ids['violets.txt']}"
        assert (await running.send("DELETE", path, key=acme.key)).status == 200
        gate.set()
        events = await asked
        assert text_of(events) == "A [1]. B [2]. C [3]."
        cited = next(event for event in events if event["type"] == "data-citations")["data"]
        assert [(c["number"], c["quote"]) for c in cited] == [(2, "Roses are red"), (3, "They smell")]
        assert (await running.messages(acme, conversation_of(events)))[1]["citations"] == cited


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_key_revoked_during_the_answer(settings: Settings, accept: str) -> None:
    """An answer ends with its key: an error event in a stream, 401 in place of a whole answer; what was said is kept."""
    async with telling(settings, ["It is ", asyncio.Event(), "never said"]) as (running, acme):
        secret, key_id = await running.issue(acme, scopes=("chat:create",))
        asked = asyncio.create_task(running.ask(acme, "What is new?", key=secret, headers={"Accept": accept}))
        model = running.app[keys.CHAT_MODEL]
        assert isinstance(model, ScriptedChat)
        await until(lambda: model.streams_open == 1)
        path = f"{API}/tenants/{acme.id}/api-keys/{key_id}"
        assert (await running.send("DELETE", path, key=acme.key)).status == 200
        reply = await asked
        if accept == "application/json":
            assert reply.status == 401
        else:
            assert kinds(events_of(reply.text)) == FAULTY
        await until(lambda: model.streams_open == 0)
        page = await running.send("GET", f"{API}/chat/history", key=acme.key)
        answer = (await running.messages(acme, page.data["conversations"][0]["id"]))[1]
        assert (answer["content"], answer["status"]) == ("It is ", "failed")
