"""The audit log: pages, the live tail, exports and the proof of its chain."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from tenantai.client.following import follow
from tenantai.client.shaping import present, tenant_path
from tenantai.client.transport import Transport
from tenantai.wire.answers import StoreAuditPage
from tenantai.wire.audit import AuditProof, AuditRecord
from tenantai.wire.shapes import Computed

PATH = "/audit"


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """Which entries; `tenant_id` is the operator's to give, `since` and `until` are times."""

    tenant_id: str | None = None
    event_type: str | None = None
    actor: str | None = None
    key_id: str | None = None
    account_id: str | None = None
    subject_id: str | None = None
    asset_id: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """Return them as a request has them."""
        named = present(
            tenantId=self.tenant_id,
            eventType=self.event_type,
            actor=self.actor,
            keyId=self.key_id,
            accountId=self.account_id,
            subjectId=self.subject_id,
            assetId=self.asset_id,
        )
        return {**named, **{name: text for name, text in (("from", self.since), ("to", self.until)) if text is not None}}


ALL = AuditFilters()


class AuditPage(Computed):
    """A page of entries, the newest first; a live tail from `last_event_id` on goes on where it ends."""

    logs: list[AuditRecord]
    total: int
    total_is_exact: bool
    next_cursor: str | None
    last_event_id: str


class AuditLog:
    """`/audit`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def page(
        self, filters: AuditFilters = ALL, *, limit: int | None = None, cursor: str | None = None, offset: int | None = None
    ) -> AuditPage:
        """Return a page, from a cursor on or behind so many of the newest (any number of them where only times are asked for)."""
        query = {**filters.query, **present(limit=limit, cursor=cursor, offset=offset)}
        return await self._transport.call("GET", PATH, AuditPage, params=query)

    async def of_store(
        self,
        tenant_id: str,
        *,
        asset_id: str | None = None,
        event_type: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> StoreAuditPage:
        """Return a page of what concerns a tenant's store, of all files or one, the newest first."""
        query = present(assetId=asset_id, eventType=event_type, limit=limit, cursor=cursor)
        return await self._transport.call("GET", f"{tenant_path(tenant_id)}/store/audit", StoreAuditPage, params=query)

    def all(self, filters: AuditFilters = ALL) -> AsyncGenerator[AuditRecord]:
        """Yield every entry, the newest first."""
        return self._transport.pages(PATH, "logs", AuditRecord, query=filters.query)

    def follow(self, filters: AuditFilters = ALL, *, after: str | None = None) -> AsyncGenerator[AuditRecord]:
        """Yield entries as they are written, from behind the one whose sequence is `after`, until the server stops."""
        return follow(self._transport, PATH, AuditRecord, query=filters.query, after=after)

    def export(self, form: str, filters: AuditFilters = ALL) -> AsyncGenerator[bytes]:
        """Yield the pieces of a file (`csv`, `jsonl` or `parquet`) with every entry, oldest first; raises where it breaks off."""
        return self._transport.pieces(PATH, query={**filters.query, "format": form})

    async def proofs(self, *, tenant_id: str | None = None, anchor: str | None = None) -> AsyncGenerator[AuditProof]:
        """Yield the proof of the chain, a part at a time; the last is complete, or names the broken link."""
        query: dict[str, str] | None = present(tenantId=tenant_id, anchor=anchor)
        while query is not None:
            proof = await self._transport.call("GET", f"{PATH}/verify", AuditProof, params=query)
            yield proof
            query = present(tenantId=tenant_id, cursor=proof.next_cursor) if proof.next_cursor else None
