"""Servers of the OpenAI API over real HTTP, with the quirks of those that people run at home."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.openai_compatible import OpenAIChat, OpenAIEmbedding
from tenantai.providers.protocols import ChatModel, EmbeddingModel, Finished, TextDelta, Usage
from tenantai.wire.stream import FinishReason
from tests.providers.model_servers import (
    DONE,
    ModelServer,
    Reply,
    event,
    json_reply,
    openai_chunk,
    openai_embeddings,
    openai_error,
    openai_object,
    openai_stream,
    openai_usage,
)
from tests.providers.provider_cases import KEY, REQUEST, Naps, collect, failure_of, require_no_key

STOP = openai_chunk(finish="stop")
OVERLOADED = openai_error(503, f"overloaded {KEY}")


@pytest.fixture
def naps() -> Naps:
    return Naps()


@asynccontextmanager
async def chat_with(
    replies: Iterable[Reply], naps: Naps, *, first_event_seconds: float = 30
) -> AsyncIterator[tuple[OpenAIChat, ModelServer]]:
    async with ModelServer(replies) as server:
        chat = OpenAIChat(f"{server.url}/v1/", KEY, "llama", patience=naps.patience(first_event_seconds=first_event_seconds))
        try:
            yield chat, server
        finally:
            await chat.close()


async def test_stream_yields_text_then_usage_then_finish(naps: Naps) -> None:
    """Pieces come as they are sent; the server's own count and the reason come last."""
    async with chat_with([openai_stream(["Fine", ", thank", " you."])], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [
            TextDelta("Fine"),
            TextDelta(", thank"),
            TextDelta(" you."),
            Usage(11, 3),
            Finished("stop"),
        ]


async def test_request_carries_instructions_roles_limit_and_key(naps: Naps) -> None:
    """Instructions are the system's message, and the count of tokens is asked for."""
    async with chat_with([openai_stream(["ok"])], naps) as (chat, server):
        await collect(chat.stream(REQUEST))
    received = server.requests[0]
    assert (received.path, received.headers["Authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert [message["role"] for message in received.body["messages"]] == ["system", "user", "assistant", "user"]
    assert received.body["stream_options"] == {"include_usage": True}
    assert (received.body["model"], received.body["stream"], received.body["max_tokens"]) == ("llama", True, 2048)


async def test_no_key_sends_no_authorization(naps: Naps) -> None:
    """Servers at home want no key."""
    async with ModelServer([openai_stream(["ok"])]) as server:
        chat = OpenAIChat(server.url, None, "llama", patience=naps.patience())
        await collect(chat.stream(REQUEST))
        await chat.close()
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([event(openai_object("Yes")).replace(b"data: ", b"data:"), STOP, DONE], id="no space after data:"),
        pytest.param([b": ping\n\n", openai_chunk("Yes"), b": ping\n\n", STOP, DONE], id="comments"),
        pytest.param([part.replace(b"\n", b"\r\n") for part in (openai_chunk("Yes"), STOP, DONE)], id="CRLF"),
        pytest.param([openai_chunk("Yes"), STOP], id="no [DONE]"),
        pytest.param([openai_chunk("Yes"), STOP, b"data: [DONE]"], id="[DONE] without an end of line"),
        pytest.param([openai_chunk("Yes"), DONE, openai_chunk("no more")], id="words after [DONE]"),
        pytest.param([openai_chunk(role="assistant"), openai_chunk("Yes"), STOP, DONE], id="a role first"),
        pytest.param([openai_chunk("", role="assistant"), openai_chunk("Yes", finish="stop")], id="all in the last"),
        pytest.param([openai_chunk(reasoning_content="Hm."), openai_chunk("Yes"), STOP, DONE], id="reasoning"),
        pytest.param([b"event: message\nid: 1\nretry: 5\n" + openai_chunk("Yes"), STOP, DONE], id="other fields"),
        pytest.param([bytes([byte]) for byte in openai_chunk("Yes") + STOP + DONE], id="byte by byte"),
        pytest.param([openai_chunk("Yes") + STOP + DONE], id="all at once"),
        pytest.param([b'data: {"choices":\ndata: [{"delta": {"content": "Yes"}}]}\n\n', STOP, DONE], id="two data lines"),
    ],
)
async def test_framing_of_every_kind_is_understood(naps: Naps, parts: list[bytes]) -> None:
    """However a server frames its events, the answer is the same; the count is estimated where none is sent."""
    async with chat_with([Reply(parts=parts)], naps) as (chat, _):
        events = await collect(chat.stream(REQUEST))
    assert events[:2] == [TextDelta("Yes"), Usage(9, 1, estimated=True)]
    assert isinstance(events[2], Finished)


@pytest.mark.parametrize("counted", [(10**20, 1), (-1, 1), (11, 10**20), ("11", 1), (1.5, 1), (None, 1)])
async def test_usage_is_estimated_where_what_is_sent_is_no_count(naps: Naps, counted: tuple[object, int]) -> None:
    """What can be no count is not believed: the database could not even hold some of it."""
    usage = {"prompt_tokens": counted[0], "completion_tokens": counted[1]}
    parts = [openai_chunk("Yes"), STOP, event({"choices": [], "usage": usage}), DONE]
    async with chat_with([Reply(parts=parts)], naps) as (chat, _):
        events = await collect(chat.stream(REQUEST))
    assert events[1] == Usage(9, 1, estimated=True)


async def test_long_line_comes_whole(naps: Naps) -> None:
    """A line is not bound by the size of a read buffer."""
    text = "é" * 1_000_000
    async with chat_with([openai_stream([text, "."])], naps) as (chat, _):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta(text)


async def test_server_that_does_not_stream_is_understood(naps: Naps) -> None:
    """A whole JSON answer is one piece."""
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "Yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 1},
    }
    async with chat_with([json_reply(whole)], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [TextDelta("Yes"), Usage(7, 1), Finished("stop")]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content-filter"),
        ("tool_calls", "tool-calls"),
        ("function_call", "tool-calls"),
        ("eos_token", "other"),
    ],
)
async def test_finish_reasons_are_mapped(naps: Naps, sent: str, expected: FinishReason) -> None:
    """Each reason is one of ours."""
    async with chat_with([Reply(parts=[openai_chunk("a"), openai_chunk(finish=sent), DONE])], naps) as (chat, _):
        assert (await collect(chat.stream(REQUEST)))[-1] == Finished(expected)


async def test_refused_stream_options_are_left_out(naps: Naps) -> None:
    """A server that does not know stream_options is asked once without, and never with them again."""
    refused = openai_error(400, "unknown field stream_options")
    async with chat_with([refused, openai_stream(["a"]), openai_stream(["b"])], naps) as (chat, server):
        await collect(chat.stream(REQUEST))
        await collect(chat.stream(REQUEST))
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]
    assert naps.seconds == []


async def test_connection_serves_again_after_a_whole_answer(naps: Naps) -> None:
    """Two answers, one connection: the second pays for no handshake."""
    async with chat_with([openai_stream(["a"]), openai_stream(["b"])], naps) as (chat, server):
        await collect(chat.stream(REQUEST))
        await collect(chat.stream(REQUEST))
    assert len(server.connections) == 1


async def test_server_that_stays_open_after_done_does_not_hold_the_answer(naps: Naps) -> None:
    """[DONE] is the end, whether or not the connection ends."""
    async with chat_with([Reply(parts=[openai_chunk("a"), STOP, DONE], ending="held")], naps) as (chat, _):
        assert (await asyncio.wait_for(collect(chat.stream(REQUEST)), 5))[-1] == Finished("stop")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_passing_faults_are_tried_again_before_the_answer(naps: Naps, status: int) -> None:
    """Two refusals, then an answer: the caller sees the answer only; each wait is longer than the one before."""
    refused = openai_error(status, KEY)
    async with chat_with([refused, refused, openai_stream(["back"])], naps) as (chat, server):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta("back")
    assert len(server.requests) == 3
    assert naps.seconds[0] < naps.seconds[1]


async def test_error_as_the_first_event_is_tried_again(naps: Naps) -> None:
    """Nothing was said yet; the code within the error is its status."""
    first = Reply(parts=[event({"error": {"code": 503, "message": KEY}})])
    async with chat_with([first, openai_stream(["back"])], naps) as (chat, _):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta("back")


async def test_three_tries_are_all(naps: Naps) -> None:
    """A fault that stays is told after the third try."""
    async with chat_with([OVERLOADED] * 9, naps) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
    assert len(server.requests) == 3
    assert error.message == "The model provider has a fault of its own. Try again in a moment."


async def test_short_retry_after_is_honoured(naps: Naps) -> None:
    """A wait of up to 8 s that the server asks for is waited."""
    limited = openai_error(429, "slow down", headers={"Retry-After": "7"})
    async with chat_with([limited, openai_stream(["back"])], naps) as (chat, _):
        await collect(chat.stream(REQUEST))
    assert naps.seconds == [7]


async def test_long_retry_after_is_told_at_once(naps: Naps) -> None:
    """A long wait is the caller's to choose."""
    async with chat_with([openai_error(429, KEY, headers={"Retry-After": "60"})], naps) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
    assert error.retry_after_seconds == 60
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "named", "tries"),
    [
        (openai_error(401, f"Incorrect API key provided: {KEY}"), "TENANTAI_OPENAI_API_KEY", 1),
        (openai_error(403, KEY), "TENANTAI_OPENAI_API_KEY", 1),
        (openai_error(404, "model 'llama' not found"), "TENANTAI_OPENAI_MODEL", 1),
        (openai_error(400, f"context too long {KEY}"), "refused the request", 2),
        (Reply(parts=[f"<h1>{KEY}</h1>".encode()], status=403, content_type="text/html"), "TENANTAI_OPENAI_API_KEY", 1),
    ],
)
async def test_refusals_name_what_to_set(naps: Naps, reply: Reply, named: str, tries: int) -> None:
    """A refusal is told in our words, with the setting that mends it; a 400 may have meant stream_options."""
    async with chat_with([reply] * 3, naps) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
    assert named in error.message
    assert len(server.requests) == tries


@pytest.mark.parametrize(
    "broken",
    [
        event({"error": {"message": f"out of memory {KEY}", "code": 500}}),
        event({"error": f"a plain string with {KEY}"}),
        b"data: {not json " + KEY.encode() + b"\n\n",
        b"data: \xff\xfe\n\n",
        b"data: 7\n\n",
        event({"choices": ["wrong"]}),
        event({"choices": [], "usage": "wrong"}),
    ],
)
async def test_error_in_mid_stream_fails_after_what_was_said(naps: Naps, broken: bytes) -> None:
    """What came stands, then the failure; nothing is tried again, or the answer would be said twice."""
    async with chat_with([Reply(parts=[openai_chunk("Once"), broken]), openai_stream(["twice"])], naps) as (chat, server):
        text, _ = await failure_of(chat.stream(REQUEST))
    assert text == "Once"
    assert len(server.requests) == 1


@pytest.mark.parametrize("ending", ["cut", "complete"])
async def test_stream_without_a_finish_reason_was_cut(naps: Naps, ending: str) -> None:
    """A connection that breaks, and a stream that ends without saying why, are faults."""
    reply = Reply(parts=[openai_chunk("Half")], ending="cut" if ending == "cut" else "complete")
    async with chat_with([reply], naps) as (chat, _):
        text, error = await failure_of(chat.stream(REQUEST))
    assert text == "Half"
    assert "broke off" in error.message


async def test_cut_before_the_first_event_is_tried_again(naps: Naps) -> None:
    """Nothing was said yet, so the caller need not know."""
    async with chat_with([Reply(ending="cut"), Reply(), openai_stream(["back"])], naps) as (chat, _):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta("back")


async def test_cut_after_the_finish_reason_does_no_harm(naps: Naps) -> None:
    """The answer was whole."""
    parts = [openai_chunk("All", finish="stop"), openai_usage(3, 1)]
    async with chat_with([Reply(parts=parts, ending="cut")], naps) as (chat, _):
        assert await collect(chat.stream(REQUEST)) == [TextDelta("All"), Usage(3, 1), Finished("stop")]


async def test_slow_first_byte_fails_within_the_limit(naps: Naps) -> None:
    """A server that takes the request and says nothing is given up, and its connection closed."""
    async with chat_with([Reply(parts=[asyncio.Event()])], naps, first_event_seconds=0.1) as (chat, server):
        _, error = await failure_of(chat.stream(REQUEST))
        await asyncio.wait_for(server.disconnected.wait(), 5)
    assert "can't be reached" in error.message


async def test_headers_without_an_event_fail_within_the_limit(naps: Naps) -> None:
    """A comment is no event: the limit holds until the answer begins."""
    async with chat_with([Reply(parts=[b": wait\n\n"], ending="held")], naps, first_event_seconds=0.1) as (chat, server):
        await failure_of(chat.stream(REQUEST))
        await asyncio.wait_for(server.disconnected.wait(), 5)


async def test_unreachable_server_is_told(naps: Naps) -> None:
    """A refused connection is tried three times, and the setting that may be wrong is named."""
    async with chat_with([], naps) as (chat, server):
        await server.stop()
        _, error = await failure_of(chat.stream(REQUEST))
    assert "TENANTAI_OPENAI_BASE_URL" in error.message
    assert len(naps.seconds) == 2


async def test_redirects_are_not_followed(naps: Naps) -> None:
    """A redirect would carry the tenant's words to another address."""
    async with ModelServer([openai_stream(["stolen"])]) as thief:
        moved = Reply(status=307, headers={"Location": f"{thief.url}/x"})
        async with chat_with([moved], naps) as (chat, _):
            await failure_of(chat.stream(REQUEST))
        assert thief.requests == []


async def test_closing_the_stream_closes_the_connection(naps: Naps) -> None:
    """A reader who leaves stops the model's work."""
    async with chat_with([Reply(parts=[openai_chunk("a"), openai_chunk("b")], ending="held")], naps) as (chat, server):
        stream = chat.stream(REQUEST)
        assert await anext(stream) == TextDelta("a")
        await stream.aclose()
        await asyncio.wait_for(server.disconnected.wait(), 5)


async def test_cancelling_the_reader_closes_the_connection(naps: Naps) -> None:
    """A task that is cancelled while it waits for the next piece stops the model's work as well."""
    async with chat_with([Reply(parts=[openai_chunk("a")], ending="held")], naps) as (chat, server):
        reader = asyncio.create_task(collect(chat.stream(REQUEST)))
        await asyncio.wait_for(server.waiting.wait(), 5)
        reader.cancel()
        await asyncio.wait_for(server.disconnected.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await reader


async def test_check_lists_the_models(naps: Naps) -> None:
    """Reachability costs one list of models; a server that refuses is told of."""
    async with chat_with([json_reply({"data": []}), OVERLOADED], naps) as (chat, server):
        await chat.check()
        with pytest.raises(ProviderFailed) as caught:
            await chat.check()
    require_no_key(caught.value)
    assert [request.path for request in server.requests] == ["/v1/models"] * 2


async def test_embedding_learns_its_dimensions_and_normalises(naps: Naps) -> None:
    """The first answer tells how many numbers a row has; rows come in any order and of any length."""
    async with ModelServer([openai_embeddings([[3.0, 4.0], [0.0, 9.0]]), openai_embeddings([[1.0, 0.0, 0.0]])]) as server:
        embedding = OpenAIEmbedding(server.url, KEY, "some-embedder", patience=naps.patience())
        assert embedding.dimensions == 0
        vectors = await embedding.embed(["one", "two"], purpose="document")
        assert embedding.dimensions == 2
        with pytest.raises(ProviderFailed, match="can't be read"):
            await embedding.embed(["three"], purpose="query")
        await embedding.close()
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0.0, 1.0]], rtol=1e-6)
    assert vectors.dtype == np.float32
    assert server.requests[0].body["input"] == ["one", "two"]


async def test_embedding_goes_in_batches(naps: Naps) -> None:
    """Long lists are cut, and their rows stay in order; an empty list asks nothing."""
    async with ModelServer([openai_embeddings([[1.0, 0.0]] * 64), openai_embeddings([[0.0, 1.0]] * 6)]) as server:
        embedding = OpenAIEmbedding(server.url, KEY, "some-embedder", patience=naps.patience())
        vectors = await embedding.embed(["text"] * 70, purpose="document")
        assert (await embedding.embed([], purpose="query")).shape == (0, 2)
        await embedding.close()
    assert vectors.shape == (70, 2)
    assert (vectors[63].tolist(), vectors[64].tolist()) == ([1.0, 0.0], [0.0, 1.0])


async def test_embedding_marks_questions_for_models_that_want_it(naps: Naps) -> None:
    """nomic-embed-text was trained with prefixes, and Ollama adds none."""
    async with ModelServer(always=openai_embeddings([[1.0, 0.0]])) as server:
        embedding = OpenAIEmbedding(server.url, None, "nomic-embed-text:latest", patience=naps.patience())
        await embedding.embed(["cats"], purpose="query")
        await embedding.embed(["cats"], purpose="document")
        await embedding.close()
    assert [request.body["input"] for request in server.requests] == [["search_query: cats"], ["search_document: cats"]]


@pytest.mark.parametrize("answer", [{}, [], {"data": [{}]}, {"data": []}, {"data": [{"embedding": ["x", "y"]}]}])
async def test_embedding_refuses_what_holds_no_vectors(naps: Naps, answer: object) -> None:
    """An answer of another shape is a fault of the provider, told as one."""
    async with ModelServer([json_reply(answer)]) as server:
        embedding = OpenAIEmbedding(server.url, KEY, "some-embedder", patience=naps.patience())
        with pytest.raises(ProviderFailed, match="can't be read"):
            await embedding.embed(["one"], purpose="document")
        await embedding.close()


async def test_embedding_failure_names_its_own_model_setting(naps: Naps) -> None:
    """The embedding model is set apart from the chat model."""
    async with ModelServer([openai_error(404, KEY)]) as server:
        embedding = OpenAIEmbedding(server.url, KEY, "some-embedder", patience=naps.patience())
        with pytest.raises(ProviderFailed, match="TENANTAI_OPENAI_EMBEDDING_MODEL") as caught:
            await embedding.embed(["one"], purpose="document")
        await embedding.close()
    require_no_key(caught.value)


async def test_protocols_are_satisfied() -> None:
    """Type checkers and readers see that these are the product's models; one that was never used closes as well."""
    chat: ChatModel = OpenAIChat("http://127.0.0.1:1", None, "m")
    embedding: EmbeddingModel = OpenAIEmbedding("http://127.0.0.1:1", None, "m", dimensions=3)
    assert (chat.provider, embedding.dimensions) == ("openai", 3)
    await chat.close()
    await embedding.close()
