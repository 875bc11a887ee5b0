"""The server against its own description: requests that fit it and that don't, made from it, by schemathesis."""

import asyncio
import sys
from pathlib import Path

from tenantai.server.routes import API
from tests.running import Running, Tenant
from tests.server.walk import World, build_world

SECONDS_MAX = 45
NO_SCHEMA_SAYS = "/(asset-auth/password|estimator/analyze)$"  # that two fields must be the same, and what is a picture
GIVEN = """
[parameters]
"path.tenantId" = "{tenant}"
"path.accountId" = "{account}"
"path.fileId" = "{file}"
"path.chatId" = "{chat}"
"path.keyId" = "{key}"
"path.toolId" = "{tool}"
"path.assetId" = "{asset}"
"path.estimateId" = "{estimate}"
"path.image" = "0"
"query.tenantId" = "{tenant}"
"query.accountId" = "{account}"
"query.cursor" = ""
"query.offset" = 0
"query.keyId" = "operator"
"query.actor" = "operator"
"query.from" = "2026-01-01T00:00:00Z"
"query.to" = "2026-01-02T00:00:00Z"
"""


async def _schemathesis(running: Running, folder: Path, world: World) -> tuple[int | None, str]:
    config = folder / "schemathesis.toml"
    tenant = world.tenant
    ids = {"tenant": tenant.id, "account": tenant.account.id, "file": world.file_id, "chat": world.conversation_id}
    config.write_text(GIVEN.format(**ids, key=world.key_id, tool=world.tool_id, asset=world.asset_id, estimate=world.estimate_id))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "st"), "--config-file", str(config), "run", f"{running.url}{API}/openapi.json",
        "--url", running.url, "--header", f"x-api-key: {tenant.key}", "--checks", "all", "--seed", "1",
        "--exclude-path-regex", NO_SCHEMA_SAYS,
        "--max-examples", "4", "--max-time", str(SECONDS_MAX), "--request-timeout", "20", "--workers", "1",
        "--generation-database", "none", "--suppress-health-check", "all", "--no-color",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_keeps_to_its_description(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """No fault, no status or shape that is not described, nothing refused that fits, nothing taken that does not."""
    code, output = await _schemathesis(running, tmp_path, await build_world(running, acme))
    assert "Tested:" in output, output
    assert code == 0, output[-8000:]
