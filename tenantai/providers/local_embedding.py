"""Embeddings by all-MiniLM-L6-v2 (ONNX, int8) on one core of this machine.

What must stay true: one thread runs the model, batch by batch, and between two batches the call with the fewest tokens
left goes first: a question never waits behind a document, and a cancelled call costs no more than its running batch.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tenantai.errors import ProviderFailed
from tenantai.providers.protocols import Vectors

if TYPE_CHECKING:
    from tokenizers import Encoding

_TEXT_TOKENS_MAX = 256
# Measured on 2 cores: texts over 128 tokens run fastest alone, short ones about 100 padded tokens at a time.
_BATCH_TOKENS = 128
_QUERIES_KEPT = 512
_TEXTS_ENCODED_AT_ONCE = 16


class LocalEmbedding:
    """The embedding model whose `model.onnx` and `tokenizer.json` lie in `folder`; both are read at the first use."""

    model = "all-MiniLM-L6-v2-int8"
    dimensions = 384

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedding")
        self._turns = _Turns()
        self._runtime: _Runtime | None = None
        self._queries: OrderedDict[str, Vectors] = OrderedDict()

    def begin(self) -> None:
        """Read the model's files in its thread from now on; where that fails, `ready` will say so."""
        self._thread.submit(self._load)

    async def ready(self) -> None:
        """Load the model, which otherwise waits for the first text; raises ProviderFailed."""
        await self._in_thread(0, self._load)

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return unit vectors of shape (len(texts), 384); a text's tokens beyond the first 256 are not read."""
        if purpose == "document":
            return await self._embed_documents(texts)
        rows = [await self._embed_query(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimensions)

    async def close(self) -> None:
        """Let the running batch end and release the model."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._runtime = None

    async def _embed_query(self, text: str) -> Vectors:
        """Return the vector of one query, before all documents, or the one that is remembered."""
        vector = self._queries.get(text)
        if vector is None:
            vector = await self._in_thread(0, self._encode_and_run, text)
        self._queries[text] = vector
        self._queries.move_to_end(text)
        if len(self._queries) > _QUERIES_KEPT:
            self._queries.popitem(last=False)
        return vector

    async def _embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Run the model over `texts`, in batches of similar length."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        encodings: list[Encoding] = []
        for start in range(0, len(texts), _TEXTS_ENCODED_AT_ONCE):
            some = list(texts[start : start + _TEXTS_ENCODED_AT_ONCE])
            encodings += await self._in_thread(1, self._encode, some)
        lengths = [len(encoding.ids) for encoding in encodings]
        tokens_left = sum(lengths)
        for batch in _batches(lengths):
            chosen = [encodings[index] for index in batch]
            vectors[batch] = await self._in_thread(tokens_left, self._run, chosen)
            tokens_left -= sum(lengths[index] for index in batch)
        return vectors

    async def _in_thread(self, priority: int, work: Any, *arguments: Any) -> Any:
        """Run `work` in the model's thread when it is this call's turn."""
        async with self._turns.take(priority):
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
            except ProviderFailed:
                raise
            except Exception as error:  # the executor after close(), or a type of the ONNX runtime's own
                raise ProviderFailed("The local embedding model failed or is shut down. Try again.") from error

    def _load(self) -> "_Runtime":
        if self._runtime is None:
            self._runtime = _Runtime(self._folder)
        return self._runtime

    def _encode(self, texts: list[str]) -> "list[Encoding]":
        return self._load().encode(texts)

    def _run(self, encodings: "list[Encoding]") -> Vectors:
        return self._load().run(encodings)

    def _encode_and_run(self, text: str) -> Vectors:
        runtime = self._load()
        row: Vectors = runtime.run(runtime.encode([text]))[0]
        return row


class _Turns:
    """A lock that goes to the waiter with the lowest priority number, first come first served among equals."""

    def __init__(self) -> None:
        self._taken = False
        self._arrivals = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def take(self, priority: int) -> AsyncIterator[None]:
        """Hold the turn."""
        if self._taken:
            turn = asyncio.get_running_loop().create_future()
            self._arrivals += 1
            heapq.heappush(self._waiting, (priority, self._arrivals, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Give the turn to the next who still waits."""
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._taken = False


class _Runtime:
    """The tokenizer and the ONNX session; used in one thread only."""

    def __init__(self, folder: Path) -> None:
        try:
            import onnxruntime  # noqa: PLC0415  an optional extra
            from tokenizers import Tokenizer  # noqa: PLC0415  an optional extra
        except ImportError as error:
            raise ProviderFailed("The embedded provider's libraries are missing: run pip install 'tenantai[local]'.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise types of their own, or Exception itself
            raise ProviderFailed(
                "The local embedding model is missing or damaged: run `tenantai models pull`, then restart."
            ) from error
        self._tokenizer.enable_truncation(_TEXT_TOKENS_MAX)
        self._tokenizer.no_padding()

    def encode(self, texts: list[str]) -> "list[Encoding]":
        """Return the texts' tokens, at most 256 each."""
        return list(self._tokenizer.encode_batch(texts))

    def run(self, encodings: "list[Encoding]") -> Vectors:
        """Return the mean of each text's token vectors, at length 1."""
        ids = np.zeros((len(encodings), max(len(encoding.ids) for encoding in encodings)), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (states,) = self._session.run(None, inputs)
        sums = np.einsum("btd,bt->bd", states, mask.astype(np.float32))
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group indexes by similar length, at most `_BATCH_TOKENS` padded tokens a group, shortest first."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if groups and (len(groups[-1]) + 1) * lengths[index] <= _BATCH_TOKENS:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
