"""Shapes of the read-only SQL box over the analytics."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tenantai.wire.files import Identifier
from tenantai.wire.shapes import WHITESPACE, Body, Computed

SQL_CHARACTERS_MAX = 20_000
ROWS, ROWS_MAX = 1000, 10_000


class AnalyticsQuestion(Body):
    """POST /analytics/query: one SELECT; the operator names a tenant, or asks about all."""

    sql: Annotated[
        str, StringConstraints(min_length=1, max_length=SQL_CHARACTERS_MAX, pattern=rf"^[^\x00]*[^\x00{WHITESPACE}][^\x00]*$")
    ]
    limit: int = Field(default=ROWS, ge=1, le=ROWS_MAX)
    tenant_id: Identifier | None = None


class AnalyticsColumn(Computed):
    """A column of an answer, and its type as DuckDB names it."""

    name: str
    type: str


class AnalyticsTable(Computed):
    """A table that was asked: how many rows it had, and whether those are all there are, or the newest only."""

    name: str
    rows: int
    is_whole: bool


class AnalyticsAnswer(Computed):
    """The rows of an answer; `truncated` says that there are more than were asked for, or than fit into an answer.

    Times are texts; so are numbers that a double can't hold exactly. A long text is cut, its last character being `…` then.
    """

    columns: list[AnalyticsColumn]
    rows: list[list[Any]]
    truncated: bool
    elapsed_ms: float
    tables: list[AnalyticsTable]
