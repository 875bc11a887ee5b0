"""The description: every route is in it as it runs, and its page needs nothing from elsewhere."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import create_model
from pydantic.alias_generators import to_camel

from tenantai.server import cors
from tenantai.server.openapi.document import Document
from tenantai.server.openapi.operation import Operation
from tenantai.server.openapi.operations import OPERATIONS
from tenantai.server.routes import API, ROUTES
from tenantai.wire.answers import Health
from tests.running import Running, Tenant
from tests.server.walk import CASES, build_world

OF_THE_PAGE = {("GET", f"{API}/docs/{{name}}")}
CONTRACT = """
-                  POST /register
-                  GET /health
-                  GET /ready
-                  GET /openapi.json
-                  GET /docs
tenant:read        GET /tenants
system:admin       POST /tenants
tenant:read        GET /tenants/{t}
tenant:write       PATCH /tenants/{t}
system:admin       DELETE /tenants/{t}
chat:create        POST /chat
chat:read          GET /chat/history
chat:read          GET /chat/history/{c}
chat:delete        DELETE /chat/history/{c}
estimator:analyze  POST /estimator/analyze
store:read         GET /tenants/{t}/store
store:write        PATCH /tenants/{t}/store
store:write        POST /tenants/{t}/store/sync
store:write        POST /tenants/{t}/store/refresh
store:write        POST /tenants/{t}/store/files/actions
store:read         GET /tenants/{t}/store/progress
audit:read         GET /tenants/{t}/store/audit
store:read         POST /tenants/{t}/store/search
account:write      POST /tenants/{t}/accounts
account:read       GET /tenants/{t}/accounts
account:read       GET /tenants/{t}/accounts/{a}
account:write      PUT /tenants/{t}/accounts/{a}
account:write      PATCH /tenants/{t}/accounts/{a}
account:write      DELETE /tenants/{t}/accounts/{a}
file:upload        POST /tenants/{t}/accounts/{a}/files
file:read          GET /tenants/{t}/accounts/{a}/files
file:delete        DELETE /tenants/{t}/accounts/{a}/files/{f}
key:read           GET /tenants/{t}/api-keys
key:write          POST /tenants/{t}/api-keys
key:write          DELETE /tenants/{t}/api-keys/{k}
key:write          POST /tenants/{t}/api-keys/{k}/rotate
asset-auth:write   POST /tenants/{t}/asset-auth/password
asset-auth:write   PUT /tenants/{t}/asset-auth/password
-                  POST /tenants/{t}/asset-auth/login
file:upload        POST /tenants/{t}/assets
file:read          GET /tenants/{t}/assets
file:read          GET /tenants/{t}/assets/{id}
file:delete        DELETE /tenants/{t}/assets/{id}
file:read          GET /tenants/{t}/assets/{id}/content
usage:read         GET /usage
usage:read         GET /usage/history
audit:read         GET /audit
audit:read         GET /audit/verify
tenant:read        GET /tenants/{t}/tools
tenant:write       POST /tenants/{t}/tools
tenant:write       DELETE /tenants/{t}/tools/{t}
"""
SUCCESS = {"POST /register": "201", "POST /tenants": "201", "POST /tenants/{}/store/sync": "202"}
SUCCESS |= {"POST /tenants/{}/accounts/{}/files": "202"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description as it is built."""
    return Document(ROUTES, OPERATIONS).build()


def test_every_route_is_described() -> None:
    """Nothing runs that is not described, and nothing is described that does not run."""
    assert {(route.method, route.path) for route in ROUTES} - OF_THE_PAGE == set(OPERATIONS)


@pytest.mark.parametrize("route", OPERATIONS, ids=" ".join)
def test_scopes_are_those_asked_for(route: tuple[str, str]) -> None:
    """The scope told is the one that the walk of all routes finds necessary and sufficient."""
    case = CASES.get(route)
    assert OPERATIONS[route].scope == (case.scope if case else None)


def test_what_was_promised_is_described(document: dict[str, Any]) -> None:
    """The description has every endpoint of the contract, with its scope and, where the contract fixes it, its status."""
    described = {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{}', path.removeprefix(API))}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    for promised in CONTRACT.strip().splitlines():
        scope, route = promised.split(maxsplit=1)
        name = re.sub(r"{\w+}", "{}", route)
        operation = described[name]
        assert bool(operation["security"]) == (scope != "-"), promised
        assert scope == "-" or f"Needs the scope `{scope}`." in operation["description"], promised
        assert SUCCESS.get(name, "") in {"", *operation["responses"]}, promised


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """Every reference names a part of the description, and ids of operations are unique."""
    named = set(re.findall(r'"#/components/(\w+/\w+)"', json.dumps(document)))
    components = document["components"]
    assert named <= {f"{kind}/{name}" for kind in components for name in components[kind]}
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_keys_of_streams_say_that_the_form_is_part_of_the_request(document: dict[str, Any]) -> None:
    """Where a client may have a stream, the description of `Idempotency-Key` says what else the request is made of."""
    told = {
        (path.removeprefix(API), "the form that is asked for" in parameter["description"])
        for path, methods in document["paths"].items()
        for operation in methods.values()
        for parameter in operation["parameters"]
        if parameter.get("name") == "Idempotency-Key"
    }
    assert {path for path, may_stream in told if may_stream} == {"/chat", "/estimator/analyze"}
    assert ("/register", False) in told


def test_every_header_is_described(document: dict[str, Any]) -> None:
    """The headers described are those that pages of other origins may send and read, of which OpenAPI has three elsewhere."""
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    components = document["components"]
    asked = {
        parameter["name"] for operation in operations for parameter in operation["parameters"] if parameter.get("in") == "header"
    }
    asked |= {parameter["name"] for parameter in components["parameters"].values()}
    asked |= {scheme["name"] for scheme in components["securitySchemes"].values() if scheme["type"] == "apiKey"}
    assert names(asked) == names(cors.ASKED) - {"accept", "authorization", "content-type"}
    responses = [*components["responses"].values(), *(r for operation in operations for r in operation["responses"].values())]
    assert names(header for response in responses for header in response.get("headers", ())) == names(cors.TOLD)


def names(headers: Iterable[str]) -> set[str]:
    return {name.lower() for name in headers}


async def test_sessions_open_what_is_described(running: Running, acme: Tenant, document: dict[str, Any]) -> None:
    """A session of the Asset Manager opens the routes that are described to take one, and no other."""
    world = await build_world(running, acme)
    password = {"newPassword": "Amaranth-2026!", "confirmPassword": "Amaranth-2026!"}
    await running.send("PUT", f"{acme.path}/asset-auth/password", key=acme.key, json=password)
    login = await running.send("POST", f"{acme.path}/asset-auth/login", json={"password": password["newPassword"]})
    session = {"x-asset-session": login.data["sessionToken"]}
    opened, described = set(), set()
    for method, path in sorted(CASES, key=lambda route: route[0] == "DELETE"):
        case = CASES[method, path]
        reply = await running.send(method, world.filled(path) + case.query(world), headers=session, **case.given(world))
        if reply.status not in {401, 403}:
            opened.add((method, path))
        shown = re.sub(r"{(\w+)}", lambda found: "{" + to_camel(found[1]) + "}", path)
        if {"assetSession": []} in document["paths"][shown][method.lower()]["security"]:
            described.add((method, path))
    assert opened == described
    assert len(opened) == 5


async def test_served(running: Running, document: dict[str, Any]) -> None:
    """The description is served to anyone, and is the one built from what runs."""
    reply = await running.send("GET", f"{API}/openapi.json")
    assert reply.body == json.loads(json.dumps(document))
    assert "X-Usage-Requests-Remaining" not in reply.headers


async def test_page_needs_no_internet(running: Running) -> None:
    """Each part that the page names comes from this server, and a policy keeps it from asking anyone else."""
    page = await running.send("GET", f"{API}/docs")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    parts = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert len(parts) == 4
    for part in parts:
        assert (await running.send("GET", f"{API}/{part}")).status == 200, part
    assert (await running.send("GET", f"{API}/docs/../openapi.json")).status == 200
    assert (await running.send("GET", f"{API}/docs/swagger-ui.LICENSE")).status == 404


async def test_events_are_as_described(running: Running, acme: Tenant, document: dict[str, Any]) -> None:
    """What a chat streams has the shapes that the description gives its events."""
    await running.upload(acme, "The boiler is serviced in May.", "boiler.txt")
    stream = document["paths"][f"{API}/chat"]["post"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    shapes, mark = stream["properties"]["data"]["anyOf"]
    described = shapes["contentSchema"]
    assert mark == {"const": "[DONE]"}
    schemas = document["components"]["schemas"]
    for event in await running.answer(acme, "When is the boiler serviced?"):
        shape = schemas[described["discriminator"]["mapping"][event["type"]].rsplit("/", 1)[1]]
        assert set(shape["required"]) <= set(event) <= set(shape["properties"]), event


def test_two_shapes_of_one_name_are_refused() -> None:
    """A shape never takes another's place in the description because it has its name."""
    route = next(route for route in ROUTES if (route.method, route.path) == ("GET", f"{API}/health"))
    other = create_model("Memory", bytes=(int, ...))
    answer = create_model("Other", memory=(other, ...))
    operations = {("GET", f"{API}/health"): Operation("x", None, {200: Health, 201: answer})}
    with pytest.raises(ValueError, match="Memory"):
        Document([route], operations).build()
