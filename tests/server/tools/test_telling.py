"""What who reads a function is told of it."""

from tests.running import Running, Tenant
from tests.server.walk import tool_named


async def test_query_of_an_endpoint_is_for_who_may_change_it(running: Running, acme: Tenant) -> None:
    """A key that only reads sees where a function is, and not what its address carries."""
    endpoint = "https://vault.example.com/open?token=amaranth"
    made = await running.send("POST", f"{acme.path}/tools", key=acme.key, json={**tool_named("open"), "endpoint": endpoint})
    reader, _ = await running.issue(acme, scopes=("tenant:read",))
    for path in (f"{acme.path}/tools", f"{acme.path}/tools/{made.data['id']}"):
        assert endpoint in (await running.send("GET", path, key=acme.key)).text
        told = (await running.send("GET", path, key=reader)).text
        assert "https://vault.example.com/open" in told
        assert "amaranth" not in told
