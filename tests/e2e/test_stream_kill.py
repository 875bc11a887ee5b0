"""Streams with an `Idempotency-Key` over a SIGKILL: what was kept is told again, what was cut off is asked anew."""

import aiohttp

from tenantai.settings import Settings
from tests.e2e.test_kill import process, register, sticking_process
from tests.running import API, Opened, Reply, events_of, text_of


async def ask(session: aiohttp.ClientSession, url: str, tenant_id: str, key: str) -> Reply:
    """Ask under a key and read the stream whole."""
    body, headers = {"tenantId": tenant_id, "message": "What?"}, {"Idempotency-Key": key}
    async with session.post(f"{url}{API}/chat", json=body, headers=headers) as response:
        return Reply(response.status, response.headers.copy(), await response.text())


async def test_killed_in_the_middle_of_a_stream(settings: Settings) -> None:
    """After the restart the whole stream is told again; the one that was cut off is asked anew, once, and kept then."""
    data_dir = settings.data_dir
    async with process(data_dir) as url, aiohttp.ClientSession() as session:
        path, _ = await register(session, url)
        tenant_id, headers = path.rsplit("/", 1)[1], {"x-api-key": session.headers["x-api-key"]}
        kept = await ask(session, url, tenant_id, "kept")
    async with sticking_process(data_dir, "saying") as (url, _), aiohttp.ClientSession(headers=headers) as session:
        body = {"tenantId": tenant_id, "message": "What?"}
        async with session.post(f"{url}{API}/chat", json=body, headers={"Idempotency-Key": "cut"}) as response:
            await Opened(response).until("text-delta")
            response.close()
    async with process(data_dir) as url, aiohttp.ClientSession(headers=headers) as session:
        assert (await ask(session, url, tenant_id, "kept")).text == kept.text
        anew, again = [await ask(session, url, tenant_id, "cut") for _ in range(2)]
        assert "Idempotent-Replayed" not in anew.headers
        assert (again.text, again.headers["Idempotent-Replayed"]) == (anew.text, "true")
        assert text_of(events_of(anew.text)) == "A scripted answer."
