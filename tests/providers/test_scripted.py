"""The models that other tests stand on."""

import asyncio

import numpy as np
import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.protocols import ChatModel, EmbeddingModel, Finished, TextDelta, Usage
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding, Step
from tests.providers.provider_cases import REQUEST, collect, failure_of


async def test_answers_are_played_in_order_and_the_last_again() -> None:
    """Each stream takes the next answer; history keeps what was asked."""
    chat = ScriptedChat([["a", "b"], ["c"]])
    assert await collect(chat.stream(REQUEST)) == [
        TextDelta("a"),
        TextDelta("b"),
        Usage(9, 1, estimated=True),
        Finished("stop"),
    ]
    for _ in range(2):
        assert (await collect(chat.stream(REQUEST)))[0] == TextDelta("c")
    assert chat.history == [REQUEST] * 3
    assert (chat.streams_open, chat.streams_closed_early) == (0, 0)


async def test_events_stand_as_they_are() -> None:
    """A script that counts and ends itself gets nothing added."""
    script: list[Step] = [TextDelta("a"), Usage(5, 1), Finished("content-filter")]
    assert await collect(ScriptedChat([script]).stream(REQUEST)) == script


async def test_error_is_raised_in_its_place() -> None:
    """What stands before an error is said; a failed stream is not one that was closed early."""
    chat = ScriptedChat([["a", ProviderFailed("gone")]])
    text, error = await failure_of(chat.stream(REQUEST))
    assert (text, error.message) == ("a", "gone")
    assert chat.streams_closed_early == 0


async def test_gate_holds_the_stream_and_an_early_close_is_counted() -> None:
    """A test can hold an answer for as long as it wants, and see that its reader left."""
    gate = asyncio.Event()
    chat = ScriptedChat([["a", gate, "b"]])
    held = chat.stream(REQUEST)
    assert await anext(held) == TextDelta("a")
    assert chat.streams_open == 1
    gate.set()
    assert await anext(held) == TextDelta("b")
    await held.aclose()
    assert (chat.streams_open, chat.streams_closed_early) == (0, 1)


async def test_cancelled_reader_is_counted() -> None:
    """A task that is cancelled at a gate left early too."""
    chat = ScriptedChat([["a", asyncio.Event()]])
    stream = chat.stream(REQUEST)
    assert await anext(stream) == TextDelta("a")
    reader = asyncio.create_task(collect(stream))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert chat.streams_closed_early == 1


async def test_check_and_close() -> None:
    """A test decides whether the provider is there."""
    chat: ScriptedChat = ScriptedChat()
    model: ChatModel = chat
    await model.check()
    chat.reachable = False
    with pytest.raises(ProviderFailed):
        await model.check()
    await model.close()
    assert chat.closed


async def test_embedding_puts_like_texts_near() -> None:
    """Shared words, in whatever form or case, make texts alike; rows are of unit length, the empty text's too."""
    embedding: EmbeddingModel = ScriptedEmbedding()
    texts = ["Moving boxes to storage", "the MOVED box is stored in storage", "a recipe for soup", ""]
    vectors = await embedding.embed(texts, purpose="document")
    assert vectors.shape == (4, 256)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert vectors[0] @ vectors[1] > 0.3 > vectors[0] @ vectors[2]
    again = await embedding.embed(texts, purpose="query")
    np.testing.assert_array_equal(vectors, again)
    await embedding.close()
