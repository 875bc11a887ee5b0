"""The settings of a store: how answers cite, and what they are made from.

What must stay true: a store without settings of its own has the defaults, also for settings that come into being later.
"""

from tenantai.errors import NotFound
from tenantai.storage import audit, stores, tenants
from tenantai.storage.audit import Actor
from tenantai.storage.database import Database, Transaction
from tenantai.wire.store import StoreSettings, StoreSettingsChange

DEFAULTS = StoreSettings()


def settings_of(store: stores.Store) -> StoreSettings:
    """Return a store's settings."""
    return DEFAULTS if store.settings is None else StoreSettings.model_validate_json(store.settings)


async def change_settings(database: Database, tenant_id: str, *, change: StoreSettingsChange, actor: Actor) -> StoreSettings:
    """Change what is given, with its audit entry; raises NotFound where there is no such tenant."""

    async def unit(transaction: Transaction) -> StoreSettings:
        if await tenants.get(transaction, tenant_id) is None:
            raise NotFound("There is no such tenant. Check the id.")
        held = settings_of(await stores.get(transaction, tenant_id))
        changed = _changed(held, change)
        if changed != held:
            await stores.keep_settings(transaction, tenant_id, settings=changed.model_dump_json(by_alias=True))
            await audit.record(
                transaction,
                tenant_id,
                event_type="store.updated",
                actor=actor,
                subject_id=tenant_id,
                before=_flat(held),
                after=_flat(changed),
            )
        return changed

    return await database.write(unit)


def _changed(held: StoreSettings, change: StoreSettingsChange) -> StoreSettings:
    return StoreSettings(
        citations=held.citations.model_copy(update=change.citations.model_dump(exclude_none=True) if change.citations else {}),
        retrieval=held.retrieval.model_copy(update=change.retrieval.model_dump(exclude_none=True) if change.retrieval else {}),
    )


def _flat(settings: StoreSettings) -> dict[str, object]:
    """Return each setting under its own name, as the audit log tells what differs."""
    told = settings.json_ready()
    return {f"{group}.{name}": value for group, values in told.items() for name, value in values.items()}
