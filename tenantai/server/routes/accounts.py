"""Accounts of a tenant."""

import sqlite3
from dataclasses import replace

from aiohttp import web

from tenantai.errors import Conflict, NotFound
from tenantai.identifiers import new_id, timestamp
from tenantai.server.binding import body_of
from tenantai.server.idempotency import idempotent
from tenantai.server.keys import DATABASE, DOCUMENTS, KEY_RING
from tenantai.server.middlewares import success
from tenantai.server.paging import page_of
from tenantai.server.principal import acting, own_account, tenant_in_path
from tenantai.server.services.api_keys import refuse_role
from tenantai.storage import accounts, audit, tenants
from tenantai.storage.accounts import Account
from tenantai.storage.database import Transaction
from tenantai.wire.accounts import AccountChange, AccountRecord, NewAccount

NO_ACCOUNT = "There is no such account in this tenant. Check the id."
TAKEN = "Another account of this tenant has this externalId. Choose another."


async def page(request: web.Request) -> web.Response:
    """Return accounts by creation; a key bound to an account sees that one."""
    principal, tenant_id = tenant_in_path(request, "account:read")
    asked = page_of(request, "accounts", tenant_id, principal.account_id)
    reading = request.app[DATABASE].reading
    if principal.account_id is not None:
        own = await accounts.get(reading, tenant_id, account_id=principal.account_id)
        return success({"accounts": [record_of(own)] if own else [], "nextCursor": None})
    found = await accounts.page(reading, tenant_id, after=asked.after_id, row_count=asked.row_count)
    shown, following = asked.cut(found, lambda account: (account.id,))
    return success({"accounts": [record_of(account) for account in shown], "nextCursor": following})


@idempotent
async def create(request: web.Request) -> web.Response:
    """Make an account."""
    _, tenant_id = tenant_in_path(request, "account:write")
    body = await body_of(request, NewAccount)
    moment = timestamp()
    account = Account(new_id(), tenant_id, body.name, body.email, body.role, body.external_id, moment, moment)
    actor = acting(request)

    async def unit(transaction: Transaction) -> Account:
        if await tenants.get(transaction, tenant_id) is None:
            raise NotFound("There is no such tenant. Check the id.")
        made = await accounts.create(transaction, tenant_id, account=account)
        after = record_of(made)
        await audit.record(
            transaction, tenant_id, event_type="account.created", actor=actor, subject_id=made.id, account_id=made.id, after=after
        )
        return made

    try:
        return success(record_of(await request.app[DATABASE].write(unit)), status=201)
    except sqlite3.IntegrityError as error:
        raise Conflict(TAKEN) from error


async def show(request: web.Request) -> web.Response:
    """Return an account."""
    principal, tenant_id = tenant_in_path(request, "account:read")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    account = await accounts.get(request.app[DATABASE].reading, tenant_id, account_id=account_id)
    if account is None:
        raise NotFound(NO_ACCOUNT)
    return success(record_of(account))


async def change(request: web.Request) -> web.Response:
    """Change what is sent of an account."""
    principal, tenant_id = tenant_in_path(request, "account:write")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    body = await body_of(request, AccountChange)
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    changes = {name: value for name, value in changes.items() if value is not None or name in {"email", "external_id"}}
    actor = acting(request)

    async def unit(transaction: Transaction) -> Account:
        held = await accounts.get(transaction, tenant_id, account_id=account_id)
        if held is None:
            raise NotFound(NO_ACCOUNT)
        if replace(held, **changes) == held:
            return held
        changed = replace(held, **changes, updated_at=timestamp())
        await refuse_role(transaction, tenant_id, account_id=held.id, role=changed.role, before=held.role, by=principal)
        before, after = record_of(held), record_of(changed)
        await audit.record(
            transaction,
            tenant_id,
            event_type="account.updated",
            actor=actor,
            subject_id=held.id,
            account_id=held.id,
            before=before,
            after=after,
        )
        return await accounts.save(transaction, tenant_id, account=changed) or changed

    try:
        account = await request.app[DATABASE].write(unit)
    except sqlite3.IntegrityError as error:
        raise Conflict(TAKEN) from error
    request.app[KEY_RING].forget_all()
    return success(record_of(account))


async def delete(request: web.Request) -> web.Response:
    """Delete an account with its chats, keys and files."""
    principal, tenant_id = tenant_in_path(request, "account:write")
    account_id = own_account(principal, request.match_info["account_id"]) or ""
    await request.app[DOCUMENTS].delete_account(tenant_id, account_id=account_id, actor=acting(request))
    request.app[KEY_RING].forget_all()
    return success({"id": account_id, "deleted": True})


def record_of(account: Account) -> dict[str, object]:
    """Return an account as a client reads it."""
    return AccountRecord.model_validate(account).json_ready()
