"""The store of a tenant as a whole: how often what is searched has changed, and the settings, as JSON text."""

from dataclasses import dataclass

import sqlalchemy as sa

from tenantai.storage.database import Reading, Transaction, compiled
from tenantai.storage.schema import stores as table


@dataclass(frozen=True, slots=True)
class Store:
    """A tenant's store; `settings` is None until they are changed for the first time."""

    generation: int
    settings: str | None


GET = compiled(sa.select(table.c.generation, table.c.settings).where(table.c.tenant_id == sa.bindparam("of_tenant")))
KEEP_SETTINGS = compiled(
    "INSERT INTO stores (tenant_id, generation, settings) VALUES (:tenant_id, 0, :settings) "
    "ON CONFLICT (tenant_id) DO UPDATE SET settings = excluded.settings"
)


async def get(reading: Reading, tenant_id: str) -> Store:
    """Return the store, which every tenant has."""
    row = await reading.one(GET, of_tenant=tenant_id)
    return Store(0, None) if row is None else Store(int(row[0]), row[1])


async def keep_settings(transaction: Transaction, tenant_id: str, *, settings: str) -> None:
    """Keep the settings in place of the earlier ones."""
    await transaction.run(KEEP_SETTINGS, tenant_id=tenant_id, settings=settings)
