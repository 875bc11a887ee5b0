"""Models that play a script, for tests and benchmarks; they never touch the network.

What must stay true: the same script and the same texts give the same answers and vectors, on any machine.
"""

import asyncio
import re
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Literal

import numpy as np

from tenantai.errors import ProviderFailed
from tenantai.providers.counting import estimated_usage
from tenantai.providers.protocols import ChatEvent, ChatRequest, Finished, FunctionCall, TextDelta, Usage, Vectors
from tenantai.wire.stream import FinishReason

Step = str | ChatEvent | asyncio.Event | Exception
"""A piece of text, an event as it is, a gate that holds the stream until it is set, or an error to raise."""

WORDS = re.compile(r"\w+")
ENDINGS = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|ly)$")


class ScriptedChat:
    """A ChatModel that plays its answers in order, the last one again and again; `history` keeps what it was asked."""

    provider = "scripted"

    def __init__(
        self,
        answers: Iterable[Sequence[Step]] = (("A scripted answer.",),),
        *,
        model: str = "scripted",
        context_tokens: int = 8192,
        calls_functions: bool = True,
    ) -> None:
        self.model = model
        self.calls_functions = calls_functions
        self.context_tokens = context_tokens
        self.history: list[ChatRequest] = []
        self.streams_open = 0
        self.streams_closed_early = 0
        self.closed = False
        self.reachable = True
        self._answers = deque(tuple(answer) for answer in answers)
        self._script = Script(())

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the next answer; a Usage (estimated) and a Finished follow where the script has none."""
        self.history.append(request)
        script = self._next_script()
        self.streams_open += 1
        whole = False
        try:
            for step in script.steps:
                event = step if isinstance(step, TextDelta) else await event_of(step)
                if event is not None:
                    yield event
            for event in script.endings(request):
                yield event
            whole = True
        except Exception:
            whole = True
            raise
        finally:
            self.streams_open -= 1
            self.streams_closed_early += not whole

    def _next_script(self) -> "Script":
        """Return the next answer, ready to be played; the last one is kept so."""
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        if self._script.answer is not answer:
            self._script = Script(answer)
        return self._script

    async def check(self) -> None:
        """Return while `reachable`, else raise ProviderFailed."""
        if not self.reachable:
            raise ProviderFailed

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


class Script:
    """An answer, made into events before it is played, and what it leaves to be said at its end."""

    def __init__(self, answer: Sequence[Step]) -> None:
        self.answer = answer
        self.steps = [TextDelta(step) if isinstance(step, str) else step for step in answer]
        self._characters = sum(len(step) for step in answer if isinstance(step, str))
        self._is_finished = any(isinstance(step, Finished) for step in answer)
        self._is_counted = any(isinstance(step, Usage) for step in answer)
        self._reason: FinishReason = "tool-calls" if any(isinstance(step, FunctionCall) for step in answer) else "stop"

    def endings(self, request: ChatRequest) -> list[ChatEvent]:
        """Return the last events that the script left out."""
        if self._is_finished:
            return []
        counted: list[ChatEvent] = [] if self._is_counted else [estimated_usage(request, self._characters)]
        return [*counted, Finished(self._reason)]


async def event_of(step: ChatEvent | asyncio.Event | Exception) -> ChatEvent | None:
    """Return the event of a step, after waiting for a gate; raises the error of a step."""
    if isinstance(step, Exception):
        raise step
    if isinstance(step, asyncio.Event):
        await step.wait()
        return None
    return step


class ScriptedEmbedding:
    """An EmbeddingModel of hashed words: texts that share words are near, no model file is needed."""

    def __init__(self, dimensions: int = 256, *, model: str = "scripted-words") -> None:
        self.model = model
        self.dimensions = dimensions
        self.texts_embedded = 0
        self.closed = False

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        """Return float32 rows of length 1, shape (len(texts), dimensions)."""
        del purpose
        self.texts_embedded += len(texts)
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in stems(text) or [""]:
                row[zlib.crc32(word.encode()) % self.dimensions] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def stems(text: str) -> list[str]:
    """Return the words of a text in lower case without their commonest English endings."""
    return [ENDINGS.sub("", word) for word in WORDS.findall(text.lower())]
