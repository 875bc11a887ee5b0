"""Ranks the sentences of the sources by how well they answer a question, and tells how sure that is.

A candidate's score is a weighted sum of four features:

- *similarity*: cosine of question and sentence, the sentence embedded under its headings and its table's header row
  (measured: the right sentence first for 89 % of questions, against 75 % without what stands above it);
- *coverage*: the share of the question's content stems in the sentence, weighted by inverse document frequency among
  the candidates; a stem found only in heading, header row or file name counts half;
- *answer type*: 1 unless the question asks for a quantity, a time or a person and the sentence has none;
- *source*: the passage's own score, relative to the best passage's.

Confidence weighs two signs that the best sentence answers: its similarity without its headings (a heading says what a
text is about, not that it answers), and how far its score stands out from the ninth candidate's (where nothing answers,
many sentences of the topic lie close together). Below `CONFIDENCE_MIN` nothing answers; a name or number in the
question that no source mentions raises that bar. The shares are a logistic regression's, rounded, over 157 questions
(the answers benchmark's dev split and 80 others over other texts), a third of them without an answer; the bar is where
most of both kinds came out right.

What must stay true: everything here is a pure function of question, sources and vectors.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tenantai.providers.protocols import Source
from tenantai.providers.words import content_stems, stem, words

CONFIDENCE_MIN = 0.34
UNKNOWN_NAME_PENALTY = 0.15
SIMILARITY_SHARE, DISTANCE_SHARE = 0.6, 0.4
COVERAGE_WEIGHT, TYPE_WEIGHT, SOURCE_WEIGHT = 0.3, 0.15, 0.1

_CONTEXT_SHARE = 0.5
_QUOTE_CHARACTERS_MAX = 800
# The rank whose score is the background. Fewer candidates are filled up with its measured median; where that many
# answer (one sentence in many files, rows of one table) it says nothing, so it counts up to the maximum.
_BACKGROUND_RANK, _BACKGROUND_SCORE, _BACKGROUND_SCORE_MAX = 9, 0.5, 0.65
_NEAR_DUPLICATE_JACCARD = 0.85

_QUANTITY = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|once|twice|hundred|free|no)\b", re.IGNORECASE
)
_MONEY = re.compile(r"[€$£]\s?\d|\d\s?(?:€|EUR|USD|GBP|CHF|euros?|dollars?|pounds?|cents?|per cent|%)|\bfree\b", re.IGNORECASE)
_TIME = re.compile(
    r"\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:january|february|march|april|may|june|july|august"
    r"|september|october|november|december|spring|summer|autumn|winter|daily|weekly|monthly|yearly|noon|midnight"
    r"|morning|evening|before|after|until|during|immediately|(?:minute|hour|day|week|month|year)s?)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"(?<=[\w,;] )[A-Z]\w+|\b[A-Z]\w+ [A-Z]\w+")
_ANSWER_TYPES = (
    (re.compile(r"(?i)\b(?:what|how much)\b.*\b(?:costs?|prices?|fees?|charged?|rent|deposit|pay|paid)\b"), _MONEY),
    (re.compile(r"(?i)\bhow (?:much|many|long|far|high|heavy|often|old|tall|large|big|wide|deep|fast)\b"), _QUANTITY),
    (re.compile(r"(?i)\b(?:what|which) (?:\w+ ){0,2}(?:price|cost|fee|size|weight|number|percentage)\b"), _QUANTITY),
    (re.compile(r"(?i)\bwhen\b|\b(?:what|which) (?:time|date|day|month|year)\b"), _TIME),
    (re.compile(r"(?i)\bwho(?:m|se)?\b"), _PERSON),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence, list item or table row of a source; `quote` is exactly a piece of the source's text."""

    source: Source
    quote: str
    table_header: str
    question: str

    @property
    def text(self) -> str:
        """The sentence, a table row under its header row, the answer of a list of questions under its question."""
        lead = self.table_header or self.question
        return f"{lead}\n{self.quote}" if lead else self.quote

    @property
    def text_in_context(self) -> str:
        """The sentence under its headings."""
        return f"{self.source.heading}\n{self.text}" if self.source.heading else self.text


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The candidates worth embedding, and each one's score without its similarity."""

    candidates: tuple[Candidate, ...]
    scores: NDArray[np.float64]
    names_unknown: bool


def shortlist(question: str, sources: Sequence[Source], *, keep: int) -> Shortlist:
    """Return the `keep` candidates with the most lexical evidence."""
    header_rows = {_flat(row) for source in sources for _, row in source.table_headers}
    found = [candidate for source in sources for candidate in _candidates(source)]
    candidates = [each for each in found if _flat(each.quote) not in header_rows and not _is_title(each)]
    scores = (
        COVERAGE_WEIGHT * _coverage(question, candidates)
        + TYPE_WEIGHT * _type_fits(question, candidates)
        + SOURCE_WEIGHT * _source_scores(candidates)
    )
    kept = np.sort(np.argsort(-scores, kind="stable")[:keep])
    return Shortlist(tuple(candidates[index] for index in kept), scores[kept], _names_unknown(question, sources))


def best(candidates: Sequence[Candidate], scores: NDArray[np.float64], *, count: int, share: float) -> list[int]:
    """Return the indexes of at most `count` candidates with that share of the best's score, without near-duplicates."""
    chosen: list[int] = []
    for index in map(int, np.argsort(-scores, kind="stable")):
        if len(chosen) == count or (chosen and scores[index] < scores[chosen[0]] * share):
            break
        if not any(_near_duplicates(candidates[index].quote, candidates[other].quote) for other in chosen):
            chosen.append(index)
    return chosen


def answers(scores: NDArray[np.float64], similarity_alone: float, *, names_unknown: bool) -> bool:
    """Tell whether the best candidate is one that answers; `similarity_alone` is its own, without its headings."""
    bar = CONFIDENCE_MIN + (UNKNOWN_NAME_PENALTY if names_unknown else 0)
    return confidence(scores, similarity_alone) >= bar


def confidence(scores: NDArray[np.float64], similarity_alone: float) -> float:
    """Return how sure it is that the best candidate answers, about 0 to 1."""
    filling = [_BACKGROUND_SCORE] * (_BACKGROUND_RANK - len(scores))
    background = min(float(np.sort([*scores, *filling])[-_BACKGROUND_RANK]), _BACKGROUND_SCORE_MAX)
    return SIMILARITY_SHARE * similarity_alone + DISTANCE_SHARE * (float(np.max(scores)) - background)


def _candidates(source: Source) -> list[Candidate]:
    """Return the source's usable units; a question is none, but says what the unit after it is about."""
    headers = dict(source.table_headers)
    found: list[Candidate] = []
    question = ""
    for index, (start, end) in enumerate(source.units):
        quote = _usable(source.text[start:end])
        header = _flat(headers.get(index, ""))
        if quote.endswith("?"):
            question = quote
        elif any(map(str.isalnum, quote)):
            found.append(Candidate(source, quote, header, question))
            question = ""
    return found


def _is_title(candidate: Candidate) -> bool:
    """Tell whether a unit only names what is below it: a heading, or a passage's first lines in capitals without a number."""
    source, quote = candidate.source, candidate.quote
    if _flat(quote) in source.heading.split(" > "):
        return True
    is_first = len(source.units) > 1 and source.text.lstrip().startswith(quote)
    return is_first and quote.split("\n", 1)[0].isupper() and not re.search(r"\d|[.!|]$", quote)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _usable(text: str) -> str:
    """Return as much of a unit as can stand in a citation marker: no brackets of its own, and not endless."""
    text = re.split(r"\[\[|\]\]", text.strip(), maxsplit=1)[0].rstrip().removesuffix("]").rstrip()
    if len(text) <= _QUOTE_CHARACTERS_MAX:
        return text
    return text[:_QUOTE_CHARACTERS_MAX].rsplit(maxsplit=1)[0]


def _coverage(question: str, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Return for each candidate the share of the question's stems that it has, rare ones weighing more."""
    asked = content_stems(question)
    own = [content_stems(candidate.quote) & asked for candidate in candidates]
    above = {key: content_stems(" ".join(key)) & asked for key in {_above(candidate) for candidate in candidates}}
    context = [above[_above(candidate)] for candidate in candidates]
    frequency = Counter(found for pair in zip(own, context, strict=True) for found in frozenset().union(*pair))
    weight = {each: math.log(1 + len(candidates) / (0.5 + frequency[each])) for each in asked}
    total = sum(weight.values()) or 1
    shares = [
        sum(weight[each] for each in inside) + _CONTEXT_SHARE * sum(weight[each] for each in outside - inside)
        for inside, outside in zip(own, context, strict=True)
    ]
    return np.array(shares, dtype=np.float64) / total


def _above(candidate: Candidate) -> tuple[str, str, str, str]:
    return candidate.source.file_name, candidate.source.heading, candidate.table_header, candidate.question


def _type_fits(question: str, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Return 1 where the kind of thing asked for is there or nothing special is asked for, else 0."""
    for asked, answer in _ANSWER_TYPES:
        if asked.search(question):
            return np.array([bool(answer.search(candidate.quote)) for candidate in candidates], dtype=np.float64)
    return np.ones(len(candidates))


def _source_scores(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    scores = np.array([candidate.source.score for candidate in candidates], dtype=np.float64)
    top = scores.max(initial=0)
    return np.clip(scores / top, 0, 1) if top > 0 else np.ones(len(candidates))


def _names_unknown(question: str, sources: Sequence[Source]) -> bool:
    """Tell whether the question names something, by a capital or a number, that no source mentions."""
    tokens = question.split()
    names = [after for before, after in pairwise(tokens) if after[:1].isupper() and before[-1] not in ".?!:"]
    names += [token for token in tokens if re.search(r"\d\d", token)]
    asked = {stem(word) for name in names for word in words(name)} & content_stems(question)
    if not asked:
        return False
    known = frozenset().union(*(content_stems(f"{each.file_name} {each.heading} {each.text}") for each in sources))
    return not asked <= known


def _near_duplicates(one: str, other: str) -> bool:
    """Tell whether two sentences have nearly the same words and exactly the same numbers."""
    first, second = set(words(one)), set(words(other))
    numbers_differ = any(word[:1].isdigit() for word in first ^ second)
    return not numbers_differ and len(first & second) >= _NEAR_DUPLICATE_JACCARD * len(first | second)
