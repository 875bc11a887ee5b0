"""A server's logs and metrics, at their most talkative: each request with its ids, and no secret of anyone's."""

import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.commands.running_cli import outcome, start
from tests.commands.test_serve import address

PROVIDER_KEY = "sk-provider-0123456789abcdef"
PASSWORD, WRONG_PASSWORD = "Amaranth-2026!", "Wisteria-2026!"
SIGNING_SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
TALKATIVE = {
    "TENANTAI_EMBEDDING": "openai",
    "TENANTAI_LOG_LEVEL": "debug",
    "TENANTAI_PROVIDER": "openai",
    "TENANTAI_OPENAI_API_KEY": PROVIDER_KEY,
    "TENANTAI_OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
}


class Caller:
    """Sends requests, as whom they name."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/api/v1"
        self.tenant = self.key = ""

    async def send(self, method: str, path: str, *, expected: int, **given: Any) -> dict[str, Any]:
        """Send a request with the tenant's key unless it has another; the data of its answer."""
        headers = {"x-api-key": self.key, **given.pop("headers", {})}
        async with self._session.request(method, f"{self._url}{path}", headers=headers, **given) as response:
            body = await response.json()
            assert response.status == expected, body
            return dict(body.get("data") or {})


async def use_secrets(caller: Caller) -> list[str]:
    """Use a secret of every kind, rightly and wrongly; those that the server made."""
    registration = {"email": "ann@example.com", "organizationName": "Ann"}
    made = await caller.send("POST", "/register", expected=201, json=registration)
    caller.tenant, caller.key = f"/tenants/{made['tenantId']}", made["apiKey"]
    wrong = caller.key[:-1] + ("a" if caller.key[-1] != "a" else "b")
    await caller.send("GET", caller.tenant, expected=401, headers={"x-api-key": wrong})
    await caller.send("GET", f"{caller.tenant}?x-api-key={caller.key}&password={PASSWORD}", expected=200)
    second = await caller.send("POST", f"{caller.tenant}/api-keys", expected=201, json={"name": "second"})
    rotated = await caller.send("POST", f"{caller.tenant}/api-keys/{second['id']}/rotate", expected=200)
    passwords = {"newPassword": PASSWORD, "confirmPassword": PASSWORD}
    await caller.send("POST", f"{caller.tenant}/asset-auth/password", expected=200, json=passwords)
    session = await caller.send("POST", f"{caller.tenant}/asset-auth/login", expected=200, json={"password": PASSWORD})
    await caller.send("POST", f"{caller.tenant}/asset-auth/login", expected=401, json={"password": WRONG_PASSWORD})
    opened = {"x-api-key": "", "x-asset-session": session["sessionToken"]}
    await caller.send("GET", f"{caller.tenant}/assets", expected=200, headers=opened)
    tool = {"name": "open_vault", "description": "Opens it.", "parameters": {"type": "object"}}
    tool |= {"endpoint": "https://vault.example.com/open?token=hidden-token-123", "signingSecret": SIGNING_SECRET}
    await caller.send("POST", f"{caller.tenant}/tools", expected=201, json=tool)
    question = {"tenantId": made["tenantId"], "message": "Where?"}
    await caller.send("POST", "/chat", expected=502, json=question, headers={"Accept": "application/json"})
    return [caller.key, wrong, second["apiKey"], rotated["apiKey"], session["sessionToken"]]


async def test_no_secret_is_told(tmp_path: Path) -> None:
    """Neither logs nor metrics hold a key, a password, a session, a signing secret or the provider's key."""
    process = await start("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), home=tmp_path, **TALKATIVE)
    url = await address(process)
    async with aiohttp.ClientSession() as session:
        caller = Caller(session, url)
        secrets = await use_secrets(caller)
        async with session.get(f"{url}/metrics") as response:
            metrics = await response.text()
    process.terminate()
    told = (await outcome(process)).err
    secrets += [PASSWORD, WRONG_PASSWORD, SIGNING_SECRET, PROVIDER_KEY, "hidden-token-123"]
    secrets.append((tmp_path / "data" / "operator.key").read_text().strip())
    for secret in secrets:
        assert secret not in told + metrics
        assert secret[len(secret) // 2 :] not in told + metrics
    requests = [line for line in map(json.loads, told.splitlines()) if line["message"] == "request"]
    assert all(line["request_id"] for line in requests)
    assert len({line["tenant_id"] for line in requests if line["tenant_id"]}) == 1
    assert caller.tenant.rsplit("/", 1)[1] not in metrics
