"""API keys of a tenant."""

from aiohttp import web

from tenantai.server.binding import body_of
from tenantai.server.idempotency import idempotent
from tenantai.server.keys import API_KEYS, DATABASE, KEY_RING
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, require, tenant_in_path
from tenantai.server.services.api_keys import Made
from tenantai.storage import api_keys
from tenantai.storage.api_keys import ApiKey
from tenantai.wire.api_keys import ApiKeyMade, ApiKeyRecord, NewApiKey, Rotation, WhoAmI


async def whoami(request: web.Request) -> web.Response:
    """Say whose the key that asks is, and what it may do."""
    principal = require(request, "tenant:read")
    told = WhoAmI(
        key_id=principal.key_id,
        tenant_id=principal.tenant_id,
        account_id=principal.account_id,
        is_operator=principal.is_operator,
        scopes=sorted(principal.scopes),
        plan=principal.tenant.plan if principal.tenant else None,
    )
    return success(told.json_ready())


async def page(request: web.Request) -> web.Response:
    """Return keys by creation, revoked ones too, never a secret; a key bound to an account sees that account's."""
    principal, tenant_id = tenant_in_path(request, "key:read")
    asked = page_of(request, "api keys", tenant_id, principal.account_id)
    found = await api_keys.page(
        request.app[DATABASE].reading,
        tenant_id,
        visible_to=principal.account_id,
        after=asked.after_id,
        row_count=asked.row_count,
    )
    shown, following = asked.cut(found, lambda key: (key.id,))
    return success({"apiKeys": [record_of(key) for key in shown], "nextCursor": following})


@idempotent
async def create(request: web.Request) -> web.Response:
    """Make a key with scopes that the caller's own key has; its secret is in this answer and in no other."""
    principal, tenant_id = tenant_in_path(request, "key:write")
    body = await body_of(request, NewApiKey)
    account_id = own_account(principal, body.account_id)
    made = await request.app[API_KEYS].create(tenant_id, wanted=body, account_id=account_id, by=principal, actor=acting(request))
    return success(_with_secret(made), status=201)


@idempotent
async def rotate(request: web.Request) -> web.Response:
    """Give a key another secret; the old one works for `graceSeconds` more."""
    principal, tenant_id = tenant_in_path(request, "key:write")
    body = await body_of(request, Rotation, may_be_empty=True)
    made = await request.app[API_KEYS].rotate(
        tenant_id,
        key_id=request.match_info["key_id"],
        grace_seconds=body.grace_seconds,
        by=principal,
        actor=acting(request),
    )
    request.app[KEY_RING].forget_all()
    return success(_with_secret(made))


async def revoke(request: web.Request) -> web.Response:
    """Revoke a key at once, with its former secrets."""
    principal, tenant_id = tenant_in_path(request, "key:write")
    key_id = request.match_info["key_id"]
    await request.app[API_KEYS].revoke(tenant_id, key_id=key_id, by=principal, actor=acting(request))
    request.app[KEY_RING].forget_all()
    return success({"id": key_id, "deleted": True})


def record_of(key: ApiKey) -> dict[str, object]:
    """Return a key as a client reads it."""
    return {name: getattr(key, name) for name in ApiKeyRecord.model_fields} | {"scopes": list(key.scopes)}


def _with_secret(made: Made) -> dict[str, object]:
    shown = ApiKeyMade.model_validate(
        {**record_of(made.key), "apiKey": made.secret, "previous_works_until": made.previous_works_until}
    )
    return shown.json_ready()
