"""What a tenant used over time: GET /usage/history."""

from typing import Literal

from pydantic import Field

from tenantai.wire.audit import Identifier, Moment
from tenantai.wire.shapes import Asked, Computed

Interval = Literal["hour", "day", "month"]
Group = Literal["endpoint", "key", "account", "model", "status"]


class UsageHistoryQuery(Asked):
    """GET /usage/history: a span in intervals, of all or by groups; `format` exports the events themselves."""

    tenant_id: Identifier | None = None
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    interval: Interval = "day"
    group_by: Group | None = None
    format: Literal["csv", "jsonl", "parquet"] | None = None


class UsageBucket(Computed):
    """What an interval that begins at `start` brought; `group` is the endpoint, key and so on, null where there is none.

    `errors` are those of the requests that were answered with 400 or more; `refused` are requests that a limit turned away,
    which are in no other number.
    """

    start: str
    group: str | None
    requests: int
    errors: int
    refused: int
    input_tokens: int
    output_tokens: int
    total_tokens: int


class UsageHistory(Computed):
    """The intervals of a span in which anything happened, in order; `complete_through` is when the last event may be from."""

    interval: Interval
    group_by: Group | None
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    buckets: list[UsageBucket]
    complete_through: str | None
