"""The JSON Schemas (2020-12) that a tenant gives for its functions.

What must stay true: a keyword is a field here, or it is refused by name as any unknown field is; one that was mistyped would
otherwise be ignored, and arguments less checked than it seems.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema

from tenantai.wire.shapes import Body

Type = Literal["array", "boolean", "integer", "null", "number", "object", "string"]
Unique = Field(min_length=1, json_schema_extra={"uniqueItems": True})
Names = Annotated[list[str], Field(json_schema_extra={"uniqueItems": True})]
Count = Annotated[int, Field(ge=0)]
Number = int | float
Regex = Annotated[str, Field(json_schema_extra={"format": "regex"})]


def _kind(given: Any) -> str:
    """Return which of the two a schema within a schema is, so that faults are told of that one."""
    return "truth" if isinstance(given, bool) else "schema"


Within = Annotated[Annotated[bool, Tag("truth")] | Annotated["ParameterSchema", Tag("schema")], Discriminator(_kind)]
Schemas = Annotated[list[Within], Field(min_length=1)]
ByName = dict[str, Within]
ByPattern = Annotated[dict[str, Within], Field(json_schema_extra={"propertyNames": {"format": "regex"}})]


def _unset() -> Any:
    """Return what stands for a keyword that was not given; `given` leaves it out."""


class ParameterSchema(Body):
    """A JSON Schema of 2020-12; `$ref` is taken as well, where it leads to `#/…` within the whole one."""

    dialect: Literal["https://json-schema.org/draft/2020-12/schema"] = Field(alias="$schema", default_factory=_unset)
    definitions: ByName = Field(alias="$defs", default_factory=_unset)
    reference: SkipJsonSchema[str] = Field(alias="$ref", default_factory=_unset)
    comment: str = Field(alias="$comment", default_factory=_unset)
    type: Type | Annotated[list[Type], Unique] = Field(default_factory=_unset)
    title: str = Field(default_factory=_unset)
    description: str = Field(default_factory=_unset)
    default: Any = Field(default_factory=_unset)
    examples: list[Any] = Field(default_factory=_unset)
    deprecated: bool = Field(default_factory=_unset)
    read_only: bool = Field(default_factory=_unset)
    write_only: bool = Field(default_factory=_unset)
    enum: list[Any] = Field(default_factory=_unset)
    const: Any = Field(default_factory=_unset)
    format: str = Field(default_factory=_unset)
    multiple_of: Annotated[Number, Field(gt=0, json_schema_extra={"exclusiveMinimum": 0})] = Field(default_factory=_unset)
    maximum: Number = Field(default_factory=_unset)
    exclusive_maximum: Number = Field(default_factory=_unset)
    minimum: Number = Field(default_factory=_unset)
    exclusive_minimum: Number = Field(default_factory=_unset)
    max_length: Count = Field(default_factory=_unset)
    min_length: Count = Field(default_factory=_unset)
    pattern: Regex = Field(default_factory=_unset)
    content_encoding: str = Field(default_factory=_unset)
    content_media_type: str = Field(default_factory=_unset)
    content_schema: Within = Field(default_factory=_unset)
    max_items: Count = Field(default_factory=_unset)
    min_items: Count = Field(default_factory=_unset)
    unique_items: bool = Field(default_factory=_unset)
    max_contains: Count = Field(default_factory=_unset)
    min_contains: Count = Field(default_factory=_unset)
    items: Within = Field(default_factory=_unset)
    prefix_items: Schemas = Field(default_factory=_unset)
    contains: Within = Field(default_factory=_unset)
    unevaluated_items: Within = Field(default_factory=_unset)
    max_properties: Count = Field(default_factory=_unset)
    min_properties: Count = Field(default_factory=_unset)
    required: Names = Field(default_factory=_unset)
    dependent_required: dict[str, Names] = Field(default_factory=_unset)
    properties: ByName = Field(default_factory=_unset)
    pattern_properties: ByPattern = Field(default_factory=_unset)
    additional_properties: Within = Field(default_factory=_unset)
    property_names: Within = Field(default_factory=_unset)
    unevaluated_properties: Within = Field(default_factory=_unset)
    dependent_schemas: ByName = Field(default_factory=_unset)
    all_of: Schemas = Field(default_factory=_unset)
    any_of: Schemas = Field(default_factory=_unset)
    one_of: Schemas = Field(default_factory=_unset)
    negated: Within = Field(alias="not", default_factory=_unset)
    condition: Within = Field(alias="if", default_factory=_unset)
    consequence: Within = Field(alias="then", default_factory=_unset)
    alternative: Within = Field(alias="else", default_factory=_unset)

    def given(self) -> dict[str, Any]:
        """Return the schema with the keywords that were given."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class Parameters(ParameterSchema):
    """The JSON Schema (2020-12) of the object that a function takes: at most 16,384 characters."""

    type: Literal["object"]
