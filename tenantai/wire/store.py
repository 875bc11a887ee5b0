"""Shapes of a store's settings: how answers cite, and what they are made from."""

from typing import Literal

from pydantic import Field

from tenantai.wire.shapes import Body, Computed

CitationStyle = Literal["numbered", "inline", "none"]

CITATIONS_MAX = 50
PASSAGES_MAX = 50
PASSAGES = 8


class CitationSettings(Computed):
    """How an answer cites: `numbered` puts `[k]` in its text, `inline` the file's name and page, `none` nothing."""

    enabled: bool = True
    style: CitationStyle = "numbered"
    max_citations: int = CITATIONS_MAX
    include_quotes: bool = True


class RetrievalSettings(Computed):
    """What is searched for an answer: how many passages, and how good each must be beside the best (0 takes all)."""

    top_k: int = PASSAGES
    min_score: float = 0.0


class StoreSettings(Computed):
    """The settings of a tenant's store."""

    citations: CitationSettings = CitationSettings()
    retrieval: RetrievalSettings = RetrievalSettings()


class CitationChange(Body):
    """What to change in how answers cite; what is left out, or null, stays."""

    enabled: bool | None = None
    style: CitationStyle | None = None
    max_citations: int | None = Field(default=None, ge=1, le=CITATIONS_MAX)
    include_quotes: bool | None = None


class RetrievalChange(Body):
    """What to change in what is searched; what is left out, or null, stays."""

    top_k: int | None = Field(default=None, ge=1, le=PASSAGES_MAX)
    min_score: float | None = Field(default=None, ge=0, le=1)


class StoreSettingsChange(Body):
    """PATCH /tenants/{tenantId}/store."""

    citations: CitationChange | None = None
    retrieval: RetrievalChange | None = None
