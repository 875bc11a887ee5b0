"""Shapes of the server's own log, which only the operator reads."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from tenantai.wire.shapes import Asked, Computed

LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LINES, LINES_MAX = 200, 1000


class LogQuery(Asked):
    """Which lines: of a level or a graver one, with a text in them, of a tenant."""

    level: LogLevel | None = Field(default=None, description="This level and graver ones.")
    q: Annotated[str, StringConstraints(max_length=200)] | None = Field(default=None, description="A text in the line.")
    tenant_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="This tenant's requests."
    )
    limit: int = Field(default=LINES, ge=1, le=LINES_MAX, description="How many lines at most.")


class LogLine(Computed):
    """A line of the log; `fields` is what it says beside its message. Ids begin anew with each start of the server."""

    id: int
    time: str
    level: str
    message: str
    request_id: str | None
    tenant_id: str | None
    fields: dict[str, Any]


class LogPage(Computed):
    """The newest lines first, and from where a live tail goes on."""

    lines: list[LogLine]
    last_event_id: str
