"""Registration and tenants."""

import json

from aiohttp import web

from tenantai.errors import Forbidden, NotFound
from tenantai.identifiers import timestamp
from tenantai.server.addresses import address_of
from tenantai.server.binding import body_of
from tenantai.server.idempotency import Replayed, idempotent
from tenantai.server.keys import DATABASE, ERASURE, IDEMPOTENCY_KEY, KEY_RING, REGISTRATION_GATE, SETTINGS
from tenantai.server.middlewares import public, success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, require, tenant_in_path
from tenantai.server.services.credentials import OPERATOR_SCOPE, TENANT_SCOPES
from tenantai.server.services.registration import create_tenant
from tenantai.storage import across_tenants, audit, tenants
from tenantai.storage.database import Transaction
from tenantai.storage.tenants import Tenant
from tenantai.wire.tenants import NewTenant, Registered, Registration, TenantChange, TenantLimits

NO_TENANT = "There is no such tenant. Check the id."


@public
@idempotent
async def register(request: web.Request) -> web.Response:
    """Make a tenant for whoever asks, with its first key."""
    if request.app[SETTINGS].registration == "closed":
        raise Forbidden("Registration is closed here. Ask the operator for a tenant.")
    gate, address = request.app[REGISTRATION_GATE], address_of(request) or ""
    gate.enter(address)
    try:
        body = await body_of(request, Registration)
    except BaseException as error:
        if isinstance(error, Replayed) or IDEMPOTENCY_KEY not in request.headers:
            gate.take_back(address)  # one that has a key and is refused counts: its sender may be guessing another's
        raise
    tenant, secret = await create_tenant(
        request.app[DATABASE], name=body.organization_name, email=body.email, plan="pro", actor=acting(request)
    )
    registered = Registered(api_key=secret, tenant_id=tenant.id, scopes=list(TENANT_SCOPES))
    return success(registered.json_ready(), status=201)


async def own_or_all(request: web.Request) -> web.Response:
    """Return the key's own tenant; for the operator a page of all."""
    principal = require(request, "tenant:read")
    reading = request.app[DATABASE].reading
    asked = page_of(request, "tenants", principal.tenant_id)
    if principal.tenant_id is None:
        found = await across_tenants.tenants_page(reading, after=asked.after_id, row_count=asked.row_count)
        shown, following = asked.cut(found, lambda tenant: (tenant.id,))
        return success({"tenants": [record_of(tenant) for tenant in shown], "nextCursor": following})
    return success({"tenants": [record_of(principal.tenant)] if principal.tenant else [], "nextCursor": None})


@idempotent
async def create(request: web.Request) -> web.Response:
    """Make a tenant, for the operator."""
    require(request, OPERATOR_SCOPE)
    body = await body_of(request, NewTenant)
    tenant, secret = await create_tenant(
        request.app[DATABASE], name=body.name, email=body.email, plan=body.plan, actor=acting(request)
    )
    return success({**record_of(tenant), "apiKey": secret, "scopes": list(TENANT_SCOPES)}, status=201)


async def show(request: web.Request) -> web.Response:
    """Return a tenant."""
    principal, tenant_id = tenant_in_path(request, "tenant:read")
    tenant = principal.tenant or await tenants.get(request.app[DATABASE].reading, tenant_id)
    if tenant is None:
        raise NotFound(NO_TENANT)
    return success(record_of(tenant))


async def change(request: web.Request) -> web.Response:
    """Rename a tenant; its plan and limits only the operator changes."""
    principal, tenant_id = tenant_in_path(request, "tenant:write")
    body = await body_of(request, TenantChange)
    sets_limits = "limits" in body.model_fields_set
    if (body.plan is not None or sets_limits) and not principal.is_operator:
        raise Forbidden("Only the operator changes a tenant's plan and limits.")
    wanted = _kept(body.limits)
    actor = acting(request)

    async def unit(transaction: Transaction) -> Tenant:
        held = await tenants.get(transaction, tenant_id)
        if held is None:
            raise NotFound(NO_TENANT)
        limits = wanted if sets_limits else held.limits
        if (body.name or held.name, body.plan or held.plan, limits) == (held.name, held.plan, held.limits):
            return held
        changed = await tenants.change(transaction, tenant_id, name=body.name, plan=body.plan, limits=limits, moment=timestamp())
        changed = changed or held
        before, after = record_of(held), record_of(changed)
        await audit.record(
            transaction, tenant_id, event_type="tenant.updated", actor=actor, subject_id=tenant_id, before=before, after=after
        )
        return changed

    tenant = await request.app[DATABASE].write(unit)
    request.app[KEY_RING].forget_all()
    return success(record_of(tenant))


async def delete(request: web.Request) -> web.Response:
    """Delete a tenant with everything of it, for the operator; the answer says what was erased."""
    require(request, OPERATOR_SCOPE)
    tenant_id = request.match_info["tenant_id"]
    erased = await request.app[ERASURE].erase(tenant_id, actor=acting(request))
    return success({"id": tenant_id, "deleted": True, "erased": erased})


def record_of(tenant: Tenant) -> dict[str, object]:
    """Return a tenant as a client reads it."""
    return {
        "id": tenant.id,
        "name": tenant.name,
        "email": tenant.email,
        "plan": tenant.plan,
        "limits": json.loads(tenant.limits) if tenant.limits else None,
        "created_at": tenant.created_at,
        "updated_at": tenant.updated_at,
    }


def _kept(limits: TenantLimits | None) -> str | None:
    """Return limits as they are kept: those that are given, or None."""
    given = limits.model_dump(exclude_none=True) if limits else {}
    return json.dumps(given, sort_keys=True) if given else None
