"""Every URL of the product on one page; the handlers' modules are named by their resource."""

from aiohttp import web

from tenantai.server.routes import (
    accounts,
    api_keys,
    audit,
    chat,
    description,
    files,
    health,
    history,
    store,
    tenants,
    tools,
    usage,
)

API = "/api/v1"
TENANT = f"{API}/tenants/{{tenant_id}}"
ACCOUNT = f"{TENANT}/accounts/{{account_id}}"

ROUTES = (
    web.get(f"{API}/health", health.health),
    web.get(f"{API}/ready", health.ready),
    web.get(f"{API}/openapi.json", description.openapi),
    web.get(f"{API}/docs", description.docs),
    web.get(f"{API}/docs/{{name}}", description.asset),
    web.post(f"{API}/register", tenants.register),
    web.get(f"{API}/tenants", tenants.own_or_all),
    web.post(f"{API}/tenants", tenants.create),
    web.get(TENANT, tenants.show),
    web.patch(TENANT, tenants.change),
    web.post(f"{API}/chat", chat.chat),
    web.get(f"{API}/chat/history", history.conversations_page),
    web.get(f"{API}/chat/history/{{chat_id}}", history.conversation),
    web.delete(f"{API}/chat/history/{{chat_id}}", history.delete),
    web.get(f"{TENANT}/accounts", accounts.page),
    web.post(f"{TENANT}/accounts", accounts.create),
    web.get(ACCOUNT, accounts.show),
    web.put(ACCOUNT, accounts.change),
    web.patch(ACCOUNT, accounts.change),
    web.delete(ACCOUNT, accounts.delete),
    web.get(f"{TENANT}/api-keys", api_keys.page),
    web.post(f"{TENANT}/api-keys", api_keys.create),
    web.delete(f"{TENANT}/api-keys/{{key_id}}", api_keys.revoke),
    web.post(f"{TENANT}/api-keys/{{key_id}}/rotate", api_keys.rotate),
    web.get(f"{TENANT}/tools", tools.page),
    web.post(f"{TENANT}/tools", tools.create),
    web.get(f"{TENANT}/tools/{{tool_id}}", tools.show),
    web.delete(f"{TENANT}/tools/{{tool_id}}", tools.delete),
    web.get(f"{ACCOUNT}/files", files.page),
    web.post(f"{ACCOUNT}/files", files.upload),
    web.delete(f"{ACCOUNT}/files/{{file_id}}", files.delete),
    web.get(f"{TENANT}/store", store.show),
    web.patch(f"{TENANT}/store", store.change),
    web.get(f"{TENANT}/store/progress", store.progress),
    web.post(f"{TENANT}/store/sync", store.sync),
    web.delete(f"{TENANT}/store/sync", store.cancel),
    web.post(f"{TENANT}/store/refresh", store.refresh),
    web.post(f"{TENANT}/store/files/actions", store.act),
    web.post(f"{TENANT}/store/search", store.search),
    web.get(f"{TENANT}/store/audit", audit.of_store),
    web.get(f"{API}/usage", usage.show),
    web.get(f"{API}/audit", audit.log),
    web.get(f"{API}/audit/verify", audit.verify),
)
