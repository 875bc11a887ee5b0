"""Functions, calls and results as Gemini has them, in plain JSON that its SDK's types are made of.

What must stay true: a call goes back with the very id and thought signature that came with it, for Gemini 3 refuses it without.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from tenantai.identifiers import new_id
from tenantai.providers.protocols import Function, FunctionCall, FunctionResult, Turn

ROLES = {"user": "user", "assistant": "model", "function": "user"}
# Of JSON Schema Gemini knows these; we check arguments against all of a schema ourselves.
KNOWN = frozenset(
    "$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems minimum maximum anyOf oneOf "
    "properties additionalProperties required".split()
)
SCHEMAS_BY_NAME = frozenset({"properties", "$defs"})
SCHEMAS_IN_LISTS = frozenset({"prefixItems", "anyOf", "oneOf"})
SCHEMAS = frozenset({"items", "additionalProperties"})


def declared(functions: Sequence[Function]) -> list[dict[str, Any]]:
    """Return functions as declarations."""
    return [{"name": f.name, "description": f.description, "parameters_json_schema": understood(f.parameters)} for f in functions]


def content_of(turn: Turn) -> dict[str, Any]:
    """Return a turn as a content."""
    if turn.role == "function":
        return {"role": ROLES[turn.role], "parts": [_result_part(result) for result in turn.results]}
    pictures = [{"inline_data": {"mime_type": "image/jpeg", "data": picture}} for picture in turn.pictures]
    text = [{"text": turn.text}] if turn.text or not turn.calls else []
    return {"role": ROLES[turn.role], "parts": [*pictures, *text, *(_call_part(call) for call in turn.calls)]}


def call_of(name: str, arguments: Mapping[str, Any] | None, *, provider_id: str | None, signature: bytes | None) -> FunctionCall:
    """Return the call of a part."""
    return FunctionCall(
        id=new_id(),
        name=name,
        arguments=dict(arguments or {}),
        provider_id=provider_id or "",
        signature=b64encode(signature).decode() if signature else "",
    )


def understood(schema: Any) -> Any:
    """Return of a schema what Gemini knows; `const` becomes an `enum` of one."""
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Any] = {"enum": [schema["const"]]} if "const" in schema else {}
    for word, value in schema.items():
        if word in SCHEMAS_BY_NAME and isinstance(value, Mapping):
            kept[word] = {name: understood(inner) for name, inner in value.items()}
        elif word in SCHEMAS_IN_LISTS and isinstance(value, list):
            kept[word] = [understood(inner) for inner in value]
        elif word in SCHEMAS:
            kept[word] = understood(value)
        elif word in KNOWN:
            kept[word] = value
    return kept


def response_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an answer as Gemini has it, which would write properties by the alphabet unless told their order."""
    told = {word: value for word, value in schema.items() if word not in {"properties", "items", "additionalProperties"}}
    if "items" in schema:
        told["items"] = response_schema(schema["items"])
    if "properties" in schema:
        told["properties"] = {name: response_schema(inner) for name, inner in schema["properties"].items()}
        told["property_ordering"] = list(schema["properties"])
    return told


def _call_part(call: FunctionCall) -> dict[str, Any]:
    body: dict[str, Any] = {"name": call.name, "args": call.arguments or {}}
    if call.provider_id:
        body["id"] = call.provider_id
    return {"function_call": body} | ({"thought_signature": b64decode(call.signature)} if call.signature else {})


def _result_part(result: FunctionResult) -> dict[str, Any]:
    body: dict[str, Any] = {"name": result.call.name, "response": {"error" if result.is_error else "output": result.output}}
    if result.call.provider_id:
        body["id"] = result.call.provider_id
    return {"function_response": body}
