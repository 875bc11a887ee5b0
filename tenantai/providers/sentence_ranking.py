"""Ranks the sentences of the sources by how well they answer a question, and tells when none does.

A candidate's score is a weighted sum of four features, each between 0 and 1:

- *similarity*: cosine of question and sentence, the sentence embedded under its heading (and table header);
- *coverage*: the share of the question's content stems in the sentence, weighted by inverse document frequency among
  the candidates; a stem found only in the heading, header row or file name counts `_CONTEXT_SHARE`;
- *answer type*: whether a question for a quantity, a time or a person meets a sentence that has one;
- *source*: the passage's own score, relative to the best passage.

What must stay true: everything here is a pure function of question, sources and vectors.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tenantai.providers.protocols import Source, Vectors
from tenantai.providers.words import content_stems

WEIGHTS = {"similarity": 0.6, "coverage": 0.25, "type": 0.1, "source": 0.05}
_CONTEXT_SHARE = 0.5

_NUMBER = r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|half|once|twice|dozen|hundred|free|no)\b"
_TIME = (
    r"\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:january|february|march|april|may|june|july|august"
    r"|september|october|november|december|daily|weekly|monthly|yearly|noon|midnight|morning|evening|before|after"
    r"|until|during|(?:spring|summer|autumn|winter)|(?:minute|hour|day|week|month|year)s?)\b"
)
_ANSWER_TYPES = (
    (
        re.compile(
            r"\bhow (?:much|many|long|far|high|heavy|often|old|tall|large|big|wide|deep|fast|soon|late)\b"
            r"|\b(?:what|which) (?:\w+ ){0,2}(?:price|cost|fee|charge|size|weight|height|length|number|percentage|rate"
            r"|amount|limit|temperature|year|age)\b|\bwhat (?:do|does|is|are) .*\bcosts?\b",
            re.IGNORECASE,
        ),
        re.compile(_NUMBER, re.IGNORECASE),
    ),
    (re.compile(r"\bwhen\b|\b(?:what|which) (?:time|date|day|month|year)\b", re.IGNORECASE), re.compile(_TIME, re.I)),
    (re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE), re.compile(r"(?<=[\w,;] )[A-Z]\w+|\b[A-Z]\w+ [A-Z]\w+")),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence, list item or table row of a source."""

    source: Source
    quote: str
    table_header: str

    @property
    def context(self) -> str:
        """What stands above the sentence."""
        return "\n".join(part for part in (self.source.heading, self.table_header) if part)

    @property
    def text_to_embed(self) -> str:
        """The sentence under what stands above it."""
        return f"{self.context}\n{self.quote}".strip()


@dataclass(frozen=True, slots=True)
class Features:
    similarity: float
    coverage: float
    type: float
    source: float
