"""Answers: the question set of `answers/` through whole chat turns with the embedded provider.

Both sets of documents lie in one store. A quote is right where it holds one of the question's passages, white space aside, and is
from the file that the question names (or from one of `elsewhere`). `test` is what counts; thresholds were chosen on `dev`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from benchmarks.figures import Figure, Outcome
from benchmarks.stores import ROOT, Remembering, Store, minilm, opened_store, own_documents
from tenantai.providers.extractive import NO_ANSWER, ExtractiveChat
from tenantai.providers.protocols import ChatModel
from tenantai.rag.citations import Citation
from tenantai.server.services.chat_turn import ChatTurns
from tenantai.server.services.tools.outgoing import Outgoing
from tenantai.server.services.tools.registry import Tools
from tenantai.storage.audit import SYSTEM
from tenantai.wire.chat import ChatMessage

QUESTIONS = ROOT / "benchmarks" / "answers" / "questions.jsonl"
QUOTES = 3
PASSAGES = 8
KINDS = ("plain", "paraphrase", "table")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what came of it; `places` are its right passages by file, `pages` their pages."""

    question: dict[str, Any]
    citations: Sequence[Citation]
    refused: bool
    retrieved: bool

    @property
    def right(self) -> list[tuple[Citation, int | None]]:
        """The right ones of the first quotes, each with the page it should name."""
        found = []
        for citation in self.citations[:QUOTES]:
            for place in places(self.question):
                if citation.file_name == place["file"] and holds(citation.quote, place["answers"]):
                    found.append((citation, place.get("page")))
                    break
        return found


async def measure() -> Outcome:
    """Ask every question, each in a conversation of its own."""
    questions = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    embedding = Remembering(await minilm())
    try:
        async with opened_store(embedding) as store:
            await store.fill(own_documents())
            outgoing = Outgoing()
            model = cast("ChatModel", ExtractiveChat(embedding))
            turns = ChatTurns(store.database, store.search, model, tools=Tools(store.database, outgoing), outgoing=outgoing)
            asked = [await _ask(store, turns, question) for question in questions]
    finally:
        await embedding.close()
    return [figure for split in ("test", "dev") for figure in _figures(split, [a for a in asked if a.question["split"] == split])]


async def _ask(store: Store, turns: ChatTurns, question: dict[str, Any]) -> Asked:
    body = ChatMessage.model_validate({"tenantId": store.tenant_id, "message": question["question"]})
    turn = await turns.prepare(body, account_id=None, request_id="bench", stream_seconds=60, actor=SYSTEM)
    await turns.run(turn, _unread)
    if turn.error is not None:
        raise turn.error
    passages = await store.search.passages(store.tenant_id, question=question["question"], top_k=PASSAGES)
    retrieved = any(
        p.file_name == place["file"] and holds(p.text, place["answers"]) for p in passages for place in places(question)
    )
    return Asked(question, turn.citations, turn.text.strip() == NO_ANSWER, retrieved)


async def _unread(_event: object) -> None:
    """Take an event; the whole answer is in the turn."""


def _figures(split: str, asked: Sequence[Asked]) -> list[Figure]:
    answerable = [a for a in asked if a.question["kind"] != "unanswerable"]
    others = [a for a in asked if a.question["kind"] == "unanswerable"]
    cited = [pair for a in answerable for pair in a.right if pair[1] is not None]
    return [
        *(
            _share(f"{split}: right passage in the first {QUOTES} quotes, {kind}", [bool(a.right) for a in of_kind])
            for kind in KINDS
            if (of_kind := [a for a in answerable if a.question["kind"] == kind])
        ),
        _share(f"{split}: right passage in the first {QUOTES} quotes, all", [bool(a.right) for a in answerable]),
        _share(f"{split}: right passage among the {PASSAGES} passages found", [a.retrieved for a in answerable]),
        _share(f"{split}: unanswerable, rightly said", [a.refused for a in others]),
        _share(f"{split}: answerable, wrongly refused", [a.refused for a in answerable]),
        _share(f"{split}: page of a right quote from a PDF is right", [c.page == page for c, page in cited]),
    ]


def _share(name: str, outcomes: Sequence[bool]) -> Figure:
    percent = 100 * sum(outcomes) / max(len(outcomes), 1)
    return Figure(name, percent, "%", f"{sum(outcomes)} of {len(outcomes)}")


def places(question: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the places where a question is answered: the named one, and those elsewhere."""
    if not question.get("answers"):
        return []
    return [{key: question.get(key) for key in ("file", "page", "answers")}, *question.get("elsewhere", [])]


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether a text holds one of the passages, white space aside."""
    flat = " ".join(text.split())
    return any(" ".join(answer.split()) in flat for answer in answers)
