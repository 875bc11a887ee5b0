"""Tenants come into being: by themselves, or made by the operator."""

import sqlite3

from tenantai.errors import Conflict
from tenantai.identifiers import new_id, timestamp
from tenantai.server.services import credentials
from tenantai.storage import across_tenants, audit, tenants
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.storage.tenants import Tenant

TAKEN = "This e-mail address has a tenant already. Use its key, or register with another address."


async def create_tenant(database: Database, *, name: str, email: str, plan: str, actor: Actor) -> tuple[Tenant, str]:
    """Create a tenant with its first admin key; returns both. Raises Conflict where the e-mail has a tenant."""

    async def unit(transaction: Transaction) -> tuple[Tenant, str]:
        if await across_tenants.email_is_taken(transaction, email=email):
            raise Conflict(TAKEN)
        tenant_id = new_id()
        tenant = await tenants.create(transaction, tenant_id, name=name, email=email, plan=plan, moment=timestamp())
        secret, key = await credentials.issue(transaction, tenant_id, name="first key", scopes=credentials.TENANT_SCOPES)
        await audit.record(
            transaction,
            tenant_id,
            event_type="tenant.created",
            actor=actor,
            subject_id=tenant_id,
            after={"name": name, "email": email, "plan": plan, "first_key_id": key.id},
        )
        return tenant, secret

    try:
        return await database.write(unit)
    except sqlite3.IntegrityError as error:
        raise Conflict(TAKEN) from error
