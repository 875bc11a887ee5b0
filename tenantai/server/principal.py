"""Who is asking, and whether they may: handlers call `require` first and `own_tenant` before they touch a tenant's things."""

from aiohttp import web

from tenantai.errors import Forbidden
from tenantai.server.addresses import address_of
from tenantai.server.keys import REQUEST_ID, VISIT
from tenantai.server.services.credentials import OPERATOR_SCOPE, SESSION_SCOPE, Principal
from tenantai.storage.audit import Actor


def require(request: web.Request, scope: str) -> Principal:
    """Return who asks; raises Forbidden where their key lacks the scope."""
    principal = request[VISIT].principal
    if scope not in principal.scopes:
        raise Forbidden(f"This API key lacks the scope {scope}. Use a key that has it.")
    return principal


def own_tenant(principal: Principal, tenant_id: str) -> str:
    """Return the tenant to act in; raises Forbidden where it is not the key's own."""
    if principal.tenant_id != tenant_id and OPERATOR_SCOPE not in principal.scopes:
        raise Forbidden("This API key belongs to another tenant. Name the key's own tenant.")
    return tenant_id


def own_account(principal: Principal, account_id: str | None) -> str | None:
    """Return the account to act for: the one the key is bound to, else the one named; raises Forbidden for another's."""
    if principal.account_id is None or account_id is None:
        return principal.account_id or account_id
    if account_id != principal.account_id:
        raise Forbidden("This API key is bound to another account. Name the key's own account, or none.")
    return account_id


def tenant_in_path(request: web.Request, scope: str) -> tuple[Principal, str]:
    """Return who asks and the tenant of the path, once both the scope and the tenant are known to be theirs."""
    principal = require(request, scope)
    return principal, own_tenant(principal, request.match_info["tenant_id"])


def in_vault(request: web.Request, scope: str) -> tuple[Principal, str]:
    """Return who asks and the tenant of the path: a session of its Asset Manager, or a key, that has the scope.

    The vault is the whole tenant's: a key bound to an account may use it only as that account's admin. Raises Forbidden.
    """
    principal = request[VISIT].principal
    if SESSION_SCOPE in principal.scopes:
        refuse_beyond_password(principal, scope)
    else:
        principal = require(request, scope)
    refuse_below_vault(principal)
    return principal, own_tenant(principal, request.match_info["tenant_id"])


def refuse_beyond_password(principal: Principal, scope: str) -> None:
    """Raise Forbidden where a session's password was set by a key that may not do this in the vault itself."""
    if scope not in principal.in_vault:
        raise Forbidden(
            f"This session lacks {scope}, as the key did that set its password. "
            f"Set the password with a key that has asset-auth:write and {scope}, then log in again."
        )


def refuse_below_vault(principal: Principal) -> None:
    """Raise Forbidden for a key bound to an account whose admin it is not: what opens the vault opens the whole tenant's."""
    if principal.account_id is not None and "tenant:write" not in principal.scopes:
        raise Forbidden("This API key is bound to an account, and the vault is the whole tenant's. Use a key that is not bound.")


def require_vault_reading(principal: Principal) -> None:
    """Raise Forbidden for a key that may not read the vault, where a request names one of its assets."""
    if "file:read" not in principal.scopes:
        raise Forbidden("This API key lacks the scope file:read, which an asset of the vault needs. Use a key that has it.")
    refuse_below_vault(principal)


def acting(request: web.Request) -> Actor:
    """Return who acts in a request, as the audit log has it; an unauthenticated caller is `anyone`."""
    visit = request.get(VISIT)
    address, request_id = address_of(request), request[REQUEST_ID]
    if visit is None:
        return Actor("anyone", address=address, request_id=request_id)
    principal = visit.principal
    if SESSION_SCOPE in principal.scopes:
        return Actor(SESSION_SCOPE, address=address, request_id=request_id)
    name = "operator" if principal.is_operator else f"key:{principal.key_id}"
    return Actor(name, principal.key_id, principal.account_id, address, request_id)
