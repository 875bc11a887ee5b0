"""The description: every route is in it as it runs, and its page needs nothing from elsewhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from tenantai.server.openapi.document import Document
from tenantai.server.openapi.operation import Operation
from tenantai.server.openapi.operations import OPERATIONS
from tenantai.server.routes import API, ROUTES
from tenantai.wire.answers import Health
from tests.running import Running, Tenant
from tests.server.walk import CASES

OF_THE_PAGE = {("GET", f"{API}/docs/{{name}}")}
CONTRACT = Path(__file__).parents[4] / "shared" / "API.md"


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


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """Every reference names a part of the description, and ids of operations are unique."""
    named = set(re.findall(r'"#/components/(\w+/\w+)"', json.dumps(document)))
    components = document["components"]
    assert named <= {f"{kind}/{name}" for kind in components for name in components[kind]}
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


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
