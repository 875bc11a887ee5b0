"""What is happening now, over all tenants: the operator's first page."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tenantai.client import Client
from tenantai.errors import NotReady
from tenantai.providers.scripted import ScriptedChat
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services import overview
from tenantai.settings import Settings
from tests.gated_embedding import GatedEmbedding
from tests.running import Running, Tenant, serving, until


def operator_key(running: Running) -> str:
    return (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()


@pytest.fixture
async def operator(running: Running) -> AsyncIterator[Client]:
    """The operator's client."""
    async with Client(running.url, operator_key(running)) as client:
        yield client


async def test_usage_of_all_tenants(running: Running, acme: Tenant, globex: Tenant, operator: Client) -> None:
    """Requests, errors and tokens of every tenant are added up, by minutes of an hour and by hours of a day."""
    for tenant, count in ((acme, 3), (globex, 2)):
        for _ in range(count):
            await running.send("GET", tenant.path, key=tenant.key)
    await running.send("GET", globex.path, key=acme.key)
    await running.answer(acme, "When?", accountId=acme.account.id)
    await running.app[keys.ANALYTICS_FEED].catch_up(seconds=10)
    hour, day = (await operator.probes.overview()).usage, (await operator.probes.overview("day")).usage
    assert hour is not None
    assert day is not None
    assert (hour.span, len(hour.buckets), day.span, len(day.buckets)) == ("hour", 60, "day", 24)
    counted = await running.rows("SELECT sum(requests), sum(input_tokens), sum(output_tokens) FROM usage_events")
    for usage in (hour, day):
        sums = [sum(getattr(b, name) for b in usage.buckets) for name in ("requests", "input_tokens", "output_tokens")]
        assert 8 <= sums[0] <= counted[0][0]
        assert tuple(sums[1:]) == tuple(counted[0][1:])
        assert sums[1] > 0
        assert sum(bucket.errors for bucket in usage.buckets) == 1
        assert usage.buckets == sorted(usage.buckets, key=lambda bucket: bucket.start)
        assert sum(bucket.requests for bucket in usage.buckets[-2:]) == sums[0]
    assert hour.complete_through


async def test_streams_and_operations(settings: Settings, brisk: None) -> None:
    """Streams and indexing show while they last, under their tenant's name, and not after."""
    gate = asyncio.Event()
    gated = GatedEmbedding()
    async with serving(settings, embedding=gated, chat=ScriptedChat([("Well", gate, ".")])) as running:
        acme, globex = await running.register("Acme"), await running.register("Globex")
        async with Client(running.url, operator_key(running)) as client, running.opened(acme, "When?") as stream:
            await stream.until("text-delta")
            await running.post_file(globex, b"The lamp is green.", "green.txt")
            await until(lambda: gated.begun)
            told = await client.probes.overview()
            assert (told.tenants, told.tenants_is_exact, told.streams.chat) == (2, True, 1)
            assert [(s.tenant_id, s.tenant_name, s.streams) for s in told.streams.by_tenant] == [(acme.id, "Acme", 1)]
            (operation,) = told.operations
            assert (operation.tenant_id, operation.tenant_name, operation.kind) == (globex.id, "Globex", "index")
            assert (operation.processed_files, operation.total_files, operation.stage) == (0, 1, "embedding")
            assert 0 < operation.percentage < 100
            assert (told.queue.pending, told.queue.indexing) == (0, 1)
            gate.set()
            gated.gate.set()
            await stream.until("finish")
            await running.settled(globex)
            told = await client.probes.overview()
            assert (told.streams.chat, told.streams.by_tenant, told.operations, told.queue.indexing) == (0, [], [], 0)


async def test_alerts(running: Running, acme: Tenant, operator: Client) -> None:
    """A tenant that passed marks of a limit is named with them, the newest first."""
    await operator.tenants.limit(acme.id, {"requestsPerDay": 20})
    for _ in range(18):
        await running.send("GET", acme.path, key=acme.key)
    await running.app[keys.RECORDING].take()
    alerts = (await operator.probes.overview()).alerts
    assert {(alert.tenant_id, alert.tenant_name, alert.limit, alert.allowed) for alert in alerts} == {
        (acme.id, "Acme", "requests_per_day", 20)
    }
    assert {alert.percent for alert in alerts} == {50, 80}
    assert [alert.created_at for alert in alerts] == sorted((alert.created_at for alert in alerts), reverse=True)


async def test_without_analytics(running: Running, acme: Tenant, operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where analytics can't be asked all else is told; more tenants than are counted are said to be more."""
    monkeypatch.setattr(overview, "TENANTS_COUNTED_MAX", 1)
    await running.register("Another")

    def closed() -> None:
        raise NotReady("Analytics are not open now.")

    monkeypatch.setattr(running.app[keys.ANALYTICS], "begin", closed)
    told = await operator.probes.overview()
    assert (told.usage, told.tenants, told.tenants_is_exact) == (None, 1, False)


async def test_only_the_operator(running: Running, acme: Tenant) -> None:
    """No tenant's key reads it; a span that there is not is named."""
    assert (await running.send("GET", f"{API}/overview", key=acme.key)).status == 403
    wrong = await running.send("GET", f"{API}/overview?span=week", key=operator_key(running))
    assert wrong.fields == {"span"}
