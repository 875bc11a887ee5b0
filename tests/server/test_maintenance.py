"""A half-migrated database: alive, red, and told what to do."""

from aiohttp.test_utils import TestClient, TestServer

from tenantai.server.maintenance import create_maintenance_app

SENTENCE = "A migration did not finish. Stop this server and run: python -m tenantai restore …"


async def test_half_migrated_server_is_alive_but_not_ready() -> None:
    """Health is 200, readiness 503 with the command that restores, and every other address 503."""
    async with TestClient(TestServer(create_maintenance_app(SENTENCE))) as client:
        assert (await client.get("/api/v1/health")).status == 200
        ready = await client.get("/api/v1/ready")
        assert ready.status == 503
        assert (await ready.json())["data"]["checks"]["database"]["error"] == SENTENCE
        refused = await client.post("/api/v1/register", json={})
        assert refused.status == 503
        assert (await refused.json())["error"]["code"] == "NOT_READY"
