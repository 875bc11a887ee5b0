"""Documents in and out: uploads, live progress, actions on files, and what is searched after each."""

import asyncio
import gzip
import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fpdf import FPDF
from structlog.testing import capture_logs

from tenantai.errors import NotReady
from tenantai.providers.protocols import Vectors
from tenantai.providers.scripted import ScriptedChat, ScriptedEmbedding
from tenantai.rag.documents import ExtractedDocument
from tenantai.server import keys
from tenantai.server.routes import API
from tenantai.server.services import indexing
from tenantai.settings import Plan, Plans, Settings
from tenantai.storage.blobs import Blobs
from tenantai.storage.database import Database, Transaction, compiled
from tests.gated_embedding import GatedEmbedding
from tests.running import Account, Running, Tenant, serving, until


def blobs_of(running: Running, tenant: Tenant) -> list[Path]:
    """Return the blobs of a tenant on the disk."""
    return [path for path in (running.app[keys.SETTINGS].data_dir / "files" / tenant.id).rglob("*") if path.is_file()]


def incoming(running: Running) -> list[Path]:
    """Return what is half received."""
    return list((running.app[keys.SETTINGS].data_dir / "files" / "incoming").iterdir())


async def test_upload(running: Running, acme: Tenant) -> None:
    """An uploaded file is pending at first, ready when progress is completed, and listed with its hash, kind and chunks."""
    content = b"The deposit is 200 euros."
    reply = await running.post_file(acme, content, "terms.pdf")
    assert reply.status == 202
    assert reply.data["isNew"] is True
    file = reply.data["file"]
    assert (file["state"], file["operation_id"]) == ("pending", reply.data["operationId"])
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    await running.settled(acme)
    (held,) = (await running.files(acme)).values()
    assert (held["state"], held["name"], held["media_type"], held["chunk_count"]) == ("ready", "terms.pdf", "text/plain", 1)
    listed = await running.send("GET", acme.files, key=acme.key)
    assert [f["id"] for f in listed.data["files"]] == [file["id"]]
    store = (await running.send("GET", f"{acme.path}/store", key=acme.key)).data
    assert store["storage"]["usedBytes"] == len(content)
    assert store["counts"] == {"active": 1, "excluded": 0, "failed": 0, "pending": 0, "cancelled": 0, "skipped": 0}
    assert (store["operation"]["status"], store["operation"]["operationId"]) == ("completed", reply.data["operationId"])
    assert (store["lastSync"]["status"], store["lastSync"]["operationId"]) == ("idle", None)


async def test_same_bytes_twice(running: Running, acme: Tenant) -> None:
    """The same bytes twice in an account are one file under its first name."""
    first = await running.post_file(acme, b"one and the same", "a.txt")
    again = await running.post_file(acme, b"one and the same", "b.txt")
    assert (again.data["isNew"], again.data["file"]["id"], again.data["file"]["name"]) == (
        False,
        first.data["file"]["id"],
        "a.txt",
    )
    await running.settled(acme)
    assert len(await running.files(acme)) == len(blobs_of(running, acme)) == 1


async def test_same_bytes_at_once(running: Running, acme: Tenant) -> None:
    """The same bytes arriving eight times at once are one file, one blob and one set of chunks."""
    replies = await asyncio.gather(*(running.post_file(acme, b"one and the same", f"{n}.txt") for n in range(8)))
    assert sum(reply.data["isNew"] for reply in replies) == 1
    assert len({reply.data["file"]["id"] for reply in replies}) == 1
    await running.settled(acme)
    assert len(blobs_of(running, acme)) == 1
    assert len(await running.rows("SELECT number FROM chunks")) == 1
    assert incoming(running) == []


async def test_same_bytes_in_another_account(running: Running, acme: Tenant, second: Account, globex: Tenant) -> None:
    """Another account's same bytes are its own file with its own fate; another tenant shares not even the blob."""
    ours = await running.upload(acme, "one and the same")
    theirs = await running.upload(acme, "one and the same", account=second)
    far = await running.upload(globex, "one and the same")
    assert len({ours, theirs, far}) == 3
    assert len(blobs_of(running, acme)) == len(blobs_of(running, globex)) == 1
    assert (await running.send("DELETE", f"{acme.files}/{ours}", key=acme.key)).status == 200
    assert [hit["fileId"] for hit in await running.search(acme, "same")] == [theirs]
    await running.act(acme, "resync", theirs)
    await running.settled(acme)
    assert [f["state"] for f in (await running.files(acme)).values()] == ["ready"]


async def test_delete(running: Running, acme: Tenant) -> None:
    """A deleted file is in no search and no chat from the next request on; its bytes and rows go from the disk."""
    gone = await running.upload(acme, "The lamp is green.", "green.txt")
    kept = await running.upload(acme, "The lamp is red.", "red.txt")
    assert {hit["fileId"] for hit in await running.search(acme, "lamp")} == {gone, kept}
    assert (await running.send("DELETE", f"{acme.files}/{gone}", key=acme.key)).data == {"id": gone, "deleted": True}
    assert {hit["fileId"] for hit in await running.search(acme, "green lamp")} == {kept}
    await running.answer(acme, "green lamp?")
    assert [source.file_name for source in running.chat.history[-1].sources] == ["red.txt"]
    assert (await running.send("DELETE", f"{acme.files}/{gone}", key=acme.key)).status == 404
    await until(lambda: len(blobs_of(running, acme)) == 1)
    assert [row[0] for row in await running.rows("SELECT id FROM files")] == [kept]
    assert [row[0] for row in await running.rows("SELECT file_id FROM chunks")] == [kept]
    assert [row[0] for row in await running.rows("SELECT file_id FROM file_texts")] == [kept]
    assert len(await running.rows("SELECT chunk_number FROM vectors")) == 1


async def test_delete_and_upload_again(running: Running, acme: Tenant) -> None:
    """A file that is deleted and sent again at once is a new file, searched, with its bytes on the disk."""
    for _ in range(3):
        file_id = await running.upload(acme, "The lamp is green.")
        assert [hit["fileId"] for hit in await running.search(acme, "lamp")] == [file_id]
        await running.send("DELETE", f"{acme.files}/{file_id}", key=acme.key)
    file_id = await running.upload(acme, "The lamp is green.")
    assert [hit["fileId"] for hit in await running.search(acme, "lamp")] == [file_id]
    assert len(blobs_of(running, acme)) == 1


async def test_exclude_and_include(running: Running, acme: Tenant) -> None:
    """An excluded file is listed but in no answer, until it is included again, with the scores it had."""
    file_id = await running.upload(acme, "The lamp is green.")
    await running.upload(acme, "The door is brown.")
    before = await running.search(acme, "green lamp")
    assert [r["ok"] for r in await running.act(acme, "exclude", file_id)] == [True]
    assert file_id not in {hit["fileId"] for hit in await running.search(acme, "green lamp")}
    assert (await running.files(acme))[file_id]["excluded"] is True
    assert (await running.send("GET", f"{acme.path}/store", key=acme.key)).data["counts"]["excluded"] == 1
    await running.act(acme, "include", file_id)
    assert await running.search(acme, "green lamp") == before


async def test_resync(running: Running, acme: Tenant) -> None:
    """A file that is indexed again is found once, with as many chunks as before."""
    file_id = await running.upload(acme, "The lamp is green.")
    before = await running.search(acme, "green lamp")
    await running.act(acme, "resync", file_id)
    await running.settled(acme)
    assert await running.search(acme, "green lamp") == before
    assert len(await running.rows("SELECT number FROM chunks")) == 1


async def test_actions_name_each_result(running: Running, acme: Tenant) -> None:
    """One bad id does not stop the rest of an action, and an id twice is one."""
    file_id = await running.upload(acme, "The lamp is green.")
    results = await running.act(acme, "delete", "nothing", file_id, file_id)
    assert [(r["fileId"], r["ok"]) for r in results] == [("nothing", False), (file_id, True)]
    assert "no such file" in results[0]["error"]


async def test_failed_file(running: Running, acme: Tenant) -> None:
    """A file that cannot be read fails with its own reason; the others are searched, and the operation says so."""
    replies = [
        await running.post_file(acme, content, name)
        for name, content in (("good.txt", b"The lamp is green."), ("empty.txt", b""), ("cut.pdf", b"%PDF-1.7\ncut off"))
    ]
    progress = await running.settled(acme)
    files = await running.files(acme)
    states = [files[reply.data["file"]["id"]] for reply in replies]
    assert [file["state"] for file in states] == ["ready", "failed", "failed"]
    assert states[1]["error_code"] == "empty"
    assert all(file["error_message"] and "/" not in file["error_message"] for file in states[1:])
    assert (progress[-1]["status"], progress[-1]["failedFiles"], progress[-1]["processedFiles"]) == ("failed", 2, 3)
    assert len(await running.search(acme, "lamp")) == 1


async def test_retry_of_a_failed_file(settings: Settings, brisk: None) -> None:
    """Only what failed is tried again by resync; when its cause is gone, it is searched and its reason forgotten."""
    embedding = GatedEmbedding()
    embedding.gate.set()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        good = await running.upload(acme, "The door is brown.")
        healthy, embedding.embed = embedding.embed, broken  # type: ignore[method-assign]
        bad = await running.upload(acme, "The lamp is green.")
        assert (await running.files(acme))[bad]["state"] == "failed"
        embedding.embed = healthy  # type: ignore[method-assign]
        await running.act(acme, "resync", bad)
        await running.settled(acme)
        files = await running.files(acme)
        assert (files[bad]["state"], files[bad]["error_code"], files[good]["state"]) == ("ready", None, "ready")
        assert embedding.begun == ["The", "The"]
        assert (await running.search(acme, "green lamp"))[0]["fileId"] == bad


@pytest.mark.parametrize("cause", ["failed", "cancelled"])
async def test_upload_again_of_what_did_not_get_in(settings: Settings, brisk: None, cause: str) -> None:
    """The bytes of a file that failed or was cancelled, sent again, put it back in the queue; a ready one stays as it is."""
    embedding = GatedEmbedding()
    embedding.gate.set()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        healthy = embedding.embed
        if cause == "failed":
            embedding.embed = broken  # type: ignore[method-assign]
            first = await running.upload(acme, "The lamp is green.")
            embedding.embed = healthy  # type: ignore[method-assign]
        else:
            embedding.gate.clear()
            first = (await running.post_file(acme, b"The lamp is green.", "a.txt")).data["file"]["id"]
            await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)
            embedding.gate.set()
        before = (await running.files(acme))[first]
        assert before["state"] == cause
        again = await running.post_file(acme, b"The lamp is green.", "again.txt")
        assert (again.status, again.data["isNew"], again.data["file"]["id"]) == (202, False, first)
        assert (again.data["file"]["state"], again.data["file"]["error_code"]) == ("pending", None)
        assert again.data["operationId"] == again.data["file"]["operation_id"] != before["operation_id"]
        assert (await running.settled(acme))[-1]["status"] == "completed"
        (held,) = (await running.files(acme)).values()
        assert (held["id"], held["state"], held["error_message"]) == (first, "ready", None)
        once_more = await running.post_file(acme, b"The lamp is green.", "again.txt")
        assert (once_more.status, once_more.data["file"], once_more.data["operationId"]) == (202, held, held["operation_id"])
        assert len(await running.rows("SELECT number FROM chunks")) == len(blobs_of(running, acme)) == 1


async def broken(texts: Sequence[str], *, purpose: str) -> Vectors:
    """Fail as no provider should."""
    raise RuntimeError("out of order")


async def test_cancel(settings: Settings, brisk: None) -> None:
    """Cancelling takes what waits out of the queue at once, leaves what is ready, and can be taken up again."""
    embedding = GatedEmbedding()
    embedding.gate.set()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        ready = await running.upload(acme, "ready already")
        embedding.gate.clear()
        waiting = [(await running.post_file(acme, f"number {n}".encode(), f"{n}.txt")).data["file"]["id"] for n in range(4)]
        await until(lambda: len(embedding.begun) > 1)
        reply = await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)
        assert reply.data == {"cancelledFiles": 4}
        files = await running.files(acme)
        assert [files[file_id]["state"] for file_id in waiting] == ["cancelled"] * 4
        assert files[ready]["state"] == "ready"
        assert (await running.settled(acme))[-1]["status"] == "failed"
        assert {hit["fileId"] for hit in await running.search(acme, "number ready")} == {ready}
        assert (await running.send("DELETE", f"{acme.path}/store/sync", key=acme.key)).status == 409
        embedding.gate.set()
        await running.act(acme, "resync", *waiting)
        assert (await running.settled(acme))[-1]["status"] == "completed"
        assert {f["state"] for f in (await running.files(acme)).values()} == {"ready"}


async def test_delete_while_indexing(settings: Settings, brisk: None) -> None:
    """A file that is deleted while it is being indexed leaves nothing behind, and its operation ends."""
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        file_id = (await running.post_file(acme, b"on its way", "a.txt")).data["file"]["id"]
        await until(lambda: embedding.begun)
        assert (await running.send("DELETE", f"{acme.files}/{file_id}", key=acme.key)).status == 200
        assert (await running.settled(acme))[-1]["status"] == "completed"
        await until(lambda: not blobs_of(running, acme))
        assert await running.rows("SELECT number FROM chunks") == []


async def test_quota(settings: Settings) -> None:
    """A file that would take the tenant over its storage is a 429 that says how much is used; nothing of it is kept."""
    small = settings.model_copy(update={"plans": Plans(pro=Plan(storage_bytes=20))})
    async with serving(small) as running:
        acme = await running.register("Acme")
        assert (await running.post_file(acme, b"x" * 15, "a.txt")).status == 202
        refused = await running.post_file(acme, b"y" * 6, "b.txt")
        assert (refused.status, refused.error["code"]) == (429, "QUOTA_EXCEEDED")
        assert refused.error["details"]["limit"] == 20
        assert refused.error["details"]["used"] == 15
        assert int(refused.headers["Retry-After"]) > 0
        assert (await running.post_file(acme, b"z" * 5, "c.txt")).status == 202
        assert len(blobs_of(running, acme)) == 2
        assert incoming(running) == []


async def test_upload_over_the_limit(settings: Settings) -> None:
    """A file over the limit is a 413, whether its length is announced or not, and leaves nothing on the disk."""
    async with serving(settings.model_copy(update={"upload_bytes_max": 100_000})) as running:
        acme = await running.register("Acme")
        for size in (100_001, 400_000):
            reply = await running.post_file(acme, b"x" * size, "big.txt")
            assert (reply.status, reply.error["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert (await running.post_file(acme, b"x" * 100_000, "fits.txt")).status == 202
        assert incoming(running) == []


async def test_forms_that_are_none(running: Running, acme: Tenant) -> None:
    """Anything but a multipart form is a 415; a form without a file first is a 400; neither leaves anything."""
    assert (await running.send("POST", acme.files, key=acme.key, json={})).status == 415
    assert (await running.send("POST", acme.files, key=acme.key, data=b"x")).error["code"] == "UNSUPPORTED_MEDIA_TYPE"
    wrong = aiohttp.FormData()
    wrong.add_field("document", b"x", filename="a.txt")
    assert (await running.send("POST", acme.files, key=acme.key, data=wrong)).fields == {"file"}
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"):
        reply = await running.send("POST", acme.files, key=acme.key, data=b"nonsense", headers={"Content-Type": kind})
        assert reply.status == 400, kind
    assert await running.files(acme) == {}
    assert incoming(running) == []


async def test_cut_off_form(running: Running, acme: Tenant) -> None:
    """A form that ends before its file does is a 400, and nothing is kept."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf a fi'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = await running.send("POST", acme.files, key=acme.key, data=head, headers=headers)
    assert reply.fields == {"file"}
    assert await running.files(acme) == {}
    assert incoming(running) == []


async def test_client_gone_while_sending(running: Running, acme: Tenant) -> None:
    """A client that hangs up while sending leaves no file, no row and nothing half received."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rsplit(":", 1)[1]))
    writer.write(
        f"POST {acme.files} HTTP/1.1\r\nHost: x\r\nx-api-key: {acme.key}\r\nContent-Length: 100000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf a file'.encode()
    )
    await until(lambda: incoming(running))
    writer.close()
    await until(lambda: not incoming(running))
    assert await running.files(acme) == {}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_packed_part(running: Running, acme: Tenant, encoding: str) -> None:
    """A part that says it is packed is not unpacked: as form data its bytes are the file, and no other form is taken."""
    packed = gzip.compress(b"0" * 1_000_000)
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Encoding: {encoding}\r\n\r\n'
    body = head.encode() + packed + b"\r\n--x--\r\n"
    for kind, status in (("mixed", 415), ("form-data", 202)):
        headers = {"Content-Type": f"multipart/{kind}; boundary=x"}
        reply = await running.send("POST", acme.files, key=acme.key, data=body, headers=headers)
        assert reply.status == status
    assert reply.data["file"]["bytes"] == len(packed)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/absolute/name.txt", "name.txt"),
        ("..", ".."),
        ("a\u202egnp.txt", "agnp.txt"),
        ("tab\tname.txt", "tabname.txt"),
        ("x" * 400 + ".txt", "x" * 251 + ".txt"),
        ("Übergröße – 日本.txt", "Übergröße – 日本.txt"),
    ],
)
async def test_names(running: Running, acme: Tenant, given: str, shown: str) -> None:
    """A name is shown without its path and control characters, and never becomes part of a path here."""
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", b"some words", filename=given)
    reply = await running.send("POST", acme.files, key=acme.key, data=form)
    assert reply.data["file"]["name"] == shown
    (blob,) = blobs_of(running, acme)
    assert blob.name == hashlib.sha256(b"some words").hexdigest()


async def test_live_progress(running: Running, acme: Tenant) -> None:
    """Live progress goes up only, also where files are added meanwhile, and ends with completed at 100."""
    for number in range(3):
        await running.post_file(acme, f"file number {number}".encode(), f"{number}.txt")
    following = asyncio.create_task(running.settled(acme))
    for number in range(3, 6):
        await running.post_file(acme, f"file number {number}".encode(), f"{number}.txt")
    told = await following
    percentages = [state["percentage"] for state in told if state["operationId"] == told[-1]["operationId"]]
    assert percentages == sorted(percentages)
    assert (told[-1]["status"], told[-1]["percentage"]) == ("completed", 100.0)
    last = await running.settled(acme)
    assert len(last) == 1
    assert last[0]["totalFiles"] == last[0]["processedFiles"]
    polled = await running.send("GET", f"{acme.path}/store/progress", key=acme.key)
    assert polled.data == last[0]


async def test_files_under_way(settings: Settings, brisk: None) -> None:
    """Each file that a worker has is told with its stage and its share, two of a tenant at most; what became of it follows."""
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        for number in range(4):
            await running.post_file(acme, (f"Paragraph of file {number}. " * 30 + "\n\n").encode() * 200, f"{number}.txt")
        await until(lambda: len(embedding.begun) == indexing.WORKERS_OF_TENANT_MAX)
        told = (await running.send("GET", f"{acme.path}/store/progress", key=acme.key)).data
        assert len(told["files"]) == told["currentFiles"] == indexing.WORKERS_OF_TENANT_MAX
        for file in told["files"]:
            assert (file["stage"], file["done"], file["rateUnit"]) == ("embedding", 0, "chunks_per_second")
            assert (file["rate"], file["etaSeconds"]) == (None, None)
            assert file["total"] > indexing.EMBED_CHUNKS
            assert 0 < file["percentage"] < 100
        assert told["ended"] == []
        following = asyncio.create_task(running.settled(acme))
        embedding.gate.set()
        states = await following
        of_one = [file for state in states for file in state["files"] if file["id"] == told["files"][0]["id"]]
        assert [file["percentage"] for file in of_one] == sorted(file["percentage"] for file in of_one)
        assert {file["stage"] for file in of_one} <= {"extracting", "chunking", "embedding", "finishing"}
        assert len({file["done"] for file in of_one if file["stage"] == "embedding"}) > 1
        assert states[-1]["files"] == []
        held = await running.files(acme)
        assert {one["id"] for one in states[-1]["ended"]} == set(held)
        for one in states[-1]["ended"]:
            record = held[one["id"]]
            assert (one["state"], one["updatedAt"]) == (record["state"], record["updated_at"]) == ("ready", record["updated_at"])
            assert (one["chunkCount"], one["pageCount"]) == (record["chunk_count"], record["page_count"])


async def test_what_became_of_files_that_failed(running: Running, acme: Tenant) -> None:
    """A file that failed is told as its record has it, also where it was tried again and failed anew."""
    reply = await running.post_file(acme, b"%PDF-1.4 broken", "broken.pdf")
    file_id = reply.data["file"]["id"]
    for _ in range(2):
        ended = (await running.settled(acme))[-1]["ended"][0]
        record = (await running.files(acme))[file_id]
        assert (ended["id"], ended["state"]) == (file_id, "failed")
        assert (ended["errorCode"], ended["errorMessage"]) == (record["error_code"], record["error_message"])
        assert (ended["updatedAt"], ended["chunkCount"]) == (record["updated_at"], record["chunk_count"])
        await running.act(acme, "resync", file_id)


async def test_pages_of_a_long_file_are_told(running: Running, acme: Tenant) -> None:
    """While a long PDF is read its pages are counted, and its percentage rises."""
    pdf = FPDF()
    for _ in range(120):
        pdf.add_page()
        pdf.set_font("Helvetica", size=9)
        pdf.multi_cell(0, text="The tenant keeps the unit dry and pays in advance. " * 60)
    await running.post_file(acme, bytes(pdf.output()), "long.pdf")
    states = await running.settled(acme)
    read = [file for state in states for file in state["files"] if file["stage"] == "extracting" and file["done"]]
    assert {(file["total"], file["rateUnit"]) for file in read} == {(120, "pages_per_second")}
    assert all(0 < file["percentage"] < 15 and file["etaSeconds"] is None for file in read)


async def test_progress_before_the_first_file(running: Running, acme: Tenant) -> None:
    """A store that never indexed is idle, and its live progress ends at once."""
    assert [state["status"] for state in await running.settled(acme)] == ["idle"]


async def test_live_progress_and_shutdown(settings: Settings, brisk: None) -> None:
    """A shutdown ends live progress at once."""
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        acme = await running.register("Acme")
        await running.post_file(acme, b"words", "a.txt")
        following = asyncio.create_task(running.settled(acme))
        await until(lambda: embedding.begun)
        async with asyncio.timeout(1.5):
            await running.runner.cleanup()
        assert (await following)[-1]["status"] == "in_progress"


async def test_tenants_take_turns(settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant with one file does not wait behind another's many."""
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        pool, begun = running.app[keys.INDEXING]._extraction, list[str]()
        real = pool.extract

        async def noted(path: Path, *, name: str, **more: Any) -> ExtractedDocument:
            begun.append(name)
            return await real(path, name=name, **more)

        monkeypatch.setattr(pool, "extract", noted)
        many, one = await running.register("Many"), await running.register("One")
        for number in range(8):
            await running.post_file(many, f"many{number} words".encode(), f"{number}.txt")
        await running.post_file(one, b"single words", "one.txt")
        embedding.gate.set()
        await running.settled(many)
        await running.settled(one)
        assert begun.index("one.txt") <= 3


async def test_pages_of_a_citation(settings: Settings) -> None:
    """A citation names the page its quote stands on."""
    lines = [
        "The amber lamp burns eleven hours",
        "Oil is sold by the litre",
        "The jade lamp glows for nine nights",
        "Wicks are free",
    ]
    document = FPDF()
    document.set_font("Helvetica", size=12)
    for line in lines:
        document.add_page()
        document.multi_cell(0, text=f"{line}. Ask about it at the desk of lamps, {len(line)} steps from the door.")
        document.set_x(document.l_margin)
    async with serving(settings, chat=ScriptedChat([("unused",)])) as running:
        acme = await running.register("Acme")
        await running.post_file(acme, bytes(document.output()), "lamps.pdf")
        await running.settled(acme)
        running.chat._answers.clear()
        running.chat._answers.append(tuple(f"[[{n}|{line}]]" for line in lines for n in (1, 2, 3, 4)))
        events = await running.answer(acme, "How long does each lamp burn, what of oil and wicks?")
        cited = [citation for event in events if event["type"] == "data-citations" for citation in event["data"]]
        assert sorted((c["page"], c["quote"]) for c in cited) == list(enumerate(lines, 1))


async def test_client_that_leaves_while_its_file_is_recorded(
    running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose row is committed after its client has left keeps its bytes, and is indexed."""
    database, gate, asked = running.app[keys.DATABASE], threading.Event(), list[str]()
    write = database.write

    async def noted(unit: Any, **how: Any) -> Any:
        asked.append(getattr(unit, "func", unit).__qualname__)
        return await write(unit, **how)

    async def hold(_transaction: Transaction) -> None:
        gate.wait(60)

    monkeypatch.setattr(database, "write", noted)
    holding = asyncio.create_task(database.write(hold))
    posting = asyncio.create_task(running.post_file(acme, b"The lamp is red.", "red.txt"))
    await until(lambda: any("Documents._record" in name for name in asked))
    posting.cancel()
    await until(lambda: "bytes_are_used" in asked)
    gate.set()
    await holding
    await database.write(lambda transaction: transaction.all(compiled("SELECT 1")))
    await running.settled(acme)
    assert [hit["fileName"] for hit in await running.search(acme, "lamp")] == ["red.txt"]


async def write_alone(database: Database, sql: str) -> None:
    """Run a statement that is not to share a transaction, until it did not."""
    while True:
        with suppress(NotReady):
            await database.write_one(compiled(sql))
            return


async def test_queue_outlives_a_failing_database(running: Running, acme: Tenant) -> None:
    """Where the database cannot be written for a while, requests hear 503, and the queue and the clearing go on afterwards."""
    gone = await running.upload(acme, "The lamp is green.", "green.txt")
    database = running.app[keys.DATABASE]
    await running.send("DELETE", f"{acme.files}/{gone}", key=acme.key)
    await write_alone(database, "PRAGMA query_only = ON")
    assert (await running.post_file(acme, b"The lamp is red.", "red.txt")).status == 503
    running.app[keys.INDEXING].wake()
    assert (await running.send("GET", f"{API}/ready")).status == 503
    await write_alone(database, "PRAGMA query_only = OFF")
    kept = await running.upload(acme, "The lamp is red.", "red.txt")
    assert [hit["fileId"] for hit in await running.search(acme, "lamp")] == [kept]
    await until(lambda: len(blobs_of(running, acme)) == 1)
    assert (await running.send("GET", f"{API}/ready")).status == 200


async def test_clearing_outlives_a_failing_disk(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that can't be removed hold up nothing: the files that are deleted later are cleared."""
    first, then = (
        await running.upload(acme, "The lamp is green.", "a.txt"),
        await running.upload(acme, "The lamp is red.", "b.txt"),
    )
    remove, failed = Blobs.remove, asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail(*given: Any, **named: Any) -> None:
        if not failed.is_set():
            loop.call_soon_threadsafe(failed.set)
            raise PermissionError(13, "not permitted")
        remove(*given, **named)

    monkeypatch.setattr(Blobs, "remove", fail)
    await running.send("DELETE", f"{acme.files}/{first}", key=acme.key)
    await asyncio.wait_for(failed.wait(), 10)
    await running.send("DELETE", f"{acme.files}/{then}", key=acme.key)
    await until(lambda: len(blobs_of(running, acme)) == 1)


async def test_database_that_cannot_be_read(running: Running, acme: Tenant) -> None:
    """Where the database cannot be read, the answer is 503, not a fault of ours, and the queue does not die of it."""
    await running.send("GET", acme.path, key=acme.key)
    database = running.app[keys.DATABASE]
    await database.write_one(compiled("ALTER TABLE files RENAME TO hidden"))
    reply = await running.send("GET", acme.files, key=acme.key)
    assert (reply.status, reply.error["code"]) == (503, "NOT_READY")
    running.app[keys.INDEXING].wake()
    await database.write_one(compiled("ALTER TABLE hidden RENAME TO files"))
    kept = await running.upload(acme, "The lamp is red.", "red.txt")
    assert [hit["fileId"] for hit in await running.search(acme, "lamp")] == [kept]


async def test_slow_files_of_one_tenant(running: Running, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are slow to read hold up their own tenant only."""
    pool = running.app[keys.INDEXING]._extraction
    real, gate = pool.extract, asyncio.Event()

    async def slow(path: Path, *, name: str, **more: Any) -> ExtractedDocument:
        if name.startswith("slow"):
            await gate.wait()
        return await real(path, name=name, **more)

    monkeypatch.setattr(pool, "extract", slow)
    for number in range(4):
        await running.post_file(acme, f"Slow lamp {number}.".encode(), f"slow{number}.txt")
    beta = await running.register("Beta")
    quick = await running.upload(beta, "A quick lamp.")
    assert [hit["fileId"] for hit in await running.search(beta, "lamp")] == [quick]
    assert await running.search(acme, "lamp") == []
    gate.set()
    await running.settled(acme)
    assert len(await running.search(acme, "lamp")) == 4


async def test_large_files_of_many_tenants(settings: Settings, brisk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tenants have large files that take long, a small one does not wait for them; each is indexed in the end."""
    monkeypatch.setattr(indexing, "SMALL_BYTES_MAX", 100)
    embedding = GatedEmbedding()
    async with serving(settings, embedding=embedding) as running:
        several = [await running.register(f"Large{number}") for number in range(4)]
        for tenant in several:
            for number in range(2):
                await running.post_file(tenant, f"Large{number} lamps. ".encode() * 10, f"{number}.txt")
        await until(lambda: len(embedding.begun) == indexing.WORKERS - 1)
        small = await running.register("Small")
        await running.post_file(small, b"Small lamps.", "small.txt")
        await until(lambda: "Small" in embedding.begun)
        embedding.gate.set()
        await running.settled(small)
        for tenant in several:
            await running.settled(tenant)
            assert {file["state"] for file in (await running.files(tenant)).values()} == {"ready"}


async def test_another_embedding_model_is_told(settings: Settings) -> None:
    """A start with another model than a store was built with warns in the log and in /ready, names what rebuilds, and serves."""
    async with serving(settings, embedding=ScriptedEmbedding(model="old")) as running:
        acme = await running.register("Acme")
        await running.upload(acme, "The rent is due on the first day of the month.")
        ready = await running.send("GET", f"{API}/ready")
        assert (ready.data["status"], ready.data["checks"]["embedding"]["status"]) == ("ready", "up")
    with capture_logs() as logged:
        async with serving(settings, embedding=ScriptedEmbedding(model="new")) as running:
            await until(lambda: running.app[keys.READINESS]._embedding.others)
            ready = await running.send("GET", f"{API}/ready")
            check = ready.data["checks"]["embedding"]
            assert (ready.status, ready.data["status"], check["status"], check["critical"]) == (
                200,
                "degraded",
                "degraded",
                False,
            )
            assert "doctor --rebuild" in check["error"]
            assert str(settings.data_dir) not in ready.text
            assert (await running.search(acme, "rent"))[0]["fileName"] == "notes.txt"
    (told,) = [line for line in logged if line.get("built_with")]
    assert (told["log_level"], told["stores"], told["built_with"], told["chosen"]) == ("warning", 1, ["old"], "new")
    assert told["command"] == f"tenantai doctor --rebuild --data-dir {settings.data_dir}"
