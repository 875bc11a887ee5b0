"""What tests do with a tenant's vault."""

import hashlib
from dataclasses import dataclass
from typing import Any

from tenantai.identifiers import new_id, timestamp
from tenantai.server import keys
from tenantai.storage.database import Transaction, compiled
from tests.running import Reply, Running, Tenant

PUT = compiled(
    "INSERT INTO assets (id, tenant_id, path, version, bytes, sha256, created_at, updated_at) "
    "VALUES (:id, :tenant, :path, 1, :bytes, :sha256, :moment, :moment) ON CONFLICT (tenant_id, path) DO UPDATE "
    "SET version = version + 1, bytes = excluded.bytes, sha256 = excluded.sha256 RETURNING id"
)
REMOVE = compiled("DELETE FROM assets WHERE tenant_id = :tenant AND path = :path RETURNING id")


@dataclass(frozen=True)
class Vault:
    """The vault of a tenant, and syncs from it."""

    running: Running
    tenant: Tenant

    async def put(self, path: str, content: bytes | str) -> str:
        """Put bytes at a path; the asset's id."""
        raw = content.encode() if isinstance(content, str) else content
        sha256 = hashlib.sha256(raw).hexdigest()
        blob = self.running.app[keys.SETTINGS].data_dir / "files" / self.tenant.id / sha256[:2] / sha256
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(raw)
        given = {"tenant": self.tenant.id, "path": path, "bytes": len(raw), "sha256": sha256, "moment": timestamp()}

        async def unit(transaction: Transaction) -> str:
            return str((await transaction.run(PUT, id=new_id(), **given))[0][0])

        return await self.running.app[keys.DATABASE].write(unit)

    async def remove(self, path: str) -> str:
        """Delete what is at a path; the asset's id."""

        async def unit(transaction: Transaction) -> str:
            return str((await transaction.run(REMOVE, tenant=self.tenant.id, path=path))[0][0])

        return await self.running.app[keys.DATABASE].write(unit)

    async def begin(self, *asset_ids: str, key: str = "") -> Reply:
        """Ask for a sync; the server's answer, whatever it is."""
        body = {"json": {"assetIds": list(asset_ids)}} if asset_ids else {}
        path = f"{self.tenant.path}/store/sync"
        return await self.running.send("POST", path, key=key or self.tenant.key, **body)

    async def sync(self, *asset_ids: str) -> dict[str, Any]:
        """Sync to the end; the last state of its progress."""
        reply = await self.begin(*asset_ids)
        assert reply.status == 202, reply.text
        last = (await self.running.settled(self.tenant))[-1]
        assert last["operationId"] == reply.data["operationId"]
        return last

    async def refresh(self) -> dict[str, Any]:
        """Ask what a sync would do."""
        return (await self.running.send("POST", f"{self.tenant.path}/store/refresh", key=self.tenant.key)).data

    async def synced(self) -> dict[str, dict[str, Any]]:
        """Return the store's files that stand for an asset, by path."""
        return {file["asset_path"]: file for file in (await self.running.files(self.tenant)).values() if file["asset_path"]}
