"""Every route with a request that its owner may make: what the walks of test_walk.py send as someone else."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tenantai.server.routes import ACCOUNT, API, ESTIMATE, ROUTES, TENANT
from tests.pictures.making import jpeg
from tests.running import Running, Tenant

SECRET_WORDS = "the vault opens with amaranth"


@dataclass(frozen=True)
class World:
    """A tenant with one of everything."""

    tenant: Tenant
    file_id: str
    conversation_id: str
    key_id: str
    tool_id: str
    asset_id: str
    estimate_id: str

    def filled(self, path: str) -> str:
        """Return a route's path with this tenant's ids."""
        return (
            path.replace("{tenant_id}", self.tenant.id)
            .replace("{account_id}", self.tenant.account.id)
            .replace("{file_id}", self.file_id)
            .replace("{chat_id}", self.conversation_id)
            .replace("{key_id}", self.key_id)
            .replace("{tool_id}", self.tool_id)
            .replace("{asset_id}", self.asset_id)
            .replace("{estimate_id}", self.estimate_id)
            .replace("{image}", "0")
        )


def asset_form(path: str = "secrets/secret.txt") -> dict[str, Any]:
    form = aiohttp.FormData()
    form.add_field("file", f"In the vault too, {SECRET_WORDS}.".encode(), filename="file")
    return {"data": form, "params": {"path": path}}


async def build_world(running: Running, tenant: Tenant) -> World:
    """Give a tenant a file, a conversation, a second key and a function."""
    file_id = await running.upload(tenant, f"In short, {SECRET_WORDS}. Nobody else knows of it.", "secret.txt")
    events = await running.answer(tenant, "How does the vault open?", accountId=tenant.account.id)
    _, key_id = await running.issue(tenant, scopes=("key:write",))
    tool = await running.send("POST", f"{tenant.path}/tools", key=tenant.key, json=tool_named("open_vault"))
    asset = await running.send("POST", f"{tenant.path}/assets", key=tenant.key, **asset_form())
    estimate_id = await estimated(running, tenant)
    conversation_id = events[0]["messageMetadata"]["conversationId"]
    return World(
        tenant,
        file_id,
        conversation_id,
        key_id,
        tool.data["id"],
        asset.data["asset"]["id"],
        estimate_id,
    )


async def estimated(running: Running, tenant: Tenant) -> str:
    """Have a picture looked at; the estimate's id."""
    body = {"tenantId": tenant.id, "images": [PICTURE]}
    path, headers = f"{API}/estimator/analyze", {"Accept": "application/json"}
    made = await running.send("POST", path, key=tenant.key, json=body, headers=headers)
    return str(made.data["estimateId"])


def tool_named(name: str) -> dict[str, Any]:
    """Return a function as its maker registers it."""
    parameters = {"type": "object", "properties": {"word": {"type": "string"}}}
    return {"name": name, "description": "Opens it.", "parameters": parameters, "endpoint": "https://vault.example.com/open"}


@dataclass(frozen=True)
class Case:
    """A route's scope, and what a request to it carries beside its path."""

    scope: str
    given: Callable[[World], dict[str, Any]] = lambda _world: {}
    query: Callable[[World], str] = lambda _world: ""


def _form(_world: World) -> dict[str, Any]:
    form = aiohttp.FormData()
    form.add_field("file", b"A file of someone else, brought in.", filename="other.txt")
    return {"data": form}


PICTURE = b64encode(jpeg()).decode()
PASSWORD = {"newPassword": "Amaranth-2026!", "confirmPassword": "Amaranth-2026!"}
CASES: dict[tuple[str, str], Case] = {
    ("GET", f"{API}/whoami"): Case("tenant:read"),
    ("GET", f"{API}/tenants"): Case("tenant:read"),
    ("POST", f"{API}/tenants"): Case("system:admin", lambda _: {"json": {"name": "New", "email": "new@example.com"}}),
    ("GET", TENANT): Case("tenant:read"),
    ("DELETE", TENANT): Case("system:admin"),
    ("PATCH", TENANT): Case("tenant:write", lambda _: {"json": {"name": "Renamed"}}),
    ("POST", f"{API}/chat"): Case("chat:create", lambda w: {"json": {"tenantId": w.tenant.id, "message": "vault?"}}),
    ("POST", f"{API}/estimator/analyze"): Case(
        "estimator:analyze", lambda w: {"json": {"tenantId": w.tenant.id, "images": [PICTURE]}}
    ),
    ("GET", f"{API}/estimator/estimates"): Case("estimator:analyze", query=lambda w: f"?tenantId={w.tenant.id}"),
    ("GET", ESTIMATE): Case("estimator:analyze"),
    ("PATCH", ESTIMATE): Case("estimator:analyze", lambda _: {"json": {"items": [{"id": "0-0", "quantity": 2}]}}),
    ("DELETE", ESTIMATE): Case("estimator:analyze"),
    ("POST", f"{ESTIMATE}/approve"): Case("estimator:analyze"),
    ("GET", f"{ESTIMATE}/export"): Case("estimator:analyze", query=lambda _: "?format=csv"),
    ("GET", f"{ESTIMATE}/pictures/{{image}}"): Case("estimator:analyze"),
    ("GET", f"{API}/chat/{{chat_id}}/stream"): Case("chat:read"),
    ("GET", f"{API}/chat/history"): Case("chat:read", query=lambda w: f"?tenantId={w.tenant.id}"),
    ("GET", f"{API}/chat/history/{{chat_id}}"): Case("chat:read"),
    ("DELETE", f"{API}/chat/history/{{chat_id}}"): Case("chat:delete"),
    ("GET", f"{TENANT}/accounts"): Case("account:read"),
    ("POST", f"{TENANT}/accounts"): Case("account:write", lambda _: {"json": {"name": "Mole", "role": "admin"}}),
    ("GET", ACCOUNT): Case("account:read"),
    ("PUT", ACCOUNT): Case("account:write", lambda _: {"json": {"role": "viewer"}}),
    ("PATCH", ACCOUNT): Case("account:write", lambda _: {"json": {"name": "Renamed"}}),
    ("DELETE", ACCOUNT): Case("account:write"),
    ("GET", f"{TENANT}/api-keys"): Case("key:read"),
    ("POST", f"{TENANT}/api-keys"): Case("key:write", lambda _: {"json": {"name": "Mine", "scopes": ["key:write"]}}),
    ("DELETE", f"{TENANT}/api-keys/{{key_id}}"): Case("key:write"),
    ("POST", f"{TENANT}/api-keys/{{key_id}}/rotate"): Case("key:write", lambda _: {"json": {"graceSeconds": 60}}),
    ("GET", f"{TENANT}/tools"): Case("tenant:read"),
    ("POST", f"{TENANT}/tools"): Case("tenant:write", lambda _: {"json": tool_named("close_vault")}),
    ("GET", f"{TENANT}/tools/{{tool_id}}"): Case("tenant:read"),
    ("DELETE", f"{TENANT}/tools/{{tool_id}}"): Case("tenant:write"),
    ("GET", f"{ACCOUNT}/files"): Case("file:read"),
    ("POST", f"{ACCOUNT}/files"): Case("file:upload", _form),
    ("DELETE", f"{ACCOUNT}/files/{{file_id}}"): Case("file:delete"),
    ("GET", f"{TENANT}/assets"): Case("file:read"),
    ("POST", f"{TENANT}/assets"): Case("file:upload", lambda _: asset_form("mine.txt")),
    ("GET", f"{TENANT}/assets/{{asset_id}}"): Case("file:read"),
    ("DELETE", f"{TENANT}/assets/{{asset_id}}"): Case("file:delete"),
    ("GET", f"{TENANT}/assets/{{asset_id}}/content"): Case("file:read"),
    ("POST", f"{TENANT}/asset-auth/password"): Case("asset-auth:write", lambda _: {"json": PASSWORD}),
    ("PUT", f"{TENANT}/asset-auth/password"): Case("asset-auth:write", lambda _: {"json": PASSWORD}),
    ("GET", f"{TENANT}/store"): Case("store:read"),
    ("PATCH", f"{TENANT}/store"): Case("store:write", lambda _: {"json": {"citations": {"style": "inline"}}}),
    ("GET", f"{TENANT}/store/progress"): Case("store:read"),
    ("POST", f"{TENANT}/store/sync"): Case("store:write"),
    ("DELETE", f"{TENANT}/store/sync"): Case("store:write"),
    ("POST", f"{TENANT}/store/refresh"): Case("store:write"),
    ("POST", f"{TENANT}/store/files/actions"): Case(
        "store:write", lambda w: {"json": {"action": "delete", "fileIds": [w.file_id]}}
    ),
    ("GET", f"{TENANT}/store/files/{{file_id}}/text"): Case("store:read"),
    ("GET", f"{TENANT}/store/audit"): Case("audit:read"),
    ("GET", f"{API}/usage"): Case("usage:read", query=lambda w: f"?tenantId={w.tenant.id}"),
    ("GET", f"{API}/usage/history"): Case("usage:read", query=lambda w: f"?tenantId={w.tenant.id}"),
    ("GET", f"{API}/audit"): Case("audit:read", query=lambda w: f"?tenantId={w.tenant.id}"),
    ("POST", f"{API}/analytics/query"): Case(
        "usage:read", lambda w: {"json": {"sql": "SELECT * FROM usage_events", "tenantId": w.tenant.id}}
    ),
    ("GET", f"{API}/overview"): Case("system:admin"),
    ("GET", f"{API}/logs"): Case("system:admin"),
    ("GET", f"{API}/audit/verify"): Case("audit:read", query=lambda w: f"?tenantId={w.tenant.id}"),
    ("POST", f"{TENANT}/store/search"): Case("store:read", lambda _: {"json": {"query": "amaranth vault"}}),
}
ROUTES_SERVED = {(route.method, route.path): route.handler for route in ROUTES}
