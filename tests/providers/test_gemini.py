"""Gemini through the real SDK against a server that speaks its wire format."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.gemini import GeminiChat, GeminiEmbedding
from tenantai.providers.protocols import ChatModel, EmbeddingModel, Finished, TextDelta, Usage
from tenantai.providers.proxies import proxy_of
from tenantai.wire.stream import FinishReason
from tests.providers.model_servers import (
    ModelServer,
    Reply,
    event,
    gemini_chunk,
    gemini_embeddings,
    gemini_error,
    gemini_stream,
    json_reply,
)
from tests.providers.provider_cases import KEY, REQUEST, Naps, collect, failure_of, require_no_key

RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.2s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
UNAVAILABLE = gemini_error(503, "UNAVAILABLE", f"The model is overloaded. {KEY}")


@pytest.fixture
def naps() -> Naps:
    return Naps()


@asynccontextmanager
async def chat_with(
    replies: Iterable[Reply], naps: Naps, *, first_event_seconds: float = 30, model: str = "gemini-2.5-flash"
) -> AsyncIterator[tuple[GeminiChat, ModelServer]]:
    async with ModelServer(replies) as server:
        patience = naps.patience(first_event_seconds=first_event_seconds)
        chat = GeminiChat(KEY, server.url, model=model, patience=patience)
        try:
            yield chat, server
        finally:
            await chat.close()


async def test_stream_yields_text_then_usage_then_finish(naps: Naps) -> None:
    """Pieces come as they are sent; the provider's own count and the reason come last."""
    async with chat_with([gemini_stream(["Fine", ", thank", " you."])], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [
            TextDelta("Fine"),
            TextDelta(", thank"),
            TextDelta(" you."),
            Usage(11, 3),
            Finished("stop"),
        ]


async def test_request_carries_instructions_roles_limit_and_no_thinking(naps: Naps) -> None:
    """Instructions go apart from the turns, the assistant is Gemini's model, and thinking is off where that is possible."""
    async with chat_with([gemini_stream(["ok"])], naps) as (chat, server):
        await collect(chat.stream(REQUEST))
    received = server.requests[0]
    assert received.path.endswith("/models/gemini-2.5-flash:streamGenerateContent")
    assert received.headers["x-goog-api-key"] == KEY
    assert [turn["role"] for turn in received.body["contents"]] == ["user", "model", "user"]
    assert received.body["systemInstruction"]["parts"] == [{"text": "Answer briefly."}]
    assert received.body["generationConfig"] == {"maxOutputTokens": 2048, "thinkingConfig": {"thinking_budget": 0}}


async def test_other_models_are_not_told_about_thinking(naps: Naps) -> None:
    """Models that can't go without thinking would refuse a budget of nothing."""
    async with chat_with([gemini_stream(["ok"])], naps, model="gemini-2.5-pro") as (chat, server):
        await collect(chat.stream(REQUEST))
    assert "thinkingConfig" not in server.requests[0].body["generationConfig"]


async def test_thoughts_are_skipped_and_counted_as_output(naps: Naps) -> None:
    """Parts flagged as thought are not the answer, yet they were paid for."""
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 40}
    parts = [gemini_chunk("Let me see.", thought=True), gemini_chunk("42", finish="STOP", usage=usage)]
    async with chat_with([Reply(parts=parts)], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [TextDelta("42"), Usage(5, 42), Finished("stop")]


async def test_usage_is_estimated_where_none_is_sent(naps: Naps) -> None:
    """A stream without a count gets an estimate that says so."""
    async with chat_with([Reply(parts=[gemini_chunk("12345678", finish="STOP")])], naps) as (chat, _):
        usage = (await collect(chat.stream(REQUEST)))[1]
    assert usage == Usage(9, 2, estimated=True)


@pytest.mark.parametrize("counted", [{"promptTokenCount": 10**20}, {"promptTokenCount": 5, "candidatesTokenCount": -5}])
async def test_usage_is_estimated_where_what_is_sent_is_no_count(naps: Naps, counted: dict[str, int]) -> None:
    """Numbers that no answer can take are not believed: the database could not even hold them."""
    async with chat_with([Reply(parts=[gemini_chunk("12345678", finish="STOP", usage=counted)])], naps) as (chat, _):
        usage = (await collect(chat.stream(REQUEST)))[1]
    assert usage == Usage(9, 2, estimated=True)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content-filter"),
        ("RECITATION", "content-filter"),
        ("BLOCKLIST", "content-filter"),
        ("PROHIBITED_CONTENT", "content-filter"),
        ("SPII", "content-filter"),
        ("LANGUAGE", "other"),
        ("MALFORMED_FUNCTION_CALL", "other"),
    ],
)
async def test_finish_reasons_are_mapped(naps: Naps, sent: str, expected: FinishReason) -> None:
    """Each reason of Gemini is one of ours."""
    async with chat_with([Reply(parts=[gemini_chunk("a"), gemini_chunk(finish=sent)])], naps) as (chat, _):
        events = await collect(chat.stream(REQUEST))
    assert events[0] == TextDelta("a")
    assert events[-1] == Finished(expected)


async def test_safety_stop_may_come_without_content(naps: Naps) -> None:
    """A stopped candidate has no content at all."""
    stopped = event({"candidates": [{"finishReason": "SAFETY", "index": 0}], "usageMetadata": {"promptTokenCount": 4}})
    async with chat_with([Reply(parts=[gemini_chunk("So"), stopped])], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [TextDelta("So"), Usage(4, 0), Finished("content-filter")]


async def test_blocked_prompt_is_a_content_filter(naps: Naps) -> None:
    """A prompt that is refused has no candidates, only feedback."""
    blocked = event({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 9}})
    async with chat_with([Reply(parts=[blocked])], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [Usage(9, 0), Finished("content-filter")]


async def test_long_chunk_comes_whole(naps: Naps) -> None:
    """A chunk is not bound by the size of a read buffer."""
    text = "é" * 1_000_000
    async with chat_with([gemini_stream([text, "."])], naps) as (chat, _):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta(text)


async def test_answers_that_come_at_once_leave_the_loop_to_others(naps: Naps) -> None:
    """However many whole answers wait to be read, others have their turn after a few chunks: the SDK itself never pauses."""
    turns, streams, chunks_each = 0, 4, 200
    turn_of_chunk: list[int] = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read(chat: GeminiChat) -> None:
        turn_of_chunk.extend([turns async for said in chat.stream(REQUEST) if isinstance(said, TextDelta)])

    at_once = Reply(parts=[b"".join([*[gemini_chunk("a")] * (chunks_each - 1), gemini_chunk("b", finish="STOP")])])
    async with chat_with([at_once] * streams, naps) as (chat, _):
        counting = asyncio.create_task(count_turns())
        await asyncio.gather(*(read(chat) for _ in range(streams)))
        counting.cancel()
    assert len(turn_of_chunk) == streams * chunks_each
    assert max(Counter(turn_of_chunk).values()) < chunks_each


async def test_connection_serves_again_after_a_whole_answer(naps: Naps) -> None:
    """Two answers, one connection: the second pays for no handshake."""
    async with chat_with([gemini_stream(["a"]), gemini_stream(["b"])], naps) as (chat, server):
        await collect(chat.stream(REQUEST))
        await collect(chat.stream(REQUEST))
    assert len(server.connections) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_passing_faults_are_tried_again_before_the_answer(naps: Naps, status: int) -> None:
    """Two refusals, then an answer: the caller sees the answer only; each wait is longer than the one before."""
    refused = gemini_error(status, "UNAVAILABLE", KEY)
    async with chat_with([refused, refused, gemini_stream(["back"])], naps) as (chat, server):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta("back")
    assert len(server.requests) == 3
    assert naps.seconds[0] < naps.seconds[1]


async def test_three_tries_are_all(naps: Naps) -> None:
    """A fault that stays is told after the third try; the SDK adds none of its own."""
    async with chat_with([UNAVAILABLE] * 9, naps) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
    assert len(server.requests) == 3
    assert error.message == "The model provider has a fault of its own. Try again in a moment."


async def test_short_retry_after_is_honoured(naps: Naps) -> None:
    """A wait of up to 8 s that the provider asks for is waited."""
    limited = gemini_error(429, "RESOURCE_EXHAUSTED", "quota", headers={"Retry-After": "7"})
    async with chat_with([limited, gemini_stream(["back"])], naps) as (chat, _):
        await collect(chat.stream(REQUEST))
    assert naps.seconds == [7]


@pytest.mark.parametrize(
    ("limited", "seconds"),
    [
        (gemini_error(429, "RESOURCE_EXHAUSTED", KEY, headers={"Retry-After": "60"}), 60),
        (gemini_error(429, "RESOURCE_EXHAUSTED", KEY, details=[BAD_KEY | {"reason": "RATE_LIMIT"}, RETRY_INFO]), 37),
    ],
)
async def test_long_retry_after_is_told_at_once(naps: Naps, limited: Reply, seconds: int) -> None:
    """A long wait is the caller's to choose: it is told how long, from the header or from RetryInfo."""
    async with chat_with([limited], naps) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
    assert error.retry_after_seconds == seconds
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (gemini_error(401, "UNAUTHENTICATED", KEY), "GEMINI_API_KEY"),
        (gemini_error(403, "PERMISSION_DENIED", KEY), "GEMINI_API_KEY"),
        (gemini_error(400, "INVALID_ARGUMENT", f"API key not valid: {KEY}", details=[BAD_KEY]), "GEMINI_API_KEY"),
        (gemini_error(404, "NOT_FOUND", "models/gemini-0 is not found"), "GEMINI_MODEL"),
        (gemini_error(400, "INVALID_ARGUMENT", f"too long {KEY}"), "refused the request"),
        (Reply(parts=[f"<h1>{KEY}</h1>".encode()], status=403, content_type="text/html"), "GEMINI_API_KEY"),
        (Reply(parts=[b"{broken"], status=404, content_type="application/json"), "GEMINI_MODEL"),
    ],
)
async def test_refusals_name_what_to_set_and_are_not_tried_again(naps: Naps, reply: Reply, named: str) -> None:
    """A refusal is told at once, in our words, with the setting that mends it."""
    async with chat_with([reply], naps) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
    assert named in error.message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        event({"error": {"code": 503, "message": f"overloaded {KEY}", "status": "UNAVAILABLE"}}),
        json.dumps({"error": {"code": 500, "message": KEY, "status": "INTERNAL"}}, indent=2).encode(),
        event({"error": {"message": "no code at all"}}),
        b"data: {not json " + KEY.encode() + b"\n\n",
        b"data: \xff\xfe\n\n",
        event({"candidates": 5}),
        event({"candidates": [{"content": {"parts": "wrong"}}]}),
    ],
)
async def test_error_in_mid_stream_fails_after_what_was_said(naps: Naps, broken: bytes) -> None:
    """What came stands, then the failure; nothing is tried again, or the answer would be said twice."""
    async with chat_with([Reply(parts=[gemini_chunk("Once"), broken]), gemini_stream(["twice"])], naps) as (chat, server):
        text, _ = await failure_of(chat.stream(REQUEST))
    assert text == "Once"
    assert len(server.requests) == 1


@pytest.mark.parametrize("ending", ["cut", "complete"])
async def test_stream_without_a_finish_reason_was_cut(naps: Naps, ending: str) -> None:
    """A connection that breaks, and a stream that ends without saying why, are faults."""
    reply = Reply(parts=[gemini_chunk("Half")], ending="cut" if ending == "cut" else "complete")
    async with chat_with([reply], naps) as (chat, _):
        text, error = await failure_of(chat.stream(REQUEST))
    assert text == "Half"
    assert "broke off" in error.message


async def test_cut_before_the_first_chunk_is_tried_again(naps: Naps) -> None:
    """Nothing was said yet, so the caller need not know."""
    async with chat_with([Reply(ending="cut"), Reply(), gemini_stream(["back"])], naps) as (chat, _):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta("back")


async def test_cut_after_the_finish_reason_does_no_harm(naps: Naps) -> None:
    """The answer was whole."""
    async with chat_with([Reply(parts=[gemini_chunk("All", finish="STOP")], ending="cut")], naps) as (chat, _):
        events = await collect(chat.stream(REQUEST))
    assert (events[0], events[-1]) == (TextDelta("All"), Finished("stop"))


async def test_slow_first_byte_fails_within_the_limit(naps: Naps) -> None:
    """A provider that takes the request and says nothing is given up, and its connection closed."""
    async with chat_with([Reply(parts=[asyncio.Event()])], naps, first_event_seconds=0.1) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
        await asyncio.wait_for(server.disconnected.wait(), 5)
    assert "can't be reached" in error.message


async def test_unreachable_provider_is_told(naps: Naps) -> None:
    """A refused connection is tried three times by us, without the SDK's own sleep of 1 to 10 s."""
    async with chat_with([], naps, first_event_seconds=0.9) as (chat, server):
        await server.stop()
        _, error = await failure_of(chat.stream(REQUEST))
    assert "TENANTAI_GEMINI_BASE_URL" in error.message
    assert len(naps.seconds) == 2


async def test_redirects_are_not_followed(naps: Naps) -> None:
    """A redirect would carry the key to another address."""
    async with ModelServer([gemini_stream(["stolen"])]) as thief:
        moved = Reply(status=307, headers={"Location": f"{thief.url}/x"})
        async with chat_with([moved], naps) as (chat, _):
            await failure_of(chat.stream(REQUEST))
        assert thief.requests == []


async def test_closing_the_stream_closes_the_connection(naps: Naps) -> None:
    """A reader who leaves stops the provider's work."""
    async with chat_with([Reply(parts=[gemini_chunk("a"), gemini_chunk("b")], ending="held")], naps) as (chat, server):
        stream = chat.stream(REQUEST)
        assert await anext(stream) == TextDelta("a")
        await stream.aclose()
        await asyncio.wait_for(server.disconnected.wait(), 5)


async def test_cancelling_the_reader_closes_the_connection(naps: Naps) -> None:
    """A task that is cancelled while it waits for the next piece stops the provider's work as well."""
    async with chat_with([Reply(parts=[gemini_chunk("a")], ending="held")], naps) as (chat, server):
        reader = asyncio.create_task(collect(chat.stream(REQUEST)))
        await asyncio.wait_for(server.waiting.wait(), 5)
        reader.cancel()
        await asyncio.wait_for(server.disconnected.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await reader


async def test_streams_side_by_side_do_not_mix(naps: Naps) -> None:
    """Closing one of two streams leaves the other one whole."""
    gate = asyncio.Event()
    replies = [Reply(parts=[gemini_chunk("a"), gate, gemini_chunk("b", finish="STOP")])] * 2
    async with chat_with(replies, naps) as (chat, _):
        left, kept = chat.stream(REQUEST), chat.stream(REQUEST)
        assert [await anext(left), await anext(kept)] == [TextDelta("a")] * 2
        await left.aclose()
        gate.set()
        assert (await collect(kept))[0] == TextDelta("b")


async def test_check_returns_when_the_model_is_there(naps: Naps) -> None:
    """Reachability costs one look-up of the model."""
    async with chat_with([json_reply({"name": "models/gemini-2.5-flash"})], naps) as (chat, server):
        await chat.check()
    assert server.requests[0].method == "GET"


async def test_check_fails_without_trying_again(naps: Naps) -> None:
    """Readiness wants an answer now."""
    async with chat_with([UNAVAILABLE], naps) as (chat, server):
        with pytest.raises(ProviderFailed) as caught:
            await chat.check()
    require_no_key(caught.value)
    assert len(server.requests) == 1


async def test_embedding_rows_are_of_unit_length(naps: Naps) -> None:
    """What comes cut to 768 numbers is not of unit length; it is made so here."""
    row = [3.0, 4.0] + [0.0] * 766
    async with ModelServer([gemini_embeddings([row, row])]) as server:
        embedding = GeminiEmbedding(KEY, server.url, patience=naps.patience())
        vectors = await embedding.embed(["one", "two"], purpose="document")
        await embedding.close()
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[:, :2], [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
    first = server.requests[0].body["requests"][0]
    assert (first["taskType"], first["outputDimensionality"]) == ("RETRIEVAL_DOCUMENT", 768)
    assert server.requests[0].path.endswith("/models/gemini-embedding-001:batchEmbedContents")


async def test_embedding_goes_in_batches_of_a_hundred(naps: Naps) -> None:
    """No request holds more texts than Gemini takes; the order of the rows is that of the texts."""
    async with ModelServer([gemini_embeddings([[1.0, 0.0]] * 100), gemini_embeddings([[0.0, 2.0]] * 30)]) as server:
        embedding = GeminiEmbedding(KEY, server.url, dimensions=2, patience=naps.patience())
        vectors = await embedding.embed([f"text {i}" for i in range(130)], purpose="query")
        assert (await embedding.embed([], purpose="query")).shape == (0, 2)
        await embedding.close()
    assert [len(request.body["requests"]) for request in server.requests] == [100, 30]
    assert server.requests[0].body["requests"][0]["taskType"] == "RETRIEVAL_QUERY"
    assert (vectors[0].tolist(), vectors[129].tolist()) == ([1.0, 0.0], [0.0, 1.0])


@pytest.mark.parametrize("rows", [[[1.0, 2.0]], [[1.0], [1.0]], [[0.0, 0.0], [1.0, 0.0]], [[1.0], [1.0, 2.0]], []])
async def test_embedding_refuses_rows_that_do_not_fit(naps: Naps, rows: list[list[float]]) -> None:
    """Too few rows, rows of another length and rows without direction would spoil an index."""
    async with ModelServer([gemini_embeddings(rows)]) as server:
        embedding = GeminiEmbedding(KEY, server.url, dimensions=2, patience=naps.patience())
        with pytest.raises(ProviderFailed, match="can't be read"):
            await embedding.embed(["one", "two"], purpose="document")
        await embedding.close()


async def test_embedding_tries_again_and_keeps_the_key(naps: Naps) -> None:
    """The same patience as a chat's, and the same silence about the key."""
    async with ModelServer([UNAVAILABLE, gemini_embeddings([[1.0, 0.0]]), *[UNAVAILABLE] * 3]) as server:
        embedding = GeminiEmbedding(KEY, server.url, dimensions=2, patience=naps.patience())
        assert (await embedding.embed(["one"], purpose="query")).shape == (1, 2)
        with pytest.raises(ProviderFailed) as caught:
            await embedding.embed(["one"], purpose="query")
        await embedding.close()
    require_no_key(caught.value)


async def test_protocols_are_satisfied() -> None:
    """Type checkers and readers see that these are the product's models; one that was never used closes as well."""
    chat: ChatModel = GeminiChat(KEY)
    embedding: EmbeddingModel = GeminiEmbedding(KEY)
    assert (chat.provider, embedding.dimensions) == ("gemini", 768)
    await chat.close()
    await embedding.close()


def test_protocols_do_not_load_the_sdk() -> None:
    """Whoever needs only the shapes does not pay for google-genai."""
    code = (
        "import sys, tenantai.providers.protocols, tenantai.providers.scripted, tenantai.providers.openai_compatible;"
        "sys.exit('google.genai' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("environment", "proxy", "auth"),
    [
        ({"https_proxy": "http://user:word@proxy.test:3128"}, "http://proxy.test:3128", ("user", "word")),
        ({"https_proxy": "http://proxy.test:3128"}, "http://proxy.test:3128", None),
        ({"https_proxy": "http://proxy.test:3128", "no_proxy": "gemini.test"}, None, None),
        ({"http_proxy": "http://proxy.test:3128"}, None, None),
        ({}, None, None),
    ],
)
def test_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], proxy: str | None, auth: tuple[str, str] | None
) -> None:
    """The proxy that the environment names is used, with its password beside it, and not for hosts that it excepts."""
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found, found_auth = proxy_of("https://gemini.test/v1")
    assert (str(found) if found else None) == proxy
    assert ((found_auth.login, found_auth.password) if found_auth else None) == auth
