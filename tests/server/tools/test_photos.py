"""The estimator as a function of chat."""

from typing import Any

import pytest

from tenantai.providers.protocols import FunctionResult
from tenantai.providers.scripted import ScriptedChat
from tenantai.server.services.credentials import TENANT_SCOPES
from tenantai.server.services.estimator import NO_VISION
from tenantai.server.services.pictures import NO_ASSET
from tenantai.server.services.tools.photos import ESTIMATE
from tenantai.settings import Settings
from tests.pictures.making import jpeg
from tests.running import API, Running, Tenant, serving
from tests.server.tools.endpoints import call
from tests.vaults import Vault


def result(running: Running) -> FunctionResult:
    return running.chat.history[-1].turns[-1].results[0]


async def asked(settings: Settings, asset: bytes | str, **given: Any) -> tuple[Running, list[Any]]:
    """Ask in a chat whose model calls the estimator with an asset; the server as it was, and what an estimate cost."""
    key: dict[str, str] = {}
    async with serving(settings, chat=ScriptedChat([["later"]]), **given) as running:
        tenant = await running.register("Acme")
        asset_id = await Vault(running, tenant).put("room.jpg", asset) if isinstance(asset, bytes) else asset
        running.chat._answers.clear()
        running.chat._answers.extend([tuple(call(ESTIMATE, {"assetIds": [asset_id]})), ("A small one.",)])
        await running.answer(tenant, f"How big a unit do I need for {asset_id}?", **key)
        rows = await running.rows("SELECT status, account_id, input_tokens FROM estimates")
        used = (await running.send("GET", f"{API}/usage", key=tenant.key)).data["tokens"]["used"]
        return running, [*rows, used]


async def test_unit_for_photos(settings: Settings) -> None:
    """A question with a photo's asset gets the unit that holds it; the estimate is kept, and its tokens are counted."""
    running, (kept, used) = await asked(settings, jpeg())
    told = result(running).output
    assert told["storageUnit"]["tight"]["name"] == "5x5"
    assert [item["name"] for item in told["items"]] == ["sofa 3 seat"]
    assert kept[0] == "complete"
    assert used > kept[2] > 0


@pytest.mark.parametrize(
    ("asset", "why"), [("01a00000-0000-7000-8000-000000000000", NO_ASSET), (b"no picture", "photo 0 is not a JPEG")]
)
async def test_photos_that_are_none(settings: Settings, asset: bytes | str, why: str) -> None:
    """An asset that is not there, or is no picture, is told in a sentence; no estimate is made."""
    running, rows = await asked(settings, asset)
    assert result(running).is_error
    assert why in str(result(running).output)
    assert len(rows) == 1


async def test_without_a_model_that_looks(settings: Settings) -> None:
    """Without one the sentence names the setting."""
    running, _ = await asked(settings, jpeg(), vision=None)
    assert result(running).output == NO_VISION


@pytest.mark.parametrize("lacking", ["estimator:analyze", "file:read"])
async def test_needs_its_scopes(running: Running, acme: Tenant, lacking: str) -> None:
    """A key that chats but may not analyze, or not read the vault, gets a sentence, and no estimate is made."""
    asset_id = await Vault(running, acme).put("room.jpg", jpeg())
    key, _ = await running.issue(acme, scopes=[scope for scope in TENANT_SCOPES if scope != lacking])
    running.chat._answers.clear()
    running.chat._answers.extend([tuple(call(ESTIMATE, {"assetIds": [asset_id]})), ("No.",)])
    await running.answer(acme, "How big a unit?", key=key)
    assert f"lacks the scope {lacking}" in str(result(running).output)
    assert await running.rows("SELECT id FROM estimates") == []


@pytest.mark.parametrize("other", ["tenant", "account"])
async def test_stays_within(running: Running, acme: Tenant, globex: Tenant, other: str) -> None:
    """Another tenant's photos do not exist, and a key bound to an account has no vault."""
    owner = globex if other == "tenant" else acme
    asset_id = await Vault(running, owner).put("room.jpg", jpeg())
    key = acme.key if other == "tenant" else (await running.issue(acme, account=acme.account))[0]
    running.chat._answers.clear()
    running.chat._answers.extend([tuple(call(ESTIMATE, {"assetIds": [asset_id]})), ("No.",)])
    await running.answer(acme, "How big a unit?", key=key)
    assert result(running).is_error
    assert await running.rows("SELECT id FROM estimates") == []


async def test_is_told_in_the_audit_log(running: Running, acme: Tenant) -> None:
    """An estimate that a chat's model makes has the entry that any has, by the chat's key."""
    asset_id = await Vault(running, acme).put("room.jpg", jpeg())
    running.chat._answers.clear()
    running.chat._answers.extend([tuple(call(ESTIMATE, {"assetIds": [asset_id]})), ("A small one.",)])
    await running.ask(acme, "How big a unit?", headers={"X-Request-Id": "chat-1"})
    told = await running.rows(
        "SELECT actor = 'key:' || key_id, address, request_id, subject_id = (SELECT id FROM estimates) FROM audit_entries "
        "WHERE tenant_id = :t AND event_type = 'estimate.created'",
        t=acme.id,
    )
    assert told == [(1, "127.0.0.1", "chat-1", 1)]
