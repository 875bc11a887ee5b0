"""What a validation found is told in our own words."""

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError
from pydantic_core.core_schema import ErrorType

from tenantai.parsing import problems_of
from tenantai.server.routes import ROUTES
from tenantai.validation import BOUNDED, sentence
from tenantai.wire.shapes import Body

THEIRS = ("Input", "should", "Field", "valid ", "parse", "Extra", "Value error", "got ", "Python", "pydantic")
WRONG: tuple[Any, ...] = (None, "", " ", "x" * 20_000, "\x00", 7, -1, 1.5, True, [], [1], [""], ["a"] * 2000, {}, {"a": 1})
CONTEXT = {"error": "ours", **dict.fromkeys((bound for _, bound in BOUNDED.values()), 3)}


class Colour(Enum):
    """Some colours."""

    RED = "red"


class Everything(BaseModel):
    """A body with a field of every common type."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=3)]
    word: Annotated[str, Field(min_length=2)] = "ab"
    pattern: Annotated[str, Field(pattern="^a")] = "a"
    number: Annotated[int, Field(ge=1, lt=5)] = 1
    share: Annotated[float, Field(gt=0, le=1)] = 1
    truth: bool = True
    colour: Colour = Colour.RED
    role: Literal["admin", "viewer"] = "viewer"
    id: UUID | None = None
    moment: datetime | None = None
    day: date | None = None
    address: HttpUrl | None = None
    entries: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    table: dict[str, int] = {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", "", "must not be empty"),
        ("text", "abcd", "must have at most 3 characters"),
        ("text", 5, "must be text"),
        ("word", "a", "must have at least 2 characters"),
        ("pattern", "b", "must hold more than white space, and no NUL or other control characters"),
        ("number", 0, "must be at least 1"),
        ("number", 5, "must be less than 5"),
        ("number", "many", "must be a whole number"),
        ("number", 1.5, "must be a whole number"),
        ("number", None, "must be a whole number"),
        ("share", 0, "must be more than 0.0"),
        ("share", 2, "must be at most 1.0"),
        ("share", "all", "must be a number"),
        ("truth", "perhaps", "must be true or false"),
        ("colour", "blue", "must be 'red'"),
        ("role", "emperor", "must be 'admin' or 'viewer'"),
        ("id", "nonsense", "must be a UUID"),
        ("moment", "soon", "must be a time such as 2026-01-31T12:00:00Z"),
        ("day", "soon", "must be a date such as 2026-01-31"),
        ("address", "here", "must be an address such as https://example.com/path"),
        ("entries", [], "must not be empty"),
        ("entries", [1, 2, 3], "must hold at most 2 entries"),
        ("entries", 5, "must be a list"),
        ("table", 5, "must be an object"),
        ("other", 5, "is not known here"),
    ],
)
def test_each_type_has_its_sentence(field: str, value: object, said: str) -> None:
    """The field is named, and the sentence says what it must be, without what was sent."""
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({"text": "a", field: value})
    assert problems_of(refused.value) == [{"field": field, "problem": said}]


def test_a_missing_field_is_required() -> None:
    """A field that is left out is required."""
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({})
    assert problems_of(refused.value) == [{"field": "text", "problem": "is required"}]


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_no_sentence_of_pydantic_gets_out(kind: str) -> None:
    """Every type of error that pydantic knows has a sentence of ours; a validator's own sentence is ours already."""
    said = sentence({"type": kind, "msg": "Input should be theirs", "ctx": CONTEXT})
    assert said.startswith(("must ", "is ", "ours"))


def bodies() -> list[type[Body]]:
    assert ROUTES
    return sorted(Body.__subclasses__(), key=lambda shape: shape.__name__)


@pytest.mark.parametrize("shape", bodies(), ids=lambda shape: shape.__name__)
def test_every_body_that_is_taken_speaks_our_words(shape: type[Body]) -> None:
    """Whatever is wrong in whatever field of a request, no sentence of pydantic's is in the answer."""
    names = [field.alias or name for name, field in shape.model_fields.items()]
    for value in WRONG:
        with pytest.raises(ValidationError) as refused:
            shape.model_validate({**dict.fromkeys(names, value), "unknown": value})
        for problem in problems_of(refused.value):
            assert not [word for word in THEIRS if word in problem["problem"]], problem
