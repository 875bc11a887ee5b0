"""Answers by quoting: the sentences of the sources that answer the question, word for word, each with its citation.

What must stay true: nothing is said that no source says, but for one fixed sentence where nothing answers; every quote
stands in its source exactly as it is given.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence

import numpy as np

from tenantai.providers.protocols import (
    ChatEvent,
    ChatRequest,
    EmbeddingModel,
    Finished,
    Source,
    TextDelta,
    Turn,
    Usage,
    Vectors,
)
from tenantai.providers.sentence_ranking import Candidate, answers, best, shortlist
from tenantai.providers.words import content_stems

NO_ANSWER = "The documents do not answer this question."

_CANDIDATES_EMBEDDED = 48
_VECTORS_KEPT = 4096
_SCORE_SHARE = 0.8
_WORDS_A_PIECE = 4
_CHARACTERS_A_TOKEN = 4


class ExtractiveChat:
    """The chat model that quotes at most `sentences_max` sentences, chosen with `embedding`; it calls no functions."""

    provider = "embedded"
    model = "extractive"
    context_tokens = 32_768
    calls_functions = False

    def __init__(self, embedding: EmbeddingModel, *, sentences_max: int = 3) -> None:
        self._embedding = embedding
        self._sentences_max = sentences_max
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        """Yield the answer in groups of words, each sentence followed by its marker `[[number|quote]]`."""
        question = _question(request.turns)
        chosen = await self._choose(question, request.sources)
        written = 0
        for piece in _pieces(chosen):
            written += len(piece)
            yield TextDelta(piece)
        read = len(question) + sum(len(source.text) for source in request.sources)
        yield Usage(_tokens(read), _tokens(written), estimated=True)
        yield Finished("stop")

    async def check(self) -> None:
        """Return when a question can be embedded, else raise ProviderFailed."""
        await self._embedding.embed(["ready?"], purpose="query")

    async def close(self) -> None:
        """Forget the vectors that are kept; the embedding model belongs to its maker."""
        self._vectors.clear()

    async def _choose(self, question: str, sources: Sequence[Source]) -> list[Candidate]:
        """Return the sentences that answer, best first; none where nothing does."""
        # Reading the words of every source takes some milliseconds, which the event loop is spared.
        short = await asyncio.to_thread(shortlist, question, sources, keep=_CANDIDATES_EMBEDDED)
        if not short.candidates:
            return []
        asked = (await self._embedding.embed([question], purpose="query"))[0]
        in_context = await self._embed([candidate.text_in_context for candidate in short.candidates])
        scores = short.scores + in_context @ asked
        chosen = best(short.candidates, scores, count=self._sentences_max, share=_SCORE_SHARE)
        alone = await self._embed([short.candidates[chosen[0]].text])
        if not answers(scores, float(alone[0] @ asked), names_unknown=short.names_unknown):
            return []
        return [short.candidates[index] for index in chosen]

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' vectors; those of the latest sentences are remembered."""
        found = {text: self._vectors[text] for text in texts if text in self._vectors}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found.update(zip(missing, await self._embedding.embed(missing, purpose="document"), strict=True))
        for text, vector in found.items():
            self._vectors[text] = vector
            self._vectors.move_to_end(text)
        while len(self._vectors) > _VECTORS_KEPT:
            self._vectors.popitem(last=False)
        return np.array([found[text] for text in texts])


def _question(turns: Sequence[Turn]) -> str:
    """Return the last thing asked, with the question before it where it says too little alone ("And in winter?")."""
    asked = [turn.text for turn in turns if turn.role == "user"][-2:]
    if len(asked) > 1 and len(content_stems(asked[-1])) < 2:  # noqa: PLR2004  one word names a topic, not a question
        return "\n".join(asked)
    return asked[-1] if asked else ""


def _pieces(chosen: Sequence[Candidate]) -> Iterator[str]:
    """Yield the answer's text; a marker comes in one piece."""
    if not chosen:
        yield NO_ANSWER
    for place, candidate in enumerate(chosen):
        if place:
            yield "\n\n"
        if candidate.table_header:
            yield f"{candidate.table_header}\n"
        spoken = candidate.quote.split()
        for start in range(0, len(spoken), _WORDS_A_PIECE):
            yield " ".join(spoken[start : start + _WORDS_A_PIECE]) + " "
        yield f"[[{candidate.source.number}|{candidate.quote}]]"


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_A_TOKEN)
