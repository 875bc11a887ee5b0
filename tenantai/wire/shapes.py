"""What every request body and record shares: camelCase in, nothing unknown, snake_case records out.

A type is built (`defer_build`) when it is first used: all of them would hold every start up for 0.1 s.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

WHITESPACE = r"\x09-\x0d\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


class Body(BaseModel):
    """A request body: camelCase names, unknown fields refused, types not coerced."""

    model_config = ConfigDict(defer_build=True, alias_generator=to_camel, extra="forbid", strict=True, frozen=True)


class Asked(BaseModel):
    """A request's query: camelCase names; those that are not known here are others' business (`limit`, `cursor`)."""

    model_config = ConfigDict(defer_build=True, alias_generator=to_camel, extra="ignore", frozen=True)


class Computed(BaseModel):
    """An answer that is computed for the caller: camelCase names."""

    model_config = ConfigDict(defer_build=True, alias_generator=to_camel, populate_by_name=True, frozen=True)

    def json_ready(self) -> dict[str, Any]:
        """Return it as a client reads it."""
        return self.model_dump(mode="json", by_alias=True)


class Record(BaseModel):
    """A stored record that a client reads back: snake_case names."""

    model_config = ConfigDict(defer_build=True, frozen=True, from_attributes=True)

    def json_ready(self) -> dict[str, Any]:
        """Return it as a client reads it."""
        return self.model_dump(mode="json")
