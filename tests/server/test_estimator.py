"""The estimator over HTTP: pictures in any way they may come, items while they are seen, and every way it may end."""

import asyncio
import errno
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from pypdf import PdfReader

from tenantai.errors import NotReady, ProviderFailed
from tenantai.pictures.picture import BYTES_MAX, TOO_LARGE
from tenantai.pictures.pool import PicturePool
from tenantai.providers.protocols import ChatModel, VisionModel
from tenantai.providers.scripted import ScriptedChat, Step
from tenantai.providers.vision import UNREADABLE, SeeingModel
from tenantai.server import keys
from tenantai.server.services.estimator import NO_VISION
from tenantai.server.services.pictures import NO_ASSET
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage import estimates
from tests.pictures.making import animated, bomb, encoded, gradient, jpeg, with_exif
from tests.running import API, SOFA, Event, Opened, Reply, Running, Tenant, events_of, kinds, serving, until
from tests.vaults import Vault

ANALYZE = f"{API}/estimator/analyze"
JSON = {"Accept": "application/json"}


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def things(*named: Any) -> str:
    return json.dumps({"things": [{**SOFA, **({"name": thing} if isinstance(thing, str) else thing)} for thing in named]})


def seeing(*answers: Sequence[Step]) -> tuple[SeeingModel, ScriptedChat]:
    chat = ScriptedChat(answers)
    return SeeingModel(cast("ChatModel", chat)), chat


async def analyze(running: Running, tenant: Tenant, *images: str, key: str = "", **more: Any) -> Reply:
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}
    body = BytesIO(json.dumps({"tenantId": tenant.id, "images": list(images), **more}).encode())
    return await running.send("POST", ANALYZE, key=key or tenant.key, data=body, headers=headers)


async def told(running: Running, tenant: Tenant, *images: str, **more: Any) -> list[Event]:
    reply = await analyze(running, tenant, *images, **more)
    assert reply.status == 200, reply.text
    return events_of(reply.text)


def form(tenant: Tenant, *files: bytes, **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("tenantId", tenant.id)
    for name, value in fields.items():
        data.add_field(name, value)
    for number, content in enumerate(files):
        data.add_field("images", BytesIO(content), filename=f"{number}.jpg", content_type="image/jpeg")
    return data


def problems(reply: Reply) -> dict[str, str]:
    assert reply.status == 400, reply.text
    return {problem["field"]: problem["problem"] for problem in reply.error["details"]}


async def kept(running: Running) -> list[Any]:
    return list(await running.rows("SELECT status, item_count, input_tokens, output_tokens FROM estimates ORDER BY id"))


def incoming(running: Running) -> list[Path]:
    return list((running.app[keys.SETTINGS].data_dir / "files" / "incoming").iterdir())


async def test_stream(running: Running, acme: Tenant) -> None:
    """Items come as they are seen, then their sum, model and tokens; the same sofa in two pictures is one."""
    events = await told(running, acme, base64(jpeg()), base64(jpeg(100, 80)))
    assert kinds(events)[:3] == ["start", "start-step", "data-progress"]
    assert kinds(events)[-4:] == ["data-summary", "finish-step", "message-metadata", "finish"]
    estimate_id = events[0]["messageMetadata"]["estimateId"]
    items = [event for event in events if event["type"] == "data-item"]
    assert {item["id"] for item in items} == {"0-0", "1-0"}
    sofa = items[0]["data"]
    assert (sofa["name"], sofa["rowId"], sofa["room"], sofa["quantity"]) == ("sofa 3 seat", "sofa_3_seat", "living room", 1)
    assert (sofa["lengthCm"], sofa["size"]["unit"], sofa["box"]) == (210, "cm", [100, 200, 500, 900])
    assert sofa["volumeM3"]["low"] <= sofa["volumeM3"]["typical"] <= sofa["volumeM3"]["high"]
    summary = events[-4]["data"]
    assert summary["estimateId"] == estimate_id
    assert [item["appearsIn"] for item in summary["items"]] == [[0, 1]]
    assert summary["totals"]["pieces"] == 1
    unit, truck = summary["storageUnit"]["tight"], summary["truck"]["tight"]
    assert (unit["name"], unit["floorFt"], unit["floorM"]) == ("5x5", [5, 5], [1.52, 1.52])
    assert "floorM" not in truck
    assert [image["status"] for image in summary["images"]] == ["done", "done"]
    metadata = events[-2]["messageMetadata"]
    assert metadata["usage"]["totalTokens"] > 0
    assert events[-1]["finishReason"] == "stop"
    assert "null" not in json.dumps(events)
    assert await kept(running) == [("complete", 1, metadata["usage"]["inputTokens"], metadata["usage"]["outputTokens"])]
    assert incoming(running) == []


async def test_whole(running: Running, acme: Tenant) -> None:
    """`Accept: application/json` gets the same at once, sizes in the unit that was asked for."""
    reply = await analyze(running, acme, base64(jpeg()), unit="imperial", headers=JSON)
    (sofa,) = reply.data["items"]
    assert sofa["size"] == {"length": 82.7, "width": 35.4, "height": 33.5, "unit": "in"}
    assert reply.data["usage"]["totalTokens"] > 0
    assert reply.headers["X-Estimate-Id"] == reply.data["estimateId"]


async def test_sent_again(settings: Settings) -> None:
    """With an Idempotency-Key the same pictures get the same estimate, other ones are refused, and what failed is tried anew."""
    vision, chat = seeing([ProviderFailed("gone")], [things("sofa 3 seat")])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        headers = {**JSON, "Idempotency-Key": "photos-1"}
        assert (await analyze(running, tenant, base64(jpeg()), headers=headers)).status == 502
        first = await analyze(running, tenant, base64(jpeg()), headers=headers)
        again = await analyze(running, tenant, base64(jpeg()), headers=headers)
        assert (again.text, again.headers["Idempotent-Replayed"]) == (first.text, "true")
        assert again.headers["X-Estimate-Id"] == first.headers["X-Estimate-Id"] == first.data["estimateId"]
        sent = await running.send("POST", ANALYZE, key=tenant.key, data=form(tenant, jpeg()), headers=headers)
        assert sent.text == first.text
        assert (await analyze(running, tenant, base64(jpeg(100, 80)), headers=headers)).status == 409
        assert (await analyze(running, tenant, base64(jpeg()), unit="imperial", headers=headers)).status == 409
        assert len(chat.history) == 2
        assert [row[0] for row in await kept(running)] == ["failed", "complete"]


async def test_ways_to_send(running: Running, acme: Tenant) -> None:
    """A data URL, an asset, a file and an asset in a form are pictures as well."""
    asset = await Vault(running, acme).put("photos/room.jpg", jpeg())
    events = await told(running, acme, f"data:image/jpeg;base64,{base64(jpeg())}", asset)
    assert len(events[-4]["data"]["images"]) == 2
    data = form(acme, jpeg(), encoded(gradient(), "PNG"), unit="imperial")
    data.add_field("images", asset)
    reply = await running.send("POST", ANALYZE, key=acme.key, data=data)
    assert len(events_of(reply.text)[-4]["data"]["images"]) == 3
    assert incoming(running) == []


async def test_every_fault_at_once(running: Running, acme: Tenant) -> None:
    """Each faulty picture is named by its index, whatever is wrong with it, in JSON and in a form; nothing is kept."""
    large = jpeg() + bytes(BYTES_MAX)
    faulty = [jpeg()[:-200], animated("WEBP"), bomb(8000, 8000), b"GIF89a" + bytes(50), large]
    nowhere = "01a00000-0000-7000-8000-000000000000"
    reply = await analyze(running, acme, base64(jpeg()), *map(base64, faulty), "not base64!", nowhere, "https://a.example/b.jpg")
    found = problems(reply)
    assert set(found) == {f"images.{index}" for index in range(1, 9)}
    assert (found["images.5"], found["images.7"]) == (TOO_LARGE, NO_ASSET)
    reply = await running.send("POST", ANALYZE, key=acme.key, data=form(acme, jpeg(), *faulty))
    assert problems(reply) == {name: why for name, why in found.items() if name[-1] in "12345"}
    assert await kept(running) == []
    assert incoming(running) == []


async def test_faults_of_pictures_and_fields(running: Running, acme: Tenant) -> None:
    """Wrong fields and faulty pictures are named together, in JSON and in a form, each once."""
    nowhere = "01a00000-0000-7000-8000-000000000000"
    images = [base64(jpeg()), base64(jpeg()[:-200]), cast("str", 5), "###", nowhere]
    reply = await analyze(running, acme, *images, unit="stone", colour="red")
    assert reply.fields == {"unit", "colour", "images.1", "images.2", "images.3", "images.4"}
    assert len(reply.error["details"]) == 6
    data = form(acme, jpeg()[:-200], jpeg(), b"", unit="stone", colour="red", shape="round")
    data.add_field("colour", BytesIO(bytes(300_000)), filename="colour.jpg")
    reply = await running.send("POST", ANALYZE, key=acme.key, data=data)
    assert reply.fields == {"unit", "colour", "shape", "images.0", "images.2"}
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    assert (await analyze(running, acme, nowhere, "###", key=operator, unit="stone")).fields == {"unit", "images.1"}
    reply = await running.send("POST", ANALYZE, key=acme.key, data=form(acme, *[b"no picture"] * 11))
    assert reply.fields == {"images", *(f"images.{index}" for index in range(10))}
    assert incoming(running) == []


async def test_bodies(running: Running, acme: Tenant) -> None:
    """A body that is not as it must be is refused with every problem, before any model looks."""
    assert (await analyze(running, acme)).fields == {"images"}
    assert (await analyze(running, acme, *[base64(jpeg())] * 11)).fields == {"images"}
    assert (await analyze(running, acme, base64(jpeg()), unit="stone", colour="red")).fields == {"unit", "colour"}
    assert (await running.send("POST", ANALYZE, key=acme.key, data=b"{")).fields == {"body"}
    assert (await running.send("POST", ANALYZE, key=acme.key, data=form(acme, *[jpeg()] * 11))).fields == {"images"}
    for more in ({"colour": "red"}, {"unit": "stone"}, {"images": "word"}):
        reply = await running.send("POST", ANALYZE, key=acme.key, data=form(acme, jpeg(), **more))
        assert set(more) <= {field.partition(".")[0] for field in reply.fields}
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await running.send("POST", ANALYZE, key=acme.key, data=b"--x\r\nbroken", headers=headers)).fields == {"body"}


async def test_a_form_without_an_end(running: Running, acme: Tenant) -> None:
    """Parts that hold nothing are counted too: a form of ever more of them is refused before its end."""
    part = b'--b\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n\r\n'

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield part * 10

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    reply = await running.send("POST", ANALYZE, key=acme.key, data=parts(), headers=headers)
    assert reply.fields == {"body"}
    assert incoming(running) == []


async def test_nothing_of_exif(settings: Settings) -> None:
    """What goes to the model, what is kept and what is exported hold nothing of the file but its pixels."""
    vision, chat = seeing([things("sofa 3 seat")])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        await told(running, tenant, base64(with_exif(6)))
        (sent,) = chat.history[0].turns[0].pictures
        ((sha256,),) = await running.rows("SELECT sha256 FROM estimate_pictures")
        stored = running.app[keys.BLOBS].path(tenant.id, sha256=sha256).read_bytes()
        assert sent == stored
        assert b"Exif" not in sent
        assert b"Lovelace" not in sent
        ((estimate_id,),) = await running.rows("SELECT id FROM estimates")
        path = f"{running.url}{API}/estimator/estimates/{estimate_id}/export?format=pdf"
        async with running.session.get(path, headers={"x-api-key": tenant.key}) as response:
            exported = await response.read()
        (photo,) = [image.data for page in PdfReader(BytesIO(exported)).pages for image in page.images]
        assert not [word for word in (b"Exif", b"Lovelace", b"GPS") if word in exported + photo]


async def test_broken_then_good(settings: Settings) -> None:
    """What was seen in an answer that can't be read is replaced, and withdrawn where it is not seen again."""
    vision, _ = seeing([things("sofa 3 seat", "floor lamp", "ottoman")[:-12]], [things("loveseat")])
    async with serving(settings, vision=vision) as running:
        events = await told(running, await running.register("Acme"), base64(jpeg()))
    last = {event["id"]: event["data"] for event in events if event["type"] == "data-item"}
    assert last["0-0"]["name"] == "loveseat"
    assert last["0-1"] == {"id": "0-1", "image": 0, "status": "withdrawn"}
    assert [item["name"] for item in events[-4]["data"]["items"]] == ["loveseat"]


async def test_one_fails(settings: Settings) -> None:
    """A picture whose answer can't be read twice is reported, and the others go on."""
    vision, _ = seeing(["prose"], ["more prose"], [things("sofa 3 seat")])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        running.app[keys.ESTIMATOR].pictures_at_once = 1
        summary = (await told(running, tenant, base64(jpeg()), base64(jpeg())))[-4]["data"]
        assert [image["status"] for image in summary["images"]] == ["failed", "done"]
        assert summary["images"][0]["problem"] == UNREADABLE
        assert (summary["status"], len(summary["items"])) == ("partial", 1)


async def test_all_fail(settings: Settings) -> None:
    """Where no picture could be looked at, the stream ends with an error, and JSON with a status."""
    vision, _ = seeing([ProviderFailed("The model is gone.")])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        events = await told(running, tenant, base64(jpeg()))
        assert kinds(events)[-3:] == ["error", "finish-step", "finish"]
        assert (events[-3]["errorText"], events[-1]["finishReason"]) == ("The model is gone.", "error")
        reply = await analyze(running, tenant, base64(jpeg()), headers=JSON)
        assert (reply.status, reply.error["code"]) == (502, "PROVIDER_ERROR")
        assert [row[0] for row in await kept(running)] == ["failed", "failed"]


async def test_estimate_that_cannot_be_kept(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimate that can't be kept at its end ends with an error event, or with a status, and is kept as failed once it can."""
    change, faults = estimates.change, iter((True, False, True, False))

    async def fail(*given: Any, **named: Any) -> bool:
        if next(faults):
            raise NotReady("The disk is full.")
        return await change(*given, **named)

    monkeypatch.setattr(estimates, "change", fail)
    events = await told(running, acme, base64(jpeg()))
    assert [event["type"] for event in events[-3:]] == ["error", "finish-step", "finish"]
    assert (events[-3]["errorText"], events[-1]["finishReason"]) == ("The disk is full.", "error")
    assert (await analyze(running, acme, base64(jpeg()), headers=JSON)).status == 503
    assert [row[:2] for row in await kept(running)] == [("failed", 1), ("failed", 1)]


async def test_disk_full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no more bytes is told as such, whichever way pictures come, and nothing stays."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    async def unpacked(_pool: PicturePool, _body: Path, _folder: Path) -> dict[str, Any]:
        return {"disk": errno.ENOSPC}

    async with serving(settings) as running:
        tenant = await running.register("Acme")
        monkeypatch.setattr(PicturePool, "unpack", unpacked)
        assert (await analyze(running, tenant, base64(jpeg()))).error["code"] == "NOT_READY"
        with monkeypatch.context() as patched:
            opened_file = Path.open

            def full(path: Path, mode: str = "r", *more: Any) -> Any:
                file = opened_file(path, mode, *more)
                return SimpleNamespace(write=refuse, close=file.close) if mode == "xb" else file

            patched.setattr(Path, "open", full)
            reply = await running.send("POST", ANALYZE, key=tenant.key, data=form(tenant, jpeg()))
        assert reply.error["code"] == "NOT_READY"
        assert incoming(running) == []


async def test_a_tenant_holds_up_no_other(settings: Settings) -> None:
    """However many pictures a tenant sends, another's is read after a few of them."""
    async with serving(settings.model_copy(update={"picture_processes": 1})) as running:
        busy, other = await running.register("Busy"), await running.register("Other")
        done: list[str] = []

        async def send(tenant: Tenant, name: str, count: int) -> None:
            await told(running, tenant, *[base64(jpeg(3000, 2000))] * count)
            done.append(name)

        first = [asyncio.create_task(send(busy, "busy", 10)) for _ in range(3)]
        await until(lambda: running.app[keys.STREAM_SLOTS].used(busy.id) == 3 and not incoming(running)[3:])
        await send(other, "other", 1)
        await asyncio.gather(*first)
        assert done[0] == "other"


async def test_without_a_model(settings: Settings) -> None:
    """Without a model that looks, the error names the setting; faulty pictures are named first."""
    async with serving(settings, vision=None) as running:
        tenant = await running.register("Acme")
        reply = await analyze(running, tenant, base64(jpeg()))
        assert (reply.status, reply.error["message"]) == (409, NO_VISION)
        assert (await analyze(running, tenant, "no picture")).fields == {"images.0"}


async def opened(running: Running, tenant: Tenant, *images: str) -> aiohttp.ClientResponse:
    body = {"tenantId": tenant.id, "images": list(images)}
    return await running.session.post(running.url + ANALYZE, json=body, headers={"x-api-key": tenant.key})


async def test_client_leaves(settings: Settings, gate: asyncio.Event) -> None:
    """A client that leaves stops the model; what was seen is kept as interrupted, and what was used is counted."""
    vision, chat = seeing([things("sofa 3 seat", "floor lamp")[:-40], gate])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        response = await opened(running, tenant, base64(jpeg()), base64(jpeg()))
        assert (await Opened(response).until("data-item"))["data"]["name"] == "sofa 3 seat"
        response.close()
        await until(lambda: chat.streams_closed_early == 2)
        while (rows := await kept(running))[0][0] == "running":  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
        assert rows[0][:2] == ("interrupted", 1)
        assert rows[0][2] > 0
        assert running.app[keys.STREAM_SLOTS].used(tenant.id) == 0


async def test_time_limit(settings: Settings, gate: asyncio.Event) -> None:
    """An analysis that takes too long ends with an error that says so, and keeps what was seen."""
    plans = Plans(pro=Plan(stream_seconds=0.5))
    vision, chat = seeing([things("sofa 3 seat", "floor lamp")[:-40], gate])
    async with serving(settings.model_copy(update={"plans": plans}), vision=vision) as running:
        events = await told(running, await running.register("Acme"), base64(jpeg()))
        assert "longer than a stream may last" in events[-3]["errorText"]
        assert events[-1]["finishReason"] == "error"
        assert (await kept(running))[0][:2] == ("failed", 1)
        assert chat.streams_open == 0


async def test_key_revoked(settings: Settings, gate: asyncio.Event) -> None:
    """An analysis ends with its key."""
    vision, chat = seeing([gate])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        key, key_id = await running.issue(tenant)
        asking = asyncio.create_task(analyze(running, tenant, base64(jpeg()), key=key))
        await until(lambda: chat.streams_open)
        await running.revoke(tenant, key_id)
        events = events_of((await asking).text)
        assert "revoked" in events[-3]["errorText"]
        assert chat.streams_open == 0


async def test_shutdown(settings: Settings, gate: asyncio.Event) -> None:
    """A shutdown ends an analysis with an error event."""
    vision, chat = seeing([gate])
    async with serving(settings, vision=vision) as running:
        tenant = await running.register("Acme")
        asking = asyncio.create_task(analyze(running, tenant, base64(jpeg())))
        await until(lambda: chat.streams_open)
        await running.runner.cleanup()
        assert "shutting down" in events_of((await asking).text)[-3]["errorText"]


async def test_limits(settings: Settings, gate: asyncio.Event) -> None:
    """An analysis counts as a stream, its tokens against the month, its pictures against storage."""
    plans = Plans(pro=Plan(streams=1, tokens_per_month=1_200, storage_bytes=40_000))
    vision, chat = seeing([gate, things("sofa 3 seat")])
    async with serving(settings.model_copy(update={"plans": plans}), vision=vision) as running:
        tenant = await running.register("Acme")
        first = asyncio.create_task(analyze(running, tenant, base64(jpeg())))
        await until(lambda: chat.streams_open)
        assert (await analyze(running, tenant, base64(jpeg()))).error["code"] == "TOO_MANY_STREAMS"
        gate.set()
        assert (await first).status == 200
        used = (await running.send("GET", f"{API}/usage", key=tenant.key)).data
        assert used["tokens"]["used"] > 1_200
        ((size,),) = await running.rows("SELECT sum(bytes) FROM estimate_pictures")
        assert used["storage"]["used"] == size > 0
        assert (await analyze(running, tenant, base64(jpeg()))).error["code"] == "QUOTA_EXCEEDED"


async def test_storage_full(settings: Settings) -> None:
    """Pictures that would take a tenant over its storage are refused, and nothing of them stays."""
    async with serving(settings.model_copy(update={"plans": Plans(pro=Plan(storage_bytes=500))})) as running:
        tenant = await running.register("Acme")
        reply = await analyze(running, tenant, base64(jpeg()))
        assert (reply.status, reply.error["details"]["reason"]) == (429, "storage_bytes")
        assert await kept(running) == []
        assert not [path for path in (settings.data_dir / "files" / tenant.id).rglob("*") if path.is_file()]


async def test_isolation(running: Running, acme: Tenant, globex: Tenant) -> None:
    """Another tenant's assets do not exist here, its name is refused, and a bound key stays within its account."""
    asset = await Vault(running, globex).put("room.jpg", jpeg())
    assert problems(await analyze(running, acme, asset)) == {"images.0": NO_ASSET}
    assert (await analyze(running, globex, base64(jpeg()), key=acme.key)).status == 403
    second = await running.add_account(acme, "Second")
    bound, _ = await running.issue(acme, account=acme.account)
    own = await Vault(running, acme).put("room.jpg", jpeg())
    assert (await analyze(running, acme, own, key=bound)).status == 403
    assert (await analyze(running, acme, base64(jpeg()), key=bound, accountId=second.id)).status == 403
    assert (await analyze(running, acme, base64(jpeg()), accountId=globex.account.id)).status == 404
    assert (await analyze(running, acme, base64(jpeg()), key=bound)).status == 200
    assert [row[0] for row in await running.rows("SELECT account_id FROM estimates")] == [acme.account.id]


async def test_asset_needs_its_own_scope(running: Running, acme: Tenant) -> None:
    """A key that may analyze and not read the vault names no asset of it, in JSON or in a form, well formed or not."""
    asset = await Vault(running, acme).put("room.jpg", jpeg())
    key, _ = await running.issue(acme, scopes=["estimator:analyze"])
    fields = form(acme, jpeg())
    fields.add_field("images", asset)
    refused = [
        await analyze(running, acme, base64(jpeg()), asset, key=key),
        await analyze(running, acme, asset, "nonsense!", key=key),
        await running.send("POST", ANALYZE, key=key, data=fields),
    ]
    assert [reply.status for reply in refused] == [403] * 3, [reply.text for reply in refused]
    assert all("file:read" in reply.error["message"] for reply in refused)
    assert (await analyze(running, acme, base64(jpeg()), key=key)).status == 200
    both, _ = await running.issue(acme, scopes=["estimator:analyze", "file:read"])
    assert (await analyze(running, acme, asset, key=both)).status == 200


async def test_operator(running: Running, acme: Tenant) -> None:
    """The operator's key names any tenant, which pays for it; one that is not is not found."""
    operator = (running.app[keys.SETTINGS].data_dir / "operator.key").read_text().strip()
    assert (await analyze(running, acme, base64(jpeg()), key=operator)).status == 200
    used = (await running.send("GET", f"{API}/usage", key=acme.key)).data
    assert used["tokens"]["used"] > 0
    nowhere = Tenant("01a00000-0000-7000-8000-000000000000", operator, acme.account)
    assert (await analyze(running, nowhere, base64(jpeg()))).status == 404


@pytest.mark.parametrize("said", [things({"name": "radiator", "built_in": True}), things("suit of armour"), things()])
async def test_nothing_to_count(settings: Settings, said: str) -> None:
    """What is built in or unknown is told apart, and totals are nothing."""
    vision, _ = seeing([said])
    async with serving(settings, vision=cast("VisionModel", vision)) as running:
        summary = (await told(running, await running.register("Acme"), base64(jpeg())))[-4]["data"]
        assert (summary["items"], summary["totals"]["volumeM3"]["high"]) == ([], 0)
        assert summary["storageUnit"]["reason"]
