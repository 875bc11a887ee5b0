"""How much of its storage a tenant uses: files, versions of assets, and pictures of estimates together."""

from tenantai.storage import assets, estimates, files
from tenantai.storage.database import Reading


async def bytes_used(reading: Reading, tenant_id: str) -> int:
    """Return the bytes that count against a tenant's storage."""
    of_files = await files.bytes_used(reading, tenant_id)
    return of_files + await assets.bytes_used(reading, tenant_id) + await estimates.bytes_used(reading, tenant_id)
