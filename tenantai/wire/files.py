"""Shapes of files, the store, its progress and its search."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tenantai.wire.shapes import WHITESPACE, Body, Computed, Record
from tenantai.wire.store import PASSAGES_MAX, SyncReport

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class FileRecord(Record):
    """A file of the store; `asset_id` and `asset_path` name the asset of the vault that it stands for."""

    id: str
    account_id: str | None
    operation_id: str
    name: str
    media_type: str | None
    bytes: int
    sha256: str
    state: str
    excluded: bool
    error_code: str | None
    error_message: str | None
    page_count: int | None
    chunk_count: int
    created_at: str
    updated_at: str
    asset_id: str | None
    asset_path: str | None


class FileActions(Body):
    """POST /tenants/{tenantId}/store/files/actions."""

    action: Literal["exclude", "include", "delete", "resync"]
    file_ids: list[Identifier] = Field(min_length=1, max_length=1000)


class FileActionResult(Computed):
    """What came of an action on one file."""

    file_id: str
    ok: bool
    error: str | None = None


FileStage = Literal["extracting", "chunking", "embedding", "finishing"]
RateUnit = Literal["pages_per_second", "characters_per_second", "chunks_per_second"]


class FileProgress(Computed):
    """A file under way: its stages come in the order of `FileStage`, and its percentage never goes back within one try.

    `done` of `total` and `rate` are of the stage, in what `rate_unit` names; null where its reader tells none, or too little
    is known. `eta_seconds` is until the file can be searched; null before it is known how many chunks it has.
    """

    id: str
    name: str
    stage: FileStage
    percentage: float
    done: int | None
    total: int | None
    rate: float | None
    rate_unit: RateUnit | None
    eta_seconds: float | None


class FileEnded(Computed):
    """What became of a file lately, as its record has it."""

    id: str
    state: Literal["ready", "failed", "skipped"]
    page_count: int | None
    chunk_count: int
    error_code: str | None
    error_message: str | None
    updated_at: str


class Progress(Computed):
    """How far the tenant's newest operation is; `report` is there where it is a sync with the vault.

    `current_file` is one of the `current_files` that are worked on at once; `stage` is `cancelled` where it was. `files` are
    these (the workers take two of a tenant at most), `ended` those that ended in the last five seconds (the last 50 at most).
    """

    status: Literal["idle", "in_progress", "completed", "failed"]
    percentage: float
    processed_files: int
    total_files: int
    failed_files: int
    current_file: str | None
    current_files: int = 0
    stage: str | None
    eta_seconds: float | None
    operation_id: str | None
    started_at: str | None
    finished_at: str | None
    report: SyncReport | None = None
    files: tuple[FileProgress, ...] = ()
    ended: tuple[FileEnded, ...] = ()


class StoreSearch(Body):
    """POST /tenants/{tenantId}/store/search; without `top_k` as many passages as the store's settings say."""

    query: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
        Field(json_schema_extra={"pattern": f"[^{WHITESPACE}]"}),
    ]
    top_k: int | None = Field(default=None, ge=1, le=PASSAGES_MAX)
    account_id: Identifier | None = None


class SearchScores(Computed):
    """BM25, cosine and fused score of a hit; the fused one compares hits of one search only."""

    lexical: float
    vector: float
    fused: float


class SearchHit(Computed):
    """A passage that retrieval would hand to the model."""

    file_id: str
    file_name: str
    account_id: str | None
    heading: str
    page: int | None
    text: str
    start: int
    end: int
    scores: SearchScores
