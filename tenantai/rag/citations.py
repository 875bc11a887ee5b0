"""Citations: what a model quotes, found again in the sources, or not sent.

A model marks a claim with `[[n|words of the source]]` or `[[n]]`, n being a source's number. `CitationReader` takes the answer as
it arrives, passes the text on with each mark replaced by `[k]`, or as the store's settings have it, and collects citation k. What
must stay true: a citation's quote is the file's own text from `start` to `end`, and its number is the one in its mark, whatever
becomes of other citations; a mark whose words are not in its source, or that would be one more than are cited, is dropped.
"""

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tenantai.rag.search import Passage
from tenantai.wire.store import CitationSettings

OPEN, CLOSE = "[[", "]]"
MARK_CHARACTERS_MAX = 2000
SAID_CHARACTERS_MAX = 4 * MARK_CHARACTERS_MAX
QUOTE_CHARACTERS_MIN = 3
SHARED_WORDS_MIN = 2
DEFAULTS = CitationSettings()
MARKDOWN = re.compile(r"([\\`*\[\]<>])")
FOLDED = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "–": "-", "—": "-", "‑": "-", "\u00a0": " "})


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote with its place: `start` and `end` are half-open offsets, in characters, in the file's extracted text."""

    number: int
    file_id: str
    file_name: str
    account_id: str | None
    page: int | None
    quote: str
    start: int
    end: int
    score: float


class CitationReader:
    """Reads an answer piece by piece; `citations` grows as marks are found true."""

    def __init__(self, passages: Sequence[Passage], *, settings: CitationSettings = DEFAULTS) -> None:
        self._passages = list(passages)
        self._settings = settings
        self._held = ""
        self._said = ""
        self.citations: list[Citation] = []

    def add(self, passages: Sequence[Passage]) -> list[int]:
        """Take more sources; returns the numbers that they are cited by, an old one's where it is known already."""
        numbers = []
        for passage in passages:
            place = (passage.file_id, passage.start, passage.end)
            known = [n for n, other in enumerate(self._passages, 1) if (other.file_id, other.start, other.end) == place]
            if not known:
                self._passages.append(passage)
            numbers.append(known[0] if known else len(self._passages))
        return numbers

    def feed(self, piece: str) -> str:
        """Take a piece of the model's text and return what can be shown of it now."""
        if not self._held and "[" not in piece:
            return self._pass_on(piece)
        self._held += piece
        shown = ""
        while (at := self._held.find(OPEN)) >= 0:
            close = self._held.find(CLOSE, at)
            if close < 0 and len(self._held) - at <= MARK_CHARACTERS_MAX:
                break
            end = at + len(OPEN) if close < 0 else close + len(CLOSE)
            shown += self._pass_on(self._held[:at])
            shown += self._pass_on(self._resolved(self._held[at:end]))
            self._held = self._held[end:]
        else:
            keep = 1 if self._held.endswith("[") else 0
            shown += self._pass_on(self._held[: len(self._held) - keep])
            self._held = self._held[len(self._held) - keep :]
            return shown
        shown += self._pass_on(self._held[:at])
        self._held = self._held[at:]
        return shown

    def finish(self) -> str:
        """Return what is left at the end of the answer; a mark that was never closed is dropped."""
        rest = "" if self._held.startswith(OPEN) else self._held
        self._held = ""
        return self._pass_on(rest)

    def _pass_on(self, text: str) -> str:
        self._said += text
        if len(self._said) > SAID_CHARACTERS_MAX:
            self._said = self._said[-MARK_CHARACTERS_MAX:]
        return text

    def _resolved(self, mark: str) -> str:
        """Return what is shown for a mark whose words are in its source, the text itself for what is no mark, else nothing."""
        parsed = re.fullmatch(r"\[\[\s*(\d{1,3})\s*(?:\|(.*))?\]\]", mark, re.DOTALL)
        if parsed is None:
            return mark
        number = int(parsed[1])
        if not 1 <= number <= len(self._passages):
            return ""
        passage = self._passages[number - 1]
        span = locate(parsed[2], passage.text) if parsed[2] else best_unit(self._said[-MARK_CHARACTERS_MAX:], passage)
        cited = self._cite(passage, span) if span is not None and self._settings.enabled else None
        return "" if cited is None else self._shown(cited)

    def _shown(self, number: int) -> str:
        """Return how a citation is shown in the text."""
        if self._settings.style == "numbered":
            return f"[{number}]"
        return in_words(self.citations[number - 1]) if self._settings.style == "inline" else ""

    def _cite(self, passage: Passage, span: tuple[int, int]) -> int | None:
        """Return the number of the citation for a span, adding it where it is new; None where no more are cited."""
        citation = cite(passage, span, number=len(self.citations) + 1)
        for other in self.citations:
            if (other.file_id, other.start, other.end) == (citation.file_id, citation.start, citation.end):
                return other.number
        if len(self.citations) >= self._settings.max_citations:
            return None
        self.citations.append(citation)
        return citation.number


def cite(passage: Passage, span: tuple[int, int], *, number: int) -> Citation:
    """Make the citation of a span of a passage's text, shown in the answer as `[number]`."""
    start, end = span
    at = bisect.bisect_right([offset for offset, _ in passage.page_starts], start) - 1
    return Citation(
        number=number,
        file_id=passage.file_id,
        file_name=passage.file_name,
        account_id=passage.account_id,
        page=passage.page_starts[at][1] if at >= 0 else passage.page,
        quote=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
        score=round(passage.scores.fused, 4),
    )


def in_words(citation: Citation) -> str:
    """Return a citation's file and page as they stand in a text, with what would be Markdown in a name escaped."""
    name = MARKDOWN.sub(r"\\\1", citation.file_name)
    return f"({name})" if citation.page is None else f"({name}, p. {citation.page})"


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return where a quote stands in a text, whatever its white space, quotation marks, dashes and case; None if nowhere."""
    wanted = quote.strip().strip('"“”').strip()
    if len(wanted) < QUOTE_CHARACTERS_MIN:
        return None
    exact = text.find(wanted)
    if exact >= 0:
        return exact, exact + len(wanted)
    pattern = r"\s+".join(re.escape(word) for word in wanted.translate(FOLDED).split())
    found = re.search(pattern, text.translate(FOLDED), re.IGNORECASE)
    return found.span() if found else None


def best_unit(said: str, passage: Passage) -> tuple[int, int] | None:
    """Return the sentence of a passage that shares most words with the claim just made; None where none shares enough."""
    claim = _words(re.split(r"(?<=[.!?\n])\s+", said.strip())[-1])
    scored = [(len(claim & _words(passage.text[start:end])), -start, (start, end)) for start, end in passage.units]
    shared, _, span = max(scored, default=(0, 0, (0, 0)))
    return span if shared >= SHARED_WORDS_MIN else None


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 3 or word.isdigit()}  # noqa: PLR2004  short words are function words
