"""Shapes of what is happening now, over all tenants, for the operator."""

from typing import Literal

from pydantic import Field

from tenantai.wire.shapes import Asked, Computed

UsageSpan = Literal["hour", "day"]


class OverviewQuery(Asked):
    """GET /overview: what was used in the last hour by minutes, or in the last 24 hours by hours."""

    span: UsageSpan = Field(default="hour", description="The last 60 minutes, or the last 24 hours.")


class StreamsOfTenant(Computed):
    """A tenant and how many answers are on their way to it now."""

    tenant_id: str
    tenant_name: str | None
    streams: int


class OpenStreams(Computed):
    """Streams that are open now: answers (`chat`), tails and exports (`live`), and the 20 tenants with most answers."""

    chat: int
    live: int
    by_tenant: list[StreamsOfTenant]


class RunningOperation(Computed):
    """A sync or indexing that is in progress."""

    tenant_id: str
    tenant_name: str | None
    operation_id: str
    kind: Literal["index", "sync"]
    stage: str | None
    percentage: float
    processed_files: int
    total_files: int
    failed_files: int
    eta_seconds: float | None
    started_at: str


class QueueLengths(Computed):
    """Files that wait to be indexed, and those that are."""

    pending: int
    indexing: int


class OverviewBucket(Computed):
    """What all tenants used in a minute or an hour that begins at `start`."""

    start: str
    requests: int
    errors: int
    refused: int
    input_tokens: int
    output_tokens: int


class OverviewUsage(Computed):
    """60 minutes or 24 hours, the last of them not over yet; `complete_through` is the time up to which they have everything."""

    span: UsageSpan
    buckets: list[OverviewBucket]
    complete_through: str | None


class UsageAlert(Computed):
    """A tenant has used so much of a limit."""

    tenant_id: str
    tenant_name: str | None
    limit: str
    percent: int
    used: int
    allowed: int
    created_at: str


class Overview(Computed):
    """What is happening now.

    `tenants` counts 10,000 at most, `tenants_is_exact` says whether there are no more. `operations` are the 50 that began first,
    `alerts` the 20 newest of 30 days. `usage` is null where analytics can't be asked now.
    """

    tenants: int
    tenants_is_exact: bool
    streams: OpenStreams
    operations: list[RunningOperation]
    queue: QueueLengths
    usage: OverviewUsage | None
    alerts: list[UsageAlert]
