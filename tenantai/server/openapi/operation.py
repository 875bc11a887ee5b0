"""What the description says of one route beyond its path: who may call it, what it takes and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from tenantai.server.openapi.headers import Headers

JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query string or a header, and its JSON Schema."""

    name: str
    schema: JsonSchema
    description: str
    required: bool = False
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Stream:
    """An event stream that a route answers, and the union of its events."""

    events: Any
    description: str


@dataclass(frozen=True, slots=True)
class Content:
    """An answer that is not JSON: its media types, and a sentence on what is in it."""

    media_types: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart form: the schema of its parts by name; the bytes of a file are `FILE`."""

    parts: Mapping[str, JsonSchema]
    required: tuple[str, ...] = ("file",)


FILE: JsonSchema = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}

Answer = type[BaseModel] | Stream | Content | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One route; the statuses that every route of its kind may answer with are added by the document.

    `scope` is None where anyone may call it. `answers` gives what each status of success holds, a tuple where the client chooses.
    `form` is another way to send what `body` holds. The query string is what `asks` holds, and `query` beside it. `errors` are
    the statuses of failure beyond the usual ones, `headers` what answers of a status carry beyond the usual ones. `takes_session`
    is for what a session of the Asset Manager opens, too.
    """

    tag: str
    scope: str | None
    answers: Mapping[int, Answer | tuple[Answer, ...]]
    body: type[BaseModel] | Form | None = None
    is_body_optional: bool = False
    form: Form | None = None
    asks: type[BaseModel] | None = None
    query: tuple[Query, ...] = ()
    errors: frozenset[int] = field(default_factory=frozenset)
    headers: Mapping[int, Headers] = field(default_factory=dict)
    takes_session: bool = False

    @property
    def may_stream(self) -> bool:
        """Whether a client may have an event stream."""
        answers = (answer if isinstance(answer, tuple) else (answer,) for answer in self.answers.values())
        return any(isinstance(choice, Stream) for choices in answers for choice in choices)


PAGE = (
    Query("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "How many rows at most."),
    Query("cursor", {"type": "string", "maxLength": 200}, "The `nextCursor` of the page before."),
)


def listing(name: str, of: type[BaseModel], *, title: str) -> type[BaseModel]:
    """Return the shape of a page of records under a name, with the cursor of the next one."""
    following = (str | None, Field(alias="nextCursor", description="Null at the end."))
    return create_model(title, __config__=ConfigDict(populate_by_name=True), **{name: (list[of], ...), "next_cursor": following})  # type: ignore[call-overload,no-any-return,valid-type]
