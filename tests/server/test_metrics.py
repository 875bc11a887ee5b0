"""Metrics: what Prometheus' own parser reads of them, who may, and that they name nobody."""

from prometheus_client.parser import text_string_to_metric_families

from tenantai.server.routes import API
from tests.running import Running, Tenant
from tests.server.test_audited import operator_key
from tests.server.walk import build_world

FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}


async def samples(running: Running) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    reply = await running.send("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            found[sample.name, frozenset(sample.labels.items())] = float(sample.value)
    return found


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


async def test_counts(running: Running, acme: Tenant) -> None:
    """Requests by route and status, tokens, the queue, commits and memory are there, and grow."""
    world = await build_world(running, acme)
    route = labels(method="GET", route=f"{API}/tenants/{{tenant_id}}", status="200")
    before = await samples(running)
    for _ in range(3):
        await running.send("GET", acme.path, key=acme.key)
    await running.send("GET", "/nowhere")
    after = await samples(running)
    count = ("tenantai_request_duration_seconds_count", route)
    assert after[count] - before.get(count, 0) == 3
    assert after["tenantai_request_duration_seconds_count", labels(method="", route="none", status="404")] == 1
    assert after["tenantai_tokens_total", labels(model="scripted", direction="output")] > 0
    assert after["tenantai_files_in_queue", labels(state="pending")] == 0
    assert after["tenantai_open_streams", labels(kind="chat")] == 0
    assert after["tenantai_database_units_total", labels()] >= after["tenantai_database_commits_total", labels()] > 0
    assert after["process_resident_memory_bytes", labels()] > 1e6
    text = (await running.send("GET", "/metrics")).text
    for hidden in (acme.id, acme.key, acme.account.id, world.file_id, "Acme"):
        assert hidden not in text


async def test_who_may(running: Running, acme: Tenant) -> None:
    """Through a proxy only the operator's key opens them."""
    assert (await running.send("GET", "/metrics", headers=FROM_ELSEWHERE)).status == 401
    assert (await running.send("GET", "/metrics", key=acme.key, headers=FROM_ELSEWHERE)).status == 403
    assert (await running.send("GET", "/metrics", key=operator_key(running), headers=FROM_ELSEWHERE)).status == 200
