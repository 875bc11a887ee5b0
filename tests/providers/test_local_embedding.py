"""MiniLM on this machine: right vectors, in order, questions first, and a sentence where it can't run."""

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest

from tenantai.errors import ProviderFailed
from tenantai.providers.local_embedding import LocalEmbedding, _batches, _Turns
from tenantai.providers.protocols import EmbeddingModel
from tests.running import until

LONG = "The storage unit on the ground floor holds the furniture of three rooms. " * 12


async def test_vectors_have_length_one_and_tell_meaning(minilm: LocalEmbedding) -> None:
    """Texts that mean the same lie closer than texts that do not, and the shape is as promised."""
    model: EmbeddingModel = minilm
    texts = ["How much does a small unit cost?", "The price of a small unit is 40 euros.", "Cats sleep all day."]
    vectors = await model.embed(texts, purpose="document")

    assert vectors.shape == (3, model.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.5
    assert vectors[0] @ vectors[2] < 0.2


async def test_rows_come_back_in_order_and_do_not_depend_on_neighbours(minilm: LocalEmbedding) -> None:
    """A text in a mixed list gets the vector that it gets alone."""
    texts = [LONG, "short", "", "a little longer than that", LONG[:200], "short", "ein Umzugskarton für Bücher"]
    together = await minilm.embed(texts, purpose="document")
    alone = np.vstack([await minilm.embed([text], purpose="document") for text in texts])

    assert np.min(np.sum(together * alone, axis=1)) > 0.999


async def test_no_texts_give_no_rows(minilm: LocalEmbedding) -> None:
    """An empty list is answered without the model's work."""
    assert (await minilm.embed([], purpose="document")).shape == (0, 384)
    assert (await minilm.embed([], purpose="query")).shape == (0, 384)


async def test_a_query_and_a_document_of_the_same_text_are_equal(minilm: LocalEmbedding) -> None:
    """MiniLM is symmetric; a query asked again gives what was remembered."""
    document = await minilm.embed(["Where is the key?"], purpose="document")
    first = await minilm.embed(["Where is the key?"], purpose="query")
    again = await minilm.embed(["Where is the key?", "Where is the key?"], purpose="query")

    assert np.allclose(document, first, atol=1e-5)
    assert np.array_equal(again[1], first[0])


async def test_a_query_overtakes_documents(minilm: LocalEmbedding) -> None:
    """A query asked while a long list is embedded is answered before that list."""
    await minilm.ready()
    documents = asyncio.create_task(minilm.embed([LONG] * 12, purpose="document"))
    await asyncio.sleep(0)

    await minilm.embed(["What does a small unit cost?"], purpose="query")

    assert not documents.done()
    await documents


async def test_cancelling_stops_the_remaining_batches(minilm: LocalEmbedding) -> None:
    """After a cancelled call the model is free for the next within a batch or two."""
    await minilm.ready()
    documents = asyncio.create_task(minilm.embed([LONG] * 200, purpose="document"))
    await minilm.embed(["first"], purpose="query")
    documents.cancel()
    with pytest.raises(asyncio.CancelledError):
        await documents

    async with asyncio.timeout(30):
        assert (await minilm.embed(["second"], purpose="document")).shape == (1, 384)


async def test_it_can_be_read_before_it_is_asked(minilm: LocalEmbedding, tmp_path: Path) -> None:
    """Once told to begin it is read beside whatever else happens; where that fails, the first who asks is told why."""
    minilm.begin()
    await until(lambda: minilm._runtime is not None)
    began = minilm._runtime
    await minilm.ready()
    assert minilm._runtime is began
    missing = LocalEmbedding(tmp_path)
    missing.begin()
    with pytest.raises(ProviderFailed, match="tenantai models pull"):
        await missing.ready()
    await missing.close()


async def test_missing_files_name_the_command(tmp_path: Path) -> None:
    """A folder without the model gives the sentence that says how to get it."""
    model = LocalEmbedding(tmp_path)
    with pytest.raises(ProviderFailed, match="tenantai models pull"):
        await model.embed(["text"], purpose="query")
    await model.close()


async def test_missing_libraries_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnxruntime the sentence names the extra to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = LocalEmbedding(tmp_path)
    with pytest.raises(ProviderFailed, match=r"tenantai\[local\]"):
        await model.embed(["text"], purpose="document")
    await model.close()


async def test_a_closed_model_fails_as_a_provider(tmp_path: Path) -> None:
    """After close no other error than ProviderFailed comes out."""
    model = LocalEmbedding(tmp_path)
    await model.close()
    with pytest.raises(ProviderFailed):
        await model.embed(["text"], purpose="query")


def test_batches_hold_similar_lengths_within_the_budget() -> None:
    """Every index comes once; a batch's padded tokens stay within 128 unless it is one long text."""
    lengths = [250, 5, 60, 7, 64, 8, 250, 6]
    batches = _batches(lengths)

    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 128 for batch in batches)
    assert _batches([]) == []


async def test_turns_go_to_the_lowest_number_first() -> None:
    """Waiters are served by priority, then by arrival; one that gave up is passed over."""
    turns = _Turns()
    served: list[str] = []

    async def work(name: str, priority: int) -> None:
        async with turns.take(priority):
            served.append(name)
            await asyncio.sleep(0)

    async with turns.take(0):
        tasks = [asyncio.create_task(work(*each)) for each in [("a9", 9), ("gone", 1), ("b9", 9), ("query", 0)]]
        await asyncio.sleep(0)
        tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert served == ["query", "a9", "b9"]


async def test_a_turn_given_to_a_cancelled_waiter_is_passed_on() -> None:
    """A waiter cancelled in the moment it is served does not hold the turn for ever."""
    turns = _Turns()

    async def work() -> str:
        async with turns.take(1):
            return "served"

    async with turns.take(0):
        first, second = asyncio.create_task(work()), asyncio.create_task(work())
        await asyncio.sleep(0)
    first.cancel()

    assert await second == "served"
