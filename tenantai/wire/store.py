"""Shapes of a store's settings, and of what syncing it with the vault comes to."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tenantai.wire.shapes import Body, Computed

AssetId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
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


class NewSync(Body):
    """POST /tenants/{tenantId}/store/sync: some assets, or, without any, all that changed."""

    asset_ids: list[AssetId] | None = Field(default=None, min_length=1, max_length=1000)


class SyncStarted(Computed):
    """The sync that runs; `is_new` is false where it ran already."""

    operation_id: str
    is_new: bool
    status: Literal["in_progress"] = "in_progress"
    started_at: str


class SyncProblem(Computed):
    """An asset that can't be searched: `state` is failed, skipped (its kind is not one that is indexed) or cancelled."""

    asset_id: str
    path: str
    state: Literal["failed", "skipped", "cancelled"]
    reason: str | None
    message: str | None


class SyncReport(Computed):
    """What a sync came to; from `in_vault` on as counted at its end, null before.

    `in_store` counts the assets that are searched as the vault has them; `matches` says that all are, but those of a kind that is
    not indexed, and that the store has nothing of the vault beyond.
    """

    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0
    retried: int = 0
    unchanged: int | None = None
    in_vault: int | None = None
    in_store: int | None = None
    skipped: int | None = None
    failed: int | None = None
    matches: bool | None = None
    is_compared: bool = False
    problems: list[SyncProblem] = Field(default_factory=list)
    error: str | None = None


class VaultChange(Computed):
    """One difference between the vault and the store."""

    change: Literal["new", "changed", "moved", "retried", "deleted", "unchanged"]
    path: str
    asset_id: str | None
    file_id: str | None
    from_path: str | None


class Refreshed(Computed):
    """What a sync would do; `changes` tells the first 200."""

    new: int
    changed: int
    moved: int
    deleted: int
    retried: int
    unchanged: int
    in_vault: int
    in_store: int
    skipped: int
    failed: int
    matches: bool
    changes: list[VaultChange]
