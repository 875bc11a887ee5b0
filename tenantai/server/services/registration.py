"""Tenants come into being: by themselves, or made by the operator."""

import sqlite3
import time
from collections import deque
from datetime import timedelta

from tenantai.errors import Conflict, LimitExceeded
from tenantai.identifiers import new_id, now, timestamp
from tenantai.server.services import credentials
from tenantai.storage import across_tenants, audit, tenants
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.storage.tenants import Tenant

HOUR_SECONDS = 3600
ADDRESSES_HELD_MAX = 10_000
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


class RegistrationGate:
    """Lets an address register so many times an hour."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._made: dict[str, deque[float]] = {}

    def enter(self, address: str) -> None:
        """Note a registration; raises LimitExceeded at one too many."""
        self.require_room(address)
        present = time.monotonic()
        self._made.setdefault(address, deque()).append(present)
        self._forget_old(present)

    def require_room(self, address: str) -> None:
        """Raise LimitExceeded where an address may not register now."""
        present, made = time.monotonic(), self._made.get(address, deque())
        while made and made[0] <= present - HOUR_SECONDS:
            made.popleft()
        if len(made) >= self._per_hour:
            wait = max(1, int(made[0] + HOUR_SECONDS - present))
            raise LimitExceeded(
                "TOO_MANY_ATTEMPTS",
                "Too many registrations from this address. Try again later.",
                reason="registrations_per_hour",
                limit=self._per_hour,
                used=len(made),
                retry_after_seconds=wait,
                reset_at=timestamp(now() + timedelta(seconds=wait)),
            )

    def _forget_old(self, present: float) -> None:
        if len(self._made) > ADDRESSES_HELD_MAX:
            self._made = {a: m for a, m in self._made.items() if m and m[-1] > present - HOUR_SECONDS}
