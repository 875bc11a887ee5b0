"""What a request to Gemini's SDK is made of, in types of ours that it gets through in a third of the time.

What must stay true: these types say on the wire what the SDK's own say, only how the SDK finds its way in them differs. For each
of thirty fields google-genai 3.4 asks `key in model`, which in a pydantic model goes through all fields and is never true, and it
copies a request's options to their last leaf, though they are made for that request here and never used again.
"""

from collections.abc import Mapping
from typing import Any, Self

from google.genai import types

from tenantai.providers.gemini.functions import content_of, declared, response_schema
from tenantai.providers.protocols import ChatRequest, Function, Turn

NO_CALLS = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.NONE))


class _Part(types.Part):
    def __contains__(self, _key: str) -> bool:
        return False


class _Content(types.Content):
    parts: list[_Part] | None = None  # type: ignore[assignment]

    def __contains__(self, _key: str) -> bool:
        return False


class _Options(types.GenerateContentConfig):
    def __contains__(self, _key: str) -> bool:
        return False

    def __deepcopy__(self, _memo: dict[int, Any] | None = None) -> Self:
        return self.model_copy()


class Requests:
    """What is sent to one model."""

    def __init__(self, model: str) -> None:
        thinking = types.ThinkingConfig(thinking_budget=0) if "2.5-flash" in model else None  # others refuse to go without
        self._always = _Options(
            thinking_config=thinking,
            automatic_continuation=False,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )
        self._declared: tuple[tuple[Function, ...], list[types.Tool]] = ((), [])

    def contents(self, turns: tuple[Turn, ...]) -> Any:
        """Return turns as contents: one as it is, more as dictionaries, for the SDK tries a list's models against every kind."""
        contents: list[Mapping[str, Any]] = [content_of(turn) for turn in turns]
        return _Content.model_validate(contents[0]) if len(contents) == 1 else contents

    def options(self, request: ChatRequest) -> types.GenerateContentConfig:
        """Return what else a request says."""
        instructions = {"role": "user", "parts": [{"text": request.instructions}]}
        given: dict[str, Any] = {
            "system_instruction": _Content.model_validate(instructions) if request.instructions else None,
            "max_output_tokens": request.output_tokens_max,
        }
        if request.functions:
            given |= {"tools": self._tools(request.functions), "tool_config": None if request.may_call else NO_CALLS}
        if request.answer_schema is not None:
            schema = response_schema(request.answer_schema)
            given |= {"response_mime_type": "application/json", "response_schema": schema, "temperature": 0.0}
        return self._always.model_copy(update=given)

    def _tools(self, functions: tuple[Function, ...]) -> list[types.Tool]:
        """Return functions as the SDK has them; those of the last request are remembered, for most have the same."""
        if self._declared[0] is not functions:
            self._declared = (functions, [types.Tool.model_validate({"function_declarations": declared(functions)})])
        return self._declared[1]
