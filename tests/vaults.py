"""What tests do with a tenant's vault."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.running import Reply, Running, Tenant


@dataclass(frozen=True)
class Vault:
    """The vault of a tenant, and syncs from it."""

    running: Running
    tenant: Tenant

    async def put(self, path: str, content: bytes | str) -> str:
        """Put bytes at a path; the asset's id."""
        form = aiohttp.FormData()
        form.add_field("file", content.encode() if isinstance(content, str) else content, filename="file")
        made = await self.running.send(
            "POST", f"{self.tenant.path}/assets", key=self.tenant.key, data=form, params={"path": path}
        )
        return str(made.data["asset"]["id"])

    async def remove(self, path: str) -> str:
        """Delete what is at a path; the asset's id."""
        at_path = "SELECT id FROM assets WHERE tenant_id = :t AND path = :p"
        ((asset_id,),) = await self.running.rows(at_path, t=self.tenant.id, p=path)
        gone = await self.running.send("DELETE", f"{self.tenant.path}/assets/{asset_id}", key=self.tenant.key)
        assert gone.status == 200, gone.text
        return str(asset_id)

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
