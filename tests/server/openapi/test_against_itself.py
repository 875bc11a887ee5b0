"""The server against its own description: requests that fit it and that don't, made from it, by schemathesis."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from tenantai.server import keys
from tenantai.server.app import operator_secret
from tenantai.server.openapi.operations import OPERATIONS
from tenantai.server.routes import API
from tests.running import Running, Tenant
from tests.server.walk import PICTURE, World, build_world

ROOT = Path(__file__).parents[3]
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

[[operations]]
include-name = "POST /api/v1/tenants/{{tenantId}}/tools"
phases.coverage.enabled = false

[[operations]]
include-name = "POST /api/v1/analytics/query"
phases.coverage.enabled = false
"""


async def _schemathesis(running: Running, folder: Path, world: World, *options: str, key: str) -> tuple[int | None, str]:
    """Let it try what it makes of the description: so many examples in an order that is always the same, not so many seconds."""
    config = folder / "schemathesis.toml"
    tenant = world.tenant
    ids = {"tenant": tenant.id, "account": tenant.account.id, "file": world.file_id, "chat": world.conversation_id}
    config.write_text(GIVEN.format(**ids, key=world.key_id, tool=world.tool_id, asset=world.asset_id, estimate=world.estimate_id))
    hooks = {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.server.openapi.hooks"}
    given = {"tenantId": tenant.id, "accountId": tenant.account.id, "conversationId": world.conversation_id}
    given |= {"file": world.file_id, "picture": PICTURE}
    told = {**os.environ, **hooks, "GIVEN": json.dumps(given)}
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "st"), "--config-file", str(config), "run", f"{running.url}{API}/openapi.json",
        "--url", running.url, "--header", f"x-api-key: {key}", "--checks", "all", "--seed", "1",
        "--max-examples", "12", "--generation-deterministic", "--request-timeout", "20", "--workers", "1",
        "--suppress-health-check", "all", "--no-color", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder, env=told,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.timeout(300)
async def test_keeps_to_its_description(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """No fault, no status or shape that is not described, nothing refused that fits, nothing taken that does not."""
    code, output = await _schemathesis(running, tmp_path, await build_world(running, acme), key=acme.key)
    assert code == 0, output[-8000:]
    told = (await running.send("GET", "/metrics", key=operator_secret(running.app[keys.SETTINGS]))).text
    asked = {(sample[1], sample[2]) for sample in re.finditer(r'_count\{method="(\w+)",route="([^"]+)"', told)}
    assert set(OPERATIONS) <= asked


async def test_keeps_to_it_for_the_operator(running: Running, acme: Tenant, tmp_path: Path) -> None:
    """The same holds of what only the operator may do."""
    key = operator_secret(running.app[keys.SETTINGS])
    world = await build_world(running, acme)
    tags = [option for tag in ("tenants", "system", "operating") for option in ("--include-tag", tag)]
    code, output = await _schemathesis(running, tmp_path, world, *tags, key=key)
    assert code == 0, output[-8000:]
