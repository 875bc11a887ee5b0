"""The OpenAPI document, put together once from the routes, the operations and the schemas of the wire types."""

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from tenantai import __version__
from tenantai.errors import TenantaiError
from tenantai.server.openapi import headers
from tenantai.server.openapi.operation import Answer, Content, Form, JsonSchema, Operation, Stream

REF = "#/components/schemas/{model}"
PARAMETER = re.compile(r"\{(\w+)[^}]*\}")
OF_EVERY_KEY = frozenset({401, 403, 429})
OF_EVERY_BODY = frozenset({400, 408, 413})
OF_EVERY_ROUTE = frozenset({500, 503})
LIMIT_CODES = ("RATE_LIMIT_EXCEEDED", "DAILY_LIMIT_EXCEEDED", "QUOTA_EXCEEDED", "TOO_MANY_STREAMS", "TOO_MANY_ATTEMPTS")
JSON = "application/json"
DONE = "[DONE]"
BYTES: JsonSchema = {"type": "string", "format": "binary"}
GIVEN_REQUEST_ID = {"$ref": "#/components/parameters/RequestId"}
NO_NUL = "^[^\\x00]*$"
INTRODUCTION = (
    "An AI backend for many tenants: chat that answers out of a tenant's own documents, with citations that can be checked. "
    "Success is `{success: true, data}`, failure `{success: false, error: {code, message, details?, requestId}}`."
)


class Document:
    """Builds the document; the schemas of wire types gather in it as routes name them."""

    def __init__(self, routes: Iterable[web.RouteDef], operations: Mapping[tuple[str, str], Operation]) -> None:
        self._routes = [route for route in routes if (route.method, route.path) in operations]
        self._operations = operations
        self._schemas: dict[str, JsonSchema] = {}

    def build(self) -> JsonSchema:
        """Return the whole description."""
        paths: dict[str, JsonSchema] = {}
        for route in self._routes:
            operation = self._operations[route.method, route.path]
            paths.setdefault(_path(route.path), {})[route.method.lower()] = self._operation(route, operation)
        tags = sorted({operation.tag for operation in self._operations.values()})
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "tenantai",
                "version": __version__,
                "description": INTRODUCTION,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/", "description": "This server."}],
            "tags": [{"name": tag} for tag in tags],
            "paths": paths,
            "components": {
                "schemas": dict(sorted({**self._schemas, "Error": _error_schema()}.items())),
                "parameters": {"RequestId": headers.GIVEN_REQUEST_ID},
                "responses": {f"Error{status}": _error_response(status) for status in sorted(_codes())},
                "securitySchemes": {
                    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "assetSession": {"type": "apiKey", "in": "header", "name": "x-asset-session"},
                },
            },
        }

    def _operation(self, route: web.RouteDef, operation: Operation) -> JsonSchema:
        summary, _, more = inspect.cleandoc(route.handler.__doc__ or "").partition("\n\n")
        described: JsonSchema = {
            "operationId": _operation_id(route),
            "summary": " ".join(summary.split()),
            "tags": [operation.tag],
            "responses": self._responses(route, operation),
        }
        scope = f"Needs the scope `{operation.scope}`." if operation.scope else ""
        if text := " ".join(part for part in (" ".join(more.split()), scope) if part):
            described["description"] = text
        described["parameters"] = [*_parameters(route, operation), *self._asked(operation.asks), GIVEN_REQUEST_ID]
        if operation.body is not None:
            described["requestBody"] = {**self._request_body(operation.body), "required": not operation.is_body_optional}
            if operation.form is not None:
                described["requestBody"]["content"] |= self._request_body(operation.form)["content"]
        described["security"] = _security(operation)
        return described

    def _asked(self, asks: type[BaseModel] | None) -> list[JsonSchema]:
        """Return a query's fields as parameters."""
        if asks is None:
            return []
        schema = self._keep(asks.model_json_schema(ref_template=REF, by_alias=True, schema_generator=_Plain))
        required = set(schema.get("required", ()))
        fields: JsonSchema = schema["properties"]
        return [
            {"name": name, "in": "query", "required": name in required, "schema": _without_nul(_without_null(field))}
            for name, field in fields.items()
        ]

    def _request_body(self, body: type[BaseModel] | Form) -> JsonSchema:
        if isinstance(body, Form):
            parts = {"properties": dict(body.parts), "required": list(body.required), "additionalProperties": False}
            return {"required": True, "content": {"multipart/form-data": {"schema": {"type": "object", **parts}}}}
        return {"required": True, "content": {JSON: {"schema": self._reference(body, "validation")}}}

    def _responses(self, route: web.RouteDef, operation: Operation) -> JsonSchema:
        told = headers.REQUEST_ID | (headers.usage(required=True) if operation.scope is not None else {})
        told |= headers.REPLAYED if _is_idempotent(route) else {}
        responses: JsonSchema = {
            str(status): {**self._success(answer), "headers": told | operation.headers.get(status, {})}
            for status, answer in sorted(operation.answers.items())
        }
        errors = operation.errors | OF_EVERY_ROUTE
        errors |= OF_EVERY_KEY if operation.scope is not None else frozenset()
        errors |= OF_EVERY_BODY if operation.body is not None else frozenset()
        errors |= frozenset({400}) if operation.asks or any(q.place == "query" for q in operation.query) else frozenset()
        errors |= frozenset({400, 409}) if _is_idempotent(route) else frozenset()
        errors |= frozenset({404}) if PARAMETER.search(route.path) else frozenset()
        known = {str(status) for status in operation.answers}
        return {
            **responses,
            **{str(s): {"$ref": f"#/components/responses/Error{s}"} for s in sorted(errors) if str(s) not in known},
        }

    def _success(self, answer: Answer | tuple[Answer, ...]) -> JsonSchema:
        choices = answer if isinstance(answer, tuple) else (answer,)
        content: JsonSchema = {}
        descriptions = []
        for choice in choices:
            if isinstance(choice, Stream):
                content["text/event-stream"] = {"schema": _event_schema(self._events(choice))}
                descriptions.append(choice.description)
            elif isinstance(choice, Content):
                content |= {kind: {"schema": {"type": "object"} if kind == JSON else BYTES} for kind in choice.media_types}
                descriptions.append(choice.description)
            elif choice is not None:
                content[JSON] = {"schema": _envelope(self._reference(choice, "serialization"))}
                descriptions.append(inspect.cleandoc(choice.__doc__ or "A page of them.").partition("\n")[0])
        described: JsonSchema = {"description": " Or: ".join(descriptions) or "No content."}
        if content:  # JSON first: generators of clients read the first kind only
            described["content"] = dict(sorted(content.items(), key=lambda kind: kind[0] != JSON))
        return described

    def _events(self, stream: Stream) -> JsonSchema:
        return self._keep(TypeAdapter(stream.events).json_schema(ref_template=REF, mode="serialization", schema_generator=_Plain))

    def _reference(self, model: type[BaseModel], mode: JsonSchemaMode) -> JsonSchema:
        schema = model.model_json_schema(ref_template=REF, mode=mode, by_alias=True, schema_generator=_Plain)
        self._keep({"$defs": {model.__name__: self._keep(schema)}})
        return {"$ref": REF.format(model=model.__name__)}

    def _keep(self, schema: JsonSchema) -> JsonSchema:
        """Move a schema's own definitions to those of the document; two of one name must be the same."""
        for name, definition in schema.pop("$defs", {}).items():
            if self._schemas.setdefault(name, definition) != definition:
                raise ValueError(f"two shapes have the name {name}")
        return schema


class _Plain(GenerateJsonSchema):
    """Leaves out the titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic names it
        return False


def _parameters(route: web.RouteDef, operation: Operation) -> list[JsonSchema]:
    in_path = [
        {"name": to_camel(name), "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 64}}
        for name in PARAMETER.findall(route.path)
    ]
    return [
        *in_path,
        *(
            {
                "name": q.name,
                "in": q.place,
                "required": q.required,
                "schema": _without_nul(q.schema),
                "description": q.description,
            }
            for q in operation.query
        ),
        *(
            [headers.IDEMPOTENCY_KEY_OF_STREAM if operation.may_stream else headers.IDEMPOTENCY_KEY]
            if _is_idempotent(route)
            else []
        ),
    ]


def _security(operation: Operation) -> list[JsonSchema]:
    """Return the ways to say who asks, of which any one does."""
    if operation.scope is None:
        return []
    ways = ("apiKey", "bearer", "assetSession") if operation.takes_session else ("apiKey", "bearer")
    return [{way: []} for way in ways]


def _is_idempotent(route: web.RouteDef) -> bool:
    return getattr(route.handler, "is_idempotent", False)


def _event_schema(held: JsonSchema) -> JsonSchema:
    """Return the schema of one event of a stream, whose `data` holds JSON; the last one holds `[DONE]`."""
    data = {"type": "string", "anyOf": [{"contentMediaType": JSON, "contentSchema": held}, {"const": DONE}]}
    return {"type": "object", "required": ["data"], "properties": {"data": data, "id": {"type": "string"}}}


def _without_null(schema: JsonSchema) -> JsonSchema:
    """Return the schema of a parameter, which is left out where a field would be null."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **choices[0]} if len(choices) == 1 else schema


def _without_nul(schema: JsonSchema) -> JsonSchema:
    """Return the schema of a parameter; a text must not hold NUL."""
    is_free = schema.get("type") == "string" and not schema.keys() & {"pattern", "enum", "format", "const", "anyOf"}
    return {**schema, "pattern": NO_NUL} if is_free else schema


def _path(path: str) -> str:
    return PARAMETER.sub(lambda match: "{" + to_camel(match[1]) + "}", path)


def _operation_id(route: web.RouteDef) -> str:
    """Return an id that names the resource's module and what is done to it; one handler serves PUT and PATCH alike."""
    module = route.handler.__module__.rsplit(".", 1)[1]
    name = f"{module}_{route.handler.__name__}"
    return f"{name}_put" if route.method == "PUT" else name


def _envelope(data: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": True}, "data": data},
        "additionalProperties": False,
    }


@cache
def _codes() -> dict[int, list[str]]:
    """Return the error codes of each status, read off the error tree."""
    codes: dict[int, list[str]] = {}
    waiting: list[type[TenantaiError]] = [TenantaiError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        codes.setdefault(kind.status, []).extend(LIMIT_CODES if kind.status == 429 else (kind.code,))  # noqa: PLR2004
    return {status: sorted(set(names)) for status, names in codes.items()}


def _error_response(status: int) -> JsonSchema:
    return {
        "description": " or ".join(_codes()[status]),
        "headers": headers.of_error(status),
        "content": {JSON: {"schema": {"$ref": REF.format(model="Error")}}},
    }


def _error_schema() -> JsonSchema:
    codes = sorted({code for names in _codes().values() for code in names})
    return {
        "type": "object",
        "description": "A failure: `message` says what to do.",
        "required": ["success", "error"],
        "properties": {
            "success": {"const": False},
            "error": {
                "type": "object",
                "required": ["code", "message", "requestId"],
                "properties": {
                    "code": {"enum": codes},
                    "message": {"type": "string"},
                    "details": {"description": "What is wrong field by field, or the limit that was reached."},
                    "requestId": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
    }
