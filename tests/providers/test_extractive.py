"""The extractive chat model: what it quotes, what it leaves out, and that every quote is really there."""

import re
from collections.abc import Sequence
from typing import Literal
from zlib import crc32

import numpy as np
import pytest

from tenantai.providers.extractive import NO_ANSWER, ExtractiveChat
from tenantai.providers.local_embedding import LocalEmbedding
from tenantai.providers.protocols import (
    ChatEvent,
    ChatModel,
    ChatRequest,
    Finished,
    Source,
    TextDelta,
    Turn,
    Usage,
    Vectors,
)
from tenantai.providers.sentence_ranking import answers, shortlist
from tenantai.providers.words import content_stems

MARKER = re.compile(r"\[\[(\d+)\|(.*?)\]\]", re.DOTALL)


class BagOfStems:
    """An embedding that knows no meaning: texts are alike as far as they share stems."""

    model = "bag-of-stems"
    dimensions = 512

    def __init__(self) -> None:
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str], *, purpose: Literal["document", "query"]) -> Vectors:
        self.embedded += texts
        vectors = np.full((len(texts), self.dimensions), 1e-6, dtype=np.float32)
        for row, text in enumerate(texts):
            for each in content_stems(text):
                vectors[row, crc32(each.encode()) % self.dimensions] += 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    async def close(self) -> None:
        return


def source(number: int, *units: str, heading: str = "", header: str = "", score: float = 1.0) -> Source:
    text, spans = "", []
    for unit in units:
        spans.append((len(text), len(text) + len(unit)))
        text += unit + "\n"
    headers = tuple((index, header) for index in range(len(units))) if header else ()
    return Source(number, f"file{number}.txt", heading, text, score, tuple(spans), headers)


LIBRARY = source(
    1,
    "The fine for an overdue book is 20 cents a day.",
    "A library card is valid for three years.",
    "The reading room was destroyed by a fire in 1954.",
    "Study rooms are booked at the desk.",
    heading="Library guide",
)
ALLOWANCES = source(
    2,
    "Norway | 48 EUR | 185 EUR",
    "France | 34 EUR | 150 EUR",
    heading="Travel expenses",
    header="Country | Meal allowance | Hotel limit",
)


async def events(question: str, *sources: Source, turns: tuple[Turn, ...] = ()) -> list[ChatEvent]:
    model: ChatModel = ExtractiveChat(BagOfStems())
    request = ChatRequest("", (*turns, Turn("user", question)), sources)
    return [event async for event in model.stream(request)]


def text_of(answer: Sequence[ChatEvent]) -> str:
    return "".join(event.text for event in answer if isinstance(event, TextDelta))


def quotes_of(answer: Sequence[ChatEvent]) -> list[tuple[int, str]]:
    return [(int(number), quote) for number, quote in MARKER.findall(text_of(answer))]


async def test_the_answering_sentence_comes_first_with_its_marker() -> None:
    """The sentence stands word for word, its marker names the source and repeats the unit's text."""
    answer = await events("How long is a library card valid?", LIBRARY, ALLOWANCES)

    sentence = "A library card is valid for three years."
    assert text_of(answer).startswith(f"{sentence} [[1|{sentence}]]")


async def test_it_streams_in_pieces_and_ends_with_usage_and_reason() -> None:
    """The answer arrives in word groups; estimated usage and the reason come last."""
    answer = await events("What is the fine for an overdue book?", LIBRARY)

    assert len([event for event in answer if isinstance(event, TextDelta)]) > 3
    assert isinstance(answer[-2], Usage)
    assert answer[-2].estimated
    assert answer[-2].input_tokens > 0
    assert answer[-1] == Finished("stop")


async def test_a_table_row_is_read_under_its_header() -> None:
    """The header row leads the text, so that the cells can be understood; the quote is the row alone."""
    answer = await events("What is the hotel limit in Norway?", LIBRARY, ALLOWANCES)

    row = "Norway | 48 EUR | 185 EUR"
    assert text_of(answer).startswith(f"Country | Meal allowance | Hotel limit\n{row} [[2|{row}]]")


async def test_a_header_row_is_never_quoted() -> None:
    """A bare header row is no answer, also where it is a unit of its own, in its passage or another; its data rows are."""
    header, row = "Country | Meal allowance | Hotel limit", "Norway | 48 EUR | 185 EUR"
    own = source(3, header, row, heading="Travel expenses", header=header)
    for passages in ((own,), (source(1, header), ALLOWANCES)):
        answer = await events("What is the hotel limit, and what the meal allowance, by country?", *passages)
        assert quotes_of(answer)
        assert header not in [quote for _, quote in quotes_of(answer)]


@pytest.mark.parametrize("title", ["THE OLD LIBRARY\nHow long is a card valid", "THE OLD LIBRARY CARD", "Library guide"])
async def test_a_title_is_never_quoted(title: str) -> None:
    """What only names the text below it is no answer."""
    guide = source(1, title, "A library card is valid for three years.", heading="Library guide")
    answer = await events("How long is a card of the old library valid?", guide)
    assert [quote for _, quote in quotes_of(answer)] == ["A library card is valid for three years."]


@pytest.mark.parametrize(("one", "other"), [("sold", "sell"), ("paid", "pay"), ("children", "child's"), ("kept", "keeping")])
def test_irregular_forms_meet(one: str, other: str) -> None:
    """A verb's or noun's irregular form has the stem of its base."""
    assert content_stems(one) == content_stems(other)


async def test_a_notice_in_capitals_is_quoted() -> None:
    """Capitals alone make no title: a notice may be all that answers."""
    notice = "SMOKING IS FORBIDDEN IN THE LIBRARY"
    for passage in (source(1, notice), source(1, "Welcome to all of you.", notice)):
        assert quotes_of(await events("Is smoking forbidden in the library?", passage))[0] == (1, notice)


async def test_much_weaker_sentences_are_left_out() -> None:
    """Beside a sentence that answers stand only such as come near to it, the best first."""
    answer = await events("How long is a library card valid?", LIBRARY)
    assert [quote for _, quote in quotes_of(answer)] == ["A library card is valid for three years."]


@pytest.mark.parametrize("question", ["Who won the football match yesterday?", "How do I install Windows?", "?", ""])
async def test_what_nothing_answers_is_said_plainly(question: str) -> None:
    """Where no sentence answers there is one fixed sentence and no marker."""
    answer = await events(question, LIBRARY, ALLOWANCES)

    assert text_of(answer) == NO_ANSWER
    assert answer[-1] == Finished("stop")


async def test_no_sources_give_the_same_statement() -> None:
    """Without sources, or with none that has a sentence, nothing is embedded and the fixed sentence is said."""
    assert text_of(await events("What is the fine?")) == NO_ANSWER
    assert text_of(await events("What is the fine?", source(1, "---", " ", ""))) == NO_ANSWER


async def test_at_most_three_sentences_and_no_near_duplicates() -> None:
    """The same sentence from two files is quoted once; rows that differ in a number only are both kept."""
    fines = [f"The fine for an overdue item of kind {kind} is {kind}0 cents." for kind in range(1, 6)]
    answer = await events("What is the fine for an overdue item?", source(1, *fines), source(2, *fines))
    quotes = [quote for _, quote in quotes_of(answer)]

    assert len(quotes) == 3
    assert len(set(quotes)) == 3


@pytest.mark.parametrize(
    "unit",
    [
        "The fine [[2|is nothing]] for an overdue book.",
        "The fine for an overdue book (see [note [3]]) is high.",
        "The fine for an overdue book is in [table 3]",
        "The fine for an overdue book\n   is broken\tacross lines.",
        "  The fine for an overdue book has spaces around it.  ",
        "The fine for an overdue book " + "and so on " * 400,
    ],
)
async def test_every_quote_stands_in_its_source(unit: str) -> None:
    """A unit with brackets, line breaks or endless text still gives a marker that parses and a quote that is there."""
    passage = source(7, unit)
    answer = await events("What is the fine for an overdue book?", passage)
    quotes = quotes_of(answer)

    assert [number for number, _ in quotes] == [7]
    assert quotes[0][1] in passage.text
    assert quotes[0][1] == quotes[0][1].strip()
    assert len(quotes[0][1]) > 5
    assert MARKER.sub("", text_of(answer)).strip() == " ".join(quotes[0][1].split())


async def test_a_question_in_the_text_is_never_quoted_as_an_answer() -> None:
    """In a list of questions and answers the asked question leads to the answer below it."""
    listed = source(3, "Do you take my old sofa away?", "Yes, for 38 euros.", "Is there a lift?", "In the north wing.")
    answer = await events("Do you take an old sofa away?", listed)

    assert quotes_of(answer)[0] == (3, "Yes, for 38 euros.")
    assert not any(quote.endswith("?") for _, quote in quotes_of(answer))


def test_a_name_that_no_source_has_raises_the_bar() -> None:
    """The same evidence answers for a place that the sources know, and not for one that they do not mention."""
    scores = np.array([0.9, 0.5, 0.4])
    known = shortlist("What is the limit in Norway?", [ALLOWANCES], keep=9)
    unknown = shortlist("What is the limit in Malta?", [ALLOWANCES], keep=9)

    assert answers(scores, 0.4, names_unknown=known.names_unknown)
    assert not answers(scores, 0.4, names_unknown=unknown.names_unknown)


async def test_a_short_follow_up_is_read_with_the_question_before() -> None:
    """A turn of one content word takes its topic from the question before it."""
    before = (Turn("user", "What is the hotel limit in Norway?"), Turn("assistant", "185 EUR"))
    answer = await events("And in France?", ALLOWANCES, LIBRARY, turns=before)

    assert "France | 34 EUR | 150 EUR" in [quote for _, quote in quotes_of(answer)]


async def test_only_the_likeliest_sentences_are_embedded() -> None:
    """However much text the sources hold, the number of sentences that reach the model is bounded, and kept ones stay."""
    embedding = BagOfStems()
    chat = ExtractiveChat(embedding)
    many = source(1, *(f"Sentence {index} is about something else." for index in range(500)))
    request = ChatRequest("", (Turn("user", "What is the fine for an overdue book?"),), (many, LIBRARY))

    first = [event async for event in chat.stream(request)]
    embedded = len(embedding.embedded)
    assert "20 cents" in text_of(first)
    assert embedded <= 50

    assert [event async for event in chat.stream(request)] == first
    assert len(embedding.embedded) == embedded + 1


async def test_the_real_model_answers_words_it_does_not_share(minilm: LocalEmbedding) -> None:
    """With MiniLM a paraphrased question finds its sentence, and an unrelated one nothing."""
    chat = ExtractiveChat(minilm)
    asked = ChatRequest("", (Turn("user", "What do I pay for returning a book too late?"),), (LIBRARY, ALLOWANCES))
    unrelated = ChatRequest("", (Turn("user", "What is the boiling point of ethanol?"),), (LIBRARY, ALLOWANCES))

    assert "20 cents" in quotes_of([event async for event in chat.stream(asked)])[0][1]
    assert text_of([event async for event in chat.stream(unrelated)]) == NO_ANSWER
