"""A client that openapi-python-client makes from our description imports whole, and walks from registering to usage."""

import asyncio
import importlib
import io
import json
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tenantai.server.routes import API
from tests.running import Running

NAME = "made_client"
SETTINGS = {
    "post_hooks": [],
    "content_type_overrides": {"image/jpeg": "application/octet-stream", "*/*": "application/octet-stream"},
}
MADE_SECONDS_MAX = 60


async def generate(running: Running, folder: Path) -> str:
    """Make the client as a package in the folder; what the generator said."""
    described, settings = folder / "openapi.json", folder / "settings.json"
    described.write_text((await running.send("GET", f"{API}/openapi.json")).text)
    settings.write_text(json.dumps(SETTINGS))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--path", str(described),
        "--config", str(settings), "--meta", "none", "--output-path", str(folder / NAME), "--fail-on-warning",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), MADE_SECONDS_MAX)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture
async def made(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The client, imported."""
    assert "WARNING" not in await generate(running, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.import_module(NAME)


def part(path: str) -> Any:
    """Return a module of the client."""
    return importlib.import_module(f"{NAME}.{path}")


async def call(endpoint: str, client: Any, *given: str, **more: Any) -> Any:
    """Call an endpoint; the data of its answer."""
    answer = await part(f"api.{endpoint}").asyncio(*given, client=client, **more)
    assert answer is not None
    assert answer.success is True, answer
    return answer.data


async def test_walks(running: Running, made: ModuleType) -> None:
    """Register, upload a file and an asset, sync, ask and read the usage: each answer has the shape that was described."""
    models, types = part("models"), part("types")
    parts = [found.name for found in pkgutil.walk_packages(made.__path__, f"{NAME}.")]
    assert len([importlib.import_module(name) for name in parts if ".api." in name]) > 40

    async with made.Client(base_url=running.url, raise_on_unexpected_status=True) as anyone:
        new = models.Registration(email="walker@example.com", organization_name="Walkers")
        tenant = await call("tenants.tenants_register", anyone, body=new)
    headers = {"Accept": "application/json"}
    known = {"token": tenant.api_key, "prefix": "", "auth_header_name": "x-api-key", "headers": headers}
    async with made.AuthenticatedClient(base_url=running.url, raise_on_unexpected_status=True, **known) as client:
        first = models.NewAccount(name="First", role=models.NewAccountRole.MEMBER)
        account = await call("accounts.accounts_create", client, tenant.tenant_id, body=first)
        text = types.File(io.BytesIO(b"The boiler is serviced in May."), file_name="boiler.txt")
        body = models.FilesUploadBody(file=text)
        uploaded = await call("files.files_upload", client, tenant.tenant_id, account.id, body=body, idempotency_key="one")
        assert uploaded.file.name == "boiler.txt"
        kept = types.File(io.BytesIO(b"The lift is serviced in June."), file_name="lift.txt")
        body = models.AssetsUploadBody(file=kept)
        asset = await call("assets.assets_upload", client, tenant.tenant_id, body=body, path="lifts/lift.txt")
        assert asset.asset.path == "lifts/lift.txt"

        started = await call("store.store_sync", client, tenant.tenant_id, body=models.NewSync())
        told: list[Any] = []
        while not told or told[-1].status == models.ProgressStatus.IN_PROGRESS:
            told.append(await call("store.store_progress", client, tenant.tenant_id))
        assert (told[-1].operation_id, told[-1].status) == (started.operation_id, models.ProgressStatus.COMPLETED)
        store = await call("store.store_show", client, tenant.tenant_id)
        assert sorted(file.name for file in store.files) == ["boiler.txt", "lift.txt"]

        question = models.ChatMessage(tenant_id=tenant.tenant_id, message="When is the boiler serviced?")
        answer = await call("chat.chat_chat", client, body=question)
        assert answer.text
        history = await call("chat.history_conversation", client, answer.conversation_id)
        assert [message.role for message in history.messages] == ["user", "assistant"]
        usage = await call("usage.usage_show", client)
        assert usage.requests.used >= len(told) + 7
        assert usage.tokens.used > 0


async def test_refusals_have_their_shape(running: Running, made: ModuleType) -> None:
    """A refusal is read as an error with its code, not as something unknown."""
    async with made.AuthenticatedClient(base_url=running.url, token="sk_live_wrong") as client:
        refused = await part("api.usage.usage_show").asyncio(client=client)
        assert (refused.success, refused.error.code.value) == (False, "UNAUTHORIZED")
