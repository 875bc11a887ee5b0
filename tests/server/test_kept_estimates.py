"""Kept estimates: read, edited, approved, exported, deleted; nobody else's, and never half."""

import asyncio
import csv
import io
import json
from base64 import b64encode
from typing import Any, cast

import numpy as np
import pytest
from pypdf import PdfReader

from tenantai.providers.protocols import ChatModel
from tenantai.providers.scripted import ScriptedChat
from tenantai.providers.vision import SeeingModel
from tenantai.server import keys
from tenantai.server.services import pack_plans
from tenantai.server.services.estimates import CHANGED_MEANWHILE, STILL_RUNNING
from tenantai.settings import Settings
from tenantai.storage.database import Transaction, compiled
from tests.pictures.making import jpeg
from tests.running import API, SOFA, Reply, Running, Tenant, serving, until
from tests.server.walk import estimated

ESTIMATES = f"{API}/estimator/estimates"
THINGS = (
    SOFA,
    {**SOFA, "name": "dresser double", "label": "=1+1", "box_2d": [0, 0, 300, 300]},
    {**SOFA, "name": "suit of armour", "box_2d": [500, 500, 900, 600]},
    {**SOFA, "name": "radiator", "built_in": True},
)


@pytest.fixture
def vision() -> SeeingModel:
    return SeeingModel(cast("ChatModel", ScriptedChat([[json.dumps({"things": THINGS})]])))


async def show(running: Running, tenant: Tenant, estimate_id: str) -> dict[str, Any]:
    return (await running.send("GET", f"{ESTIMATES}/{estimate_id}", key=tenant.key)).data


async def change(running: Running, tenant: Tenant, estimate_id: str, **body: Any) -> Reply:
    return await running.send("PATCH", f"{ESTIMATES}/{estimate_id}", key=tenant.key, json=body)


def blobs_of(running: Running, tenant: Tenant) -> int:
    folder = running.app[keys.SETTINGS].data_dir / "files" / tenant.id
    return len([path for path in folder.rglob("*") if path.is_file()])


async def test_read(running: Running, acme: Tenant) -> None:
    """An estimate is kept as the stream told it, with the picture as it was looked at."""
    estimate_id = await estimated(running, acme)
    shown = await show(running, acme, estimate_id)
    assert (shown["estimate"]["status"], shown["estimate"]["item_count"], shown["estimate"]["version"]) == ("complete", 1, 1)
    assert shown["summary"]["items"][0]["name"] == "sofa 3 seat"
    assert shown["summary"]["images"] == [{"image": 0, "status": "done", "items": 1}]
    async with running.session.get(
        f"{running.url}{ESTIMATES}/{estimate_id}/pictures/0", headers={"x-api-key": acme.key}
    ) as response:
        assert (response.status, response.content_type) == (200, "image/jpeg")
        assert (await response.read())[:2] == b"\xff\xd8"
    assert (await running.send("GET", f"{ESTIMATES}/{estimate_id}/pictures/1", key=acme.key)).status == 404


async def test_edit(settings: Settings, vision: SeeingModel) -> None:
    """Totals follow what a person changes, takes out and adds; what they tell is counted, and untouched items stay."""
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")
        estimate_id = await estimated(running, acme)
        before = (await show(running, acme, estimate_id))["summary"]
        sizes = {"lengthCm": 60, "widthCm": 50, "heightCm": 180}
        reply = await change(
            running,
            acme,
            estimate_id,
            version=1,
            items=[{"id": "0-0", "quantity": 2}, {"id": "0-2", **sizes}, {"id": "0-3", "status": "counted", "name": "window ac"}],
            remove=["0-1"],
            add=[{"name": "piano upright", "room": "hall"}],
        )
        summary, estimate = reply.data["summary"], reply.data["estimate"]
        named = {item["name"]: item for item in summary["items"]}
        assert set(named) == {"sofa 3 seat", "suit of armour", "window ac", "piano upright"}
        (sofa,) = [item for item in before["items"] if item["name"] == "sofa 3 seat"]
        assert named["sofa 3 seat"]["volumeM3"]["high"] == pytest.approx(2 * sofa["volumeM3"]["high"], abs=0.01)
        assert named["suit of armour"]["volumeM3"]["typical"] == pytest.approx(0.6 * 0.5 * 1.8 * 0.75)
        assert (summary["needsReview"], summary["excluded"]) == ([], [])
        things = sum(item["volumeM3"]["typical"] for item in summary["items"])
        assert summary["totals"]["volumeM3"]["typical"] == pytest.approx(
            things + summary["contents"]["volumeM3"]["typical"], abs=0.01
        )
        assert (estimate["version"], estimate["item_count"]) == (2, 4)
        assert (await show(running, acme, estimate_id))["summary"] == summary


async def test_pack_plan(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan says whether all goes into the proposed unit, follows edits, and is left out where it takes too long."""
    estimate_id = await estimated(running, acme)
    shown = (await show(running, acme, estimate_id))["summary"]
    assert shown["packPlan"]["unit"] == shown["storageUnit"]["tight"]["name"]
    assert (shown["packPlan"]["fits"], shown["packPlan"]["leftOver"]) == (True, [])
    long = {"name": "kayak", "lengthCm": 700, "widthCm": 30, "heightCm": 20}
    changed = (await change(running, acme, estimate_id, add=[long])).data["summary"]
    assert (changed["packPlan"]["fits"], changed["packPlan"]["leftOver"]) == (False, ["kayak"])
    monkeypatch.setattr(pack_plans, "SECONDS_MAX", 0)
    changed = (await change(running, acme, estimate_id, items=[{"id": "0-0", "quantity": 2}])).data["summary"]
    assert "packPlan" not in changed


async def test_edits_that_are_none(running: Running, acme: Tenant) -> None:
    """Unknown items, wrong values and an older version are refused, each by name; a change of nothing changes nothing."""
    estimate_id = await estimated(running, acme)
    refused = await change(running, acme, estimate_id, items=[{"id": "9-9"}], remove=["nothing"])
    assert (refused.status, [wrong["field"] for wrong in refused.error["details"]]) == (404, ["items.0.id", "remove.0"])
    approved = (await running.send("POST", f"{ESTIMATES}/{estimate_id}/approve", key=acme.key)).data
    assert (await change(running, acme, estimate_id, items=[], remove=[])).data["estimate"] == approved
    wrong = [{"id": "0-0", "quantity": 0, "lengthCm": -1, "name": " ", "colour": "red"}]
    assert (await change(running, acme, estimate_id, items=wrong)).fields == {
        *(f"items.0.{name}" for name in ("quantity", "lengthCm", "name", "colour"))
    }
    late = await change(running, acme, estimate_id, version=7, remove=["0-0"])
    assert (late.status, late.error["message"]) == (409, CHANGED_MEANWHILE)
    assert (await show(running, acme, estimate_id))["estimate"] == approved


async def test_two_edits_at_once(running: Running, acme: Tenant) -> None:
    """Of two edits at the same moment of the same version one is told of the other, and none is lost unseen."""
    estimate_id = await estimated(running, acme)
    edits = [change(running, acme, estimate_id, version=1, items=[{"id": "0-0", "quantity": n}]) for n in (2, 3, 4)]
    statuses = sorted([reply.status for reply in await asyncio.gather(*edits)])
    assert statuses == [200, 409, 409]
    assert (await show(running, acme, estimate_id))["estimate"]["version"] == 2


async def test_approval(running: Running, acme: Tenant) -> None:
    """An approval names who gave it, is given once, and is taken back by the next edit."""
    estimate_id = await estimated(running, acme)
    path = f"{ESTIMATES}/{estimate_id}/approve"
    approved = (await running.send("POST", path, key=acme.key)).data
    assert approved["approved_by"].startswith("key:")
    assert (await running.send("POST", path, key=acme.key)).data == approved
    edited = (await change(running, acme, estimate_id, items=[{"id": "0-0", "quantity": 2}])).data["estimate"]
    assert (edited["approved_at"], edited["approved_by"]) == (None, None)


async def test_csv(settings: Settings, vision: SeeingModel) -> None:
    """The CSV has every item, and no cell that a spreadsheet would run."""
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")
        estimate_id = await estimated(running, acme)
        reply = await running.send("GET", f"{ESTIMATES}/{estimate_id}/export?format=csv", key=acme.key)
        rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert reply.headers["Content-Type"].startswith("text/csv")
    assert [(row["name"], row["status"]) for row in rows] == [
        ("dresser double", "counted"),
        ("sofa 3 seat", "counted"),
        ("suit of armour", "needs-review"),
        ("radiator", "excluded"),
    ]
    assert rows[0]["label"] == "'=1+1"
    assert all(len(row["length_cm"].partition(".")[2]) <= 1 for row in rows)


async def exported(running: Running, tenant: Tenant, estimate_id: str) -> PdfReader:
    """Export an estimate as PDF, and open it."""
    path = f"{running.url}{ESTIMATES}/{estimate_id}/export?format=pdf"
    async with running.session.get(path, headers={"x-api-key": tenant.key}) as response:
        content = await response.read()
        assert (response.status, response.content_type) == (200, "application/pdf"), content[:500]
    return PdfReader(io.BytesIO(content))


def text_in(document: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in document.pages).split())


async def test_pdf(settings: Settings, vision: SeeingModel) -> None:
    """The PDF is the company's own: totals, every item by room, what is not counted and why, and each photo."""
    async with serving(settings, vision=vision) as running:
        acme = await running.register("Acme")
        estimate_id = await estimated(running, acme)
        document = await exported(running, acme, estimate_id)
        text = text_in(document)
        words = (
            "Moving estimate",
            "Acme",
            "Draft, not approved",
            "Storage unit",
            "Living room",
            "Sofa, 3 seats: grey",
            "Suit of armour",
        )
        for word in (*words, "Radiator", "stays with the house", "Photo 1", estimate_id, "Page 1 of", "(allowance)"):
            assert word in text
        assert "ft³" not in text
        assert len(document.pages[-1].images) == 1
        assert document.metadata is not None
        assert document.metadata.author == "Acme"
        await running.send("POST", f"{ESTIMATES}/{estimate_id}/approve", key=acme.key)
        assert "Approved on " in text_in(await exported(running, acme, estimate_id))


async def test_pdf_in_other_words(running: Running, acme: Tenant) -> None:
    """Letters of many scripts are written as they are, those that no font of ours has as question marks; feet where asked for."""
    body = {"tenantId": acme.id, "images": [b64encode(jpeg()).decode()], "unit": "imperial"}
    headers = {"Accept": "application/json"}
    made = await running.send("POST", f"{API}/estimator/analyze", key=acme.key, json=body, headers=headers)
    named = [{"id": "0-0", "label": "z Łodzi, Жёлтый, κίτρινο, 黄色 <b>&", "room": "Küche"}]
    assert (await change(running, acme, made.data["estimateId"], items=named)).status == 200
    text = text_in(await exported(running, acme, made.data["estimateId"]))
    for word in ("z Łodzi, Жёлтый, κίτρινο, ?? <b>&", "Küche", "ft³", "lb"):
        assert word in text


async def test_pdf_marks_each_photo(running: Running, acme: Tenant) -> None:
    """A sofa in two photos has its number in both; where all is empty there are photos and no tables."""
    pictures = [b64encode(jpeg(640, 480)).decode(), b64encode(jpeg(480, 640)).decode()]
    body = {"tenantId": acme.id, "images": pictures}
    made = await running.send("POST", f"{API}/estimator/analyze", key=acme.key, json=body, headers={"Accept": "application/json"})
    estimate_id = made.data["estimateId"]
    blue = (0x03, 0x53, 0xA4)
    document = await exported(running, acme, estimate_id)
    shown = [image.image for page in document.pages for image in page.images]
    assert len(shown) == 2
    for photo in shown:
        assert photo is not None
        colours = {tuple(int(part) for part in pixel) for pixel in np.asarray(photo.convert("RGB")).reshape(-1, 3)}
        assert any(max(abs(a - b) for a, b in zip(blue, colour, strict=True)) < 12 for colour in colours)
    await change(running, acme, estimate_id, remove=["0-0"])
    text = text_in(await exported(running, acme, estimate_id))
    assert "All together" not in text
    assert "Photo 2" in text


async def test_delete(running: Running, acme: Tenant) -> None:
    """A deleted estimate is gone with its pictures; one that another estimate has stays on the disk."""
    first, second = await estimated(running, acme), await estimated(running, acme)
    assert blobs_of(running, acme) == 1
    assert (await running.send("DELETE", f"{ESTIMATES}/{first}", key=acme.key)).status == 200
    assert (await running.send("GET", f"{ESTIMATES}/{first}", key=acme.key)).status == 404
    assert blobs_of(running, acme) == 1
    await running.send("DELETE", f"{ESTIMATES}/{second}", key=acme.key)
    assert blobs_of(running, acme) == 0
    assert (await running.send("GET", f"{API}/usage", key=acme.key)).data["storage"]["used"] == 0


async def test_with_its_account(running: Running, acme: Tenant) -> None:
    """The estimates of an account go with it, pictures and all."""
    body = {"tenantId": acme.id, "images": [b64encode(jpeg()).decode()], "accountId": acme.account.id}
    made = await running.send("POST", f"{API}/estimator/analyze", key=acme.key, json=body)
    assert made.status == 200
    assert blobs_of(running, acme) == 1
    await running.send("DELETE", f"{acme.path}/accounts/{acme.account.id}", key=acme.key)
    assert (await running.send("GET", ESTIMATES, key=acme.key)).data["estimates"] == []
    assert blobs_of(running, acme) == 0


async def test_bound_keys(running: Running, acme: Tenant) -> None:
    """A key bound to an account sees that account's estimates only."""
    second = await running.add_account(acme, "Second")
    whole = await estimated(running, acme)
    first_key, _ = await running.issue(acme, account=acme.account)
    second_key, _ = await running.issue(acme, account=second)
    own = await estimated(running, Tenant(acme.id, first_key, acme.account))
    listed = (await running.send("GET", ESTIMATES, key=first_key)).data["estimates"]
    assert [estimate["id"] for estimate in listed] == [own]
    assert len((await running.send("GET", ESTIMATES, key=acme.key)).data["estimates"]) == 2
    assert len((await running.send("GET", f"{ESTIMATES}?accountId={acme.account.id}", key=acme.key)).data["estimates"]) == 1
    for key, estimate_id in ((first_key, whole), (second_key, own)):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/approve"), ("GET", "/export"), ("GET", "/pictures/0")):
            assert (await running.send(method, f"{ESTIMATES}/{estimate_id}{path}", key=key)).status == 404


async def test_while_it_is_made(settings: Settings, gate: asyncio.Event) -> None:
    """An estimate that is being made is seen as such, and can't be changed; a crash leaves it interrupted."""
    chat = ScriptedChat([[gate]])
    async with serving(settings, vision=SeeingModel(cast("ChatModel", chat))) as running:
        acme = await running.register("Acme")
        making = asyncio.create_task(estimated(running, acme))
        await until(lambda: chat.streams_open)
        ((estimate_id,),) = await running.rows("SELECT id FROM estimates")
        shown = await show(running, acme, estimate_id)
        assert (shown["estimate"]["status"], shown["summary"]["items"]) == ("running", [])
        refused = await change(running, acme, estimate_id, remove=["0-0"])
        assert (refused.status, refused.error["message"]) == (409, STILL_RUNNING)
        assert (await running.send("DELETE", f"{ESTIMATES}/{estimate_id}", key=acme.key)).status == 409
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        await until(lambda: not chat.streams_open)

        async def unit(transaction: Transaction) -> None:
            await transaction.run(compiled("UPDATE estimates SET status = 'running'"))

        await running.app[keys.DATABASE].write(unit)
    async with serving(settings) as running:
        again = (await running.send("GET", f"{ESTIMATES}/{estimate_id}", key=acme.key)).data
        assert again["estimate"]["status"] == "interrupted"
